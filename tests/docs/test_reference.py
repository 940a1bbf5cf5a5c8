"""The reference has every public name once, nothing else, and a formula for what has one."""

import ast
import re
from collections import Counter

from tests.helpers.pages import ROOT
from tests.test_api import PUBLIC

REFERENCE = ROOT / "docs" / "reference"
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class):: (\S+)$", re.MULTILINE)
DOCUMENTED = Counter(
    name for page in REFERENCE.glob("*.md") for name in DIRECTIVE.findall(page.read_text())
)


def shown(name):
    """The losses stand under their short names; a type variable is nobody's business."""
    return not name.startswith("jimb.losses.") and name != "jimb.sampling.grain.T"


def test_every_public_name_has_one_entry():
    assert len(DOCUMENTED) > 100
    assert Counter(filter(shown, PUBLIC)) == DOCUMENTED


def test_every_page_is_in_the_index():
    index = (REFERENCE / "index.md").read_text()
    pages = {page.stem for page in REFERENCE.glob("*.md")} - {"index"}
    assert pages == set(re.search(r"```\{toctree\}.*?\n\n(.*?)\n```", index, re.DOTALL)[1].split())


def formulas():
    tree = ast.parse((ROOT / "docs" / "_ext" / "formulas.py").read_text())
    (table,) = (node.value for node in tree.body if isinstance(node, ast.AnnAssign))
    return ast.literal_eval(table)


def test_every_formula_is_that_of_a_public_name():
    assert set(formulas()) <= set(DOCUMENTED)


def test_a_docstring_with_a_formula_has_one_in_the_reference():
    """Every loss, weight and measure; what only keeps a state has none."""
    states = r"\.(init|update|merge|push|pop|compute|to_numpy|sweep|select|score)$|State$|[A-Z]\w+$"
    whole = {"jimb.sampling.class_batches", "jimb.difficulty.summarize_weights"}
    missing = {name for name in DOCUMENTED if not re.search(states, name)} - set(formulas()) - whole
    assert not missing
