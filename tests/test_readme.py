"""What README and the page on difficulty say runs, and what README says is here is here."""

import inspect
import operator
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import jimb
import jimb.sampling.grain  # which jimb itself does not import
from examples.benchmark import methods, report
from tests.helpers import pages

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DIFFICULTY = (ROOT / "docs" / "guides" / "difficulty.md").read_text()


def test_the_python_example_runs():
    names = pages.run("README.md")
    assert names["over_gamma"].shape == (4,)
    assert names["gradient"].shape == names["logits"].shape


BOX = README.partition("## What is in the box")[2].partition("\n## ")[0]


@pytest.mark.parametrize("row", re.findall(r"^\| .*`.* \|$", BOX, re.MULTILINE))
def test_what_the_box_lists_exists(row):
    _, _, functions, _ = (cell.strip() for cell in row.split("|"))
    names = re.findall(r"`([A-Za-z_0-9.…]+)`", functions)
    assert names
    module = names[0].rpartition(".")[0]
    for name in names:
        if name.startswith("…"):
            name = "class_balanced" + name[1:]
        path = name if "." in name or not module else f"{module}.{name}"
        operator.attrgetter(path)(jimb)


def test_the_box_lists_the_whole_api():
    """Every public function of jimb, but for what belongs to a state that is listed."""
    for module in (jimb, jimb.sampling, jimb.metrics, jimb.mining, jimb.posthoc):
        for name, value in vars(module).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                assert name in BOX or name.replace("class_balanced", "…") in BOX, name


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


METHODS = README.partition("## Methods")[2].partition("\n## ")[0]
PAGES = {"benchmark": "methods", "decoupling": "decoupling", "bbn": "bbn"}


@pytest.mark.parametrize("row", re.findall(r"^\| .*`.* \|$", METHODS, re.MULTILINE))
def test_a_method_has_a_function_an_example_and_the_figure_of_its_page(row):
    _, _, function, _, example, effect, _ = (cell.strip() for cell in row.split("|"))
    operator.attrgetter(function.strip("`"))(jimb)
    example = example.strip("`")
    assert (ROOT / "examples" / example / "__main__.py").is_file()
    if example in PAGES:
        page = (ROOT / "docs" / "results" / f"{PAGES[example]}.md").read_text()
        assert f"({effect})" in page.replace("( ", "(").replace("+ ", "+").replace("- ", "-")
    else:
        assert (ROOT / re.fullmatch(r"\[.*\]\((.*)\)", effect)[1]).is_file()


def test_every_method_of_the_benchmark_is_in_both_tables():
    for method in methods.METHODS[1:]:
        assert f"| {method.name} | `{method.functions}` | {method.paper} |" in METHODS
        assert f"\n| {method.name} | " in SUMMARY


SUMMARY = README.partition(report.BEGIN)[2].partition(report.END)[0]


def test_the_summary_has_the_figures_of_the_page():
    head, _, *rows = (line.strip("| ").split(" | ") for line in SUMMARY.strip().splitlines())
    sections = (ROOT / "docs" / "results" / "methods.md").read_text().split("\n## ")
    for column, task in enumerate(head[1:], 1):
        (section,) = (part for part in sections if f"(`--task {task}`)" in part)
        for row in rows:
            (line,) = re.findall(rf"^\| {re.escape(row[0])} \| `.*$", section, re.MULTILINE)
            first = line.split(" | ")[3]
            effect = row[column]
            assert first == "–" if effect == "–" else f"({effect})" in first, (task, row[0])
