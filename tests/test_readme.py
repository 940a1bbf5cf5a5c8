"""What README and the page on difficulty say runs, and what README says is here is here."""

import operator
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import jimb
import jimb.sampling.grain  # which jimb itself does not import

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DIFFICULTY = (ROOT / "docs" / "difficulty.md").read_text()


def run(page):
    """The names that all Python blocks of a page leave, run one after the other."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    return names


def test_the_python_example_runs():
    names = run(README)
    assert names["over_gamma"].shape == (4,)
    assert names["gradient"].shape == names["logits"].shape


@pytest.mark.parametrize("row", re.findall(r"^\|.*\| (?:here|planned) \|$", README, re.MULTILINE))
def test_what_the_box_lists_exists_and_what_is_planned_does_not(row):
    _, _, functions, state, _ = (cell.strip() for cell in row.split("|"))
    names = re.findall(r"`([a-z_.…]+)`", functions)
    module = names[0].rpartition(".")[0] if names else ""
    for name in names:
        if name.startswith("…"):
            name = "class_balanced" + name[1:]
        path = name if "." in name or not module else f"{module}.{name}"
        if state == "here":
            operator.attrgetter(path)(jimb)
        else:
            with pytest.raises(AttributeError):
                operator.attrgetter(path)(jimb)


def test_the_page_on_difficulty_runs(capsys):
    names = run(DIFFICULTY)
    assert re.fullmatch(r"worth \d+% of the data, largest 0\.\d\d%\n", capsys.readouterr().out)
    assert np.bincount(names["plan"], minlength=1000).sum() == 1000
    weights, labels = np.asarray(names["weights"], np.float64), np.asarray(names["labels"])
    assert np.asarray(names["mixed"]).min() * 1000 >= 0.2
    np.testing.assert_allclose(names["clipped"].max(), np.quantile(weights, 0.99), rtol=1e-6)
    rare = weights[labels == 1].sum() / weights.sum()
    np.testing.assert_allclose(names["prior"], [1 - rare, rare], rtol=1e-6)
    assert abs(rare - labels.mean()) > 0.01  # not the prior of the data set


def test_on_the_page_a_device_s_share_gives_the_sums_of_the_whole():
    names = run(DIFFICULTY)
    logits = names["images"] @ names["params"]
    whole = jimb.difficulty.update(jimb.difficulty.init(1000, 2), logits, names["labels"])
    assert len(names["state"].learned.sharding.device_set) == jax.device_count()
    np.testing.assert_array_equal(names["state"].unlearned, whole.unlearned)
    np.testing.assert_array_equal(names["state"].learned, whole.learned)


def test_the_figures_of_the_page_on_difficulty_are_those_of_the_proofs():
    proofs = (ROOT / "docs" / "proofs.md").read_text()
    rows = re.findall(r"^\| (?:c |1 |0\.).*\|$", DIFFICULTY, re.MULTILINE)
    assert len(rows) == 4
    assert set(rows) <= set(proofs.splitlines())
    headings = re.findall(r"^## (.*)$", proofs, re.MULTILINE)
    anchors = {heading.lower().replace("'", "").replace(" ", "-") for heading in headings}
    links = re.findall(r"proofs\.md#([a-z-]+)", DIFFICULTY)
    assert len(links) == 3
    assert set(links) <= anchors
