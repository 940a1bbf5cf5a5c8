"""Docstrings are written for `help()`; here they become what the reference shows."""

import re

from formulas import FORMULAS
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def prepare(
    _: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Adds the formula; keeps code and single letters from being taken for quotes and lists."""
    for number, line in enumerate(lines):
        lines[number] = re.sub(r"^( +\w+: )([A-Z])\.$", r"\1`\2`.", line)
        following = lines[number + 1 : number + 3]
        if line.endswith(":") and len(following) == 2 and not following[0]:
            indented = re.match(rf"{' ' * indent(line)} {{4}}\S", following[1])
            lines[number] += ":" if indented else ""
    formula = FORMULAS.get(name, ())
    for part in reversed((formula,) if isinstance(formula, str) else formula):
        lines[1:1] = ["", f".. math:: {part}", ""]


def indent(line: str) -> int:
    """Spaces at the start."""
    return len(line) - len(line.lstrip())


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the step, before Napoleon's."""
    app.connect("autodoc-process-docstring", prepare, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
