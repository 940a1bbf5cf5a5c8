"""The page that says which method: its figures, functions, commands and map are what they say."""

import operator
import re

import pytest

import jimb
import jimb.sampling.grain  # which jimb itself does not import
from docs.figures import method_map
from tests.helpers.pages import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "which_method.md").read_text()
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
ROWS = re.findall(r"^\| \[(.*?)\]\(#(.*?)\) \| (.*?) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
FIGURE = re.compile(r"[+-]?\d+\.\d ± \d\.\d")


def anchor(heading):
    return heading.lower().replace(" ", "-")


def figures(text):
    """The figures with their errors, without signs, which prose puts into words."""
    return {figure.lstrip("+-") for figure in FIGURE.findall(re.sub(r"([+-]) +", r"\1", text))}


def test_every_problem_has_a_row_a_section_and_a_leaf():
    assert len(ROWS) == 12
    headings = {anchor(heading) for heading in SECTIONS}
    assert {where for _, where, *_ in ROWS} == headings
    assert {leaf.anchor for leaf in method_map.LEAVES} == headings


def test_the_map_is_drawn_anew():
    assert (DOCS / "which_method.svg").read_text() == method_map.draw()


@pytest.mark.parametrize("name", re.findall(r"`(jimb\.[\w.]+)", PAGE))
def test_its_functions_exist(name):
    operator.attrgetter(name.removeprefix("jimb."))(jimb)


@pytest.mark.parametrize("leaf", method_map.LEAVES, ids=lambda leaf: leaf.title)
def test_a_leaf_says_what_its_row_says(leaf):
    operator.attrgetter(leaf.function)(jimb)
    (row,) = (row for row in ROWS if row[1] == leaf.anchor)
    assert f"`jimb.{leaf.function}" in row[2]
    assert figures(leaf.effect) <= figures(row[4])
    assert len(leaf.effect) <= 26  # the width of its box


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_row_has_a_command(row):
    for module in re.findall(r"`python -m examples\.(\w+)", row[3]):
        assert (ROOT / "examples" / module / "__main__.py").is_file()


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_figure_stands_in_the_results_that_the_section_links(heading):
    (row,) = (row for row in ROWS if row[1] == anchor(heading))
    pages = re.findall(r"\]\((results/\w+\.md)\)", SECTIONS[heading])
    results = figures(" ".join((DOCS / page).read_text() for page in pages))
    said = figures(row[4]) | figures(SECTIONS[heading])
    assert said
    assert said <= results, said - results
