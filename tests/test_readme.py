"""README is short, what it says runs, and its figures are those of the pages that it links."""

import operator
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import jimb
from tests.helpers import pages

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DIFFICULTY = (ROOT / "docs" / "guides" / "difficulty.md").read_text()
WHICH_METHOD = (ROOT / "docs" / "which_method.md").read_text()
SECTIONS = WHICH_METHOD.split("\n## ")[1:]


def test_the_python_example_runs():
    names = pages.run("README.md")
    assert names["over_gamma"].shape == (4,)
    assert names["gradient"].shape == names["logits"].shape


def test_readme_can_be_read_in_one_go():
    assert len(README.splitlines()) <= 120


PROBLEMS = README.partition("## Which method for my problem")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| \[.*$", PROBLEMS, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS)
def test_a_problem_has_functions_an_example_and_figures_that_its_page_has(row):
    _, problem, functions, example, effects, _ = (cell.strip() for cell in row.split("|"))
    for name in re.findall(r"`([\w.]+)`", functions):
        operator.attrgetter(name)(jimb)
    if example:
        assert (ROOT / "examples" / example.strip("`") / "__main__.py").is_file()
    anchor = re.search(r"which_method\.md#([\w-]+)", problem)[1]
    (section,) = (s for s in SECTIONS if s.partition("\n")[0].lower().replace(" ", "-") == anchor)
    (summary,) = re.findall(rf"^\| \[.*\(#{anchor}\).*$", WHICH_METHOD, re.MULTILINE)
    said = set(re.findall(r"\d+\.\d ± \d\.\d", effects))
    assert said or "not measured" in effects
    assert said <= set(re.findall(r"\d+\.\d ± \d\.\d", section + summary))


def test_readme_has_all_problems_of_the_page():
    assert len(ROWS) == len(SECTIONS) == 12


@pytest.mark.slow
def test_the_page_on_difficulty_runs(capsys):
    names = pages.run("docs/guides/difficulty.md")
    assert re.fullmatch(r"worth \d+% of the data, largest 0\.\d\d%\n", capsys.readouterr().out)
    assert np.bincount(names["plan"], minlength=1000).sum() == 1000
    weights, labels = np.asarray(names["weights"], np.float64), np.asarray(names["labels"])
    assert np.asarray(names["mixed"]).min() * 1000 >= 0.2
    np.testing.assert_allclose(names["clipped"].max(), np.quantile(weights, 0.99), rtol=1e-6)
    rare = weights[labels == 1].sum() / weights.sum()
    np.testing.assert_allclose(names["prior"], [1 - rare, rare], rtol=1e-6)
    assert abs(rare - labels.mean()) > 0.01  # not the prior of the data set


@pytest.mark.slow
def test_on_the_page_a_device_s_share_gives_the_sums_of_the_whole():
    names = pages.run("docs/guides/difficulty.md")
    logits = names["images"] @ names["params"]
    whole = jimb.difficulty.update(jimb.difficulty.init(1000, 2), logits, names["labels"])
    assert len(names["state"].learned.sharding.device_set) == jax.device_count()
    np.testing.assert_array_equal(names["state"].unlearned, whole.unlearned)
    np.testing.assert_array_equal(names["state"].learned, whole.learned)


def test_the_figures_of_the_page_on_difficulty_are_those_of_the_proofs():
    proofs = (ROOT / "docs" / "why" / "proofs.md").read_text()
    rows = re.findall(r"^\| (?:c |1 |0\.).*\|$", DIFFICULTY, re.MULTILINE)
    assert len(rows) == 4
    assert set(rows) <= set(proofs.splitlines())
    headings = re.findall(r"^## (.*)$", proofs, re.MULTILINE)
    anchors = {heading.lower().replace("'", "").replace(" ", "-") for heading in headings}
    links = re.findall(r"proofs\.md#([a-z-]+)", DIFFICULTY)
    assert len(links) == 3
    assert set(links) <= anchors
