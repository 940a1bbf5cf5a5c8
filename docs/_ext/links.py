"""Names in code font are links: `jimb.weighted_mean`, and with `-t online` `jax.vmap` as well."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

NAME = re.compile(r"(?:jimb|jax|jnp|optax|nnx|linen|numpy)(?:\.\w+)+")
ALIASES = {"jnp": "jax.numpy", "nnx": "flax.nnx", "linen": "flax.linen"}


class LinkNames(SphinxTransform):
    """Wraps each name in a reference, which stays plain code where nothing has that name."""

    default_priority = 500

    def apply(self) -> None:
        """Replaces literals that are not part of a link already."""
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext()
            if not NAME.fullmatch(name) or inside_link(literal):
                continue
            first, _, rest = name.partition(".")
            reference = addnodes.pending_xref(
                "",
                literal.deepcopy(),
                refdomain="py",
                reftype="obj",
                reftarget=f"{ALIASES.get(first, first)}.{rest}",
                refexplicit=True,
                refwarn=False,
                refdoc=self.env.docname,
            )
            literal.replace_self(reference)


def inside_link(node: nodes.Node) -> bool:
    """Whether the node is the text of a link or of a heading."""
    while node is not None:
        if isinstance(node, nodes.reference | addnodes.pending_xref | nodes.title):
            return True
        node = node.parent
    return False


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the transform."""
    app.add_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
