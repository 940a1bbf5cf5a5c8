"""Start here as a notebook: `start.md` is the source, `start.ipynb` lies beside its page."""

from pathlib import Path

import jupytext
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def write(app: Sphinx, error: Exception | None) -> None:
    """Converts the page after an HTML build."""
    if error is None and app.builder.format == "html":
        notebook = jupytext.read(Path(app.srcdir) / "start.md", fmt="md")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        jupytext.write(notebook, Path(app.outdir) / "start.ipynb")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the last step of the build."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
