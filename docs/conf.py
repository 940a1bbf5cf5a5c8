"""The documentation site: `sphinx-build -W --keep-going -b html docs out/site`.

Sphinx with MyST, as JAX, Flax and Optax have it, so that names link to their references as well.
Nothing is fetched, neither at the build nor by the reader: formulas become MathML, and the links to
JAX, Optax, Flax and NumPy are resolved with `-t online` only, which loads their inventories.
"""

import sys
from pathlib import Path

import jimb

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jimb"
release = jimb.__version__
html_title = f"jimb {release}"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_domain_indices = False
exclude_patterns = ["_ext", "figures"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "links",
    "mathml",
    "notebook",
]
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
napoleon_custom_sections = ["Reference"]
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
maximum_signature_line_length = 60
add_module_names = False
toc_object_entries_show_parents = "hide"

if tags.has("online"):  # noqa: F821 (Sphinx puts it there)
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_timeout = 10
    intersphinx_mapping = {
        "jax": ("https://docs.jax.dev/en/latest/", None),
        "optax": ("https://optax.readthedocs.io/en/latest/", None),
        "flax": ("https://flax.readthedocs.io/en/latest/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
    }
