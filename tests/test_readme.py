"""What README says runs, and what it says is here is here."""

import operator
import re
from pathlib import Path

import pytest

import jimb
import jimb.sampling.grain  # which jimb itself does not import

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_python_example_runs():
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(block, names)
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
