"""Names in code font are links: `jimb.weighted_mean`, and with `-t online` `jax.vmap` as well.

Long ones may break between their parts, which a table on a phone needs.
"""

import operator
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

import jimb

NAME = re.compile(r"(?:jimb|jax|jnp|optax|nnx|linen|numpy)(?:\.\w+)+")
BREAKS = re.compile(r"(?<=[._/(=,])(?=\w)")
ALIASES = {"jnp": "jax.numpy", "nnx": "flax.nnx", "linen": "flax.linen"}


class LinkNames(SphinxTransform):
    """Wraps each name in a reference, which stays plain code where nothing has that name."""

    default_priority = 500

    def apply(self) -> None:
        """Replaces literals that are not part of a link already."""
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext()
            if inside(literal, nodes.title):
                continue
            literal.clear()
            literal.extend(breakable(name))
            target = target_of(name)
            if target is None or inside(literal, nodes.reference, addnodes.pending_xref):
                continue
            reference = addnodes.pending_xref(
                "",
                literal.deepcopy(),
                refdomain="py",
                reftype="obj",
                reftarget=target,
                refexplicit=True,
                refwarn=False,
                refdoc=self.env.docname,
            )
            literal.replace_self(reference)


def target_of(name: str) -> str | None:
    """The full name of what a piece of code names, if it is a name; `jimb.` may be left out."""
    if not re.fullmatch(r"\w+(?:\.\w+)*", name):
        return None
    if NAME.fullmatch(name):
        first, _, rest = name.partition(".")
        return f"{ALIASES.get(first, first)}.{rest}"
    try:
        operator.attrgetter(name)(jimb)
    except AttributeError:
        return None
    # One word may be a variable as well.
    return f"jimb.{name}" if "." in name or "_" in name else None


def breakable(name: str) -> list[nodes.Node]:
    """The text, with places at which HTML may break it."""
    first, *rest = BREAKS.split(name)
    children: list[nodes.Node] = [nodes.Text(first)]
    for part in rest:
        children += [nodes.raw("", "<wbr>", format="html"), nodes.Text(part)]
    return children


def inside(node: nodes.Node | None, *kinds: type[nodes.Node]) -> bool:
    """Whether the node is a part of one of these."""
    while node is not None and not isinstance(node, kinds):
        node = node.parent
    return node is not None


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the transform."""
    app.add_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
