"""Start here changes as many lines of its script as it says, and marks each."""

import re

import numpy as np
import pytest

from tests.helpers import pages
from tests.helpers.pages import ROOT

PAGE = (ROOT / "docs" / "start.md").read_text()
SCRIPT, BALANCED, SOFTMAX, DIFFICULTY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def changed(block):
    return re.findall(r"^(.*?) +# (?:new|changed)$", block, re.MULTILINE)


def same(block):
    lines = [line for line in block.splitlines() if not re.search(r"# (new|changed)$", line)]
    return [line for line in lines if line and not line.startswith("print(")]


def test_each_step_changes_the_lines_it_marks():
    before = SCRIPT.splitlines()
    for block, number in ((BALANCED, 7), (DIFFICULTY, 8)):
        assert len(changed(block)) == number
        assert not set(same(block)) - set(before)
        assert not set(changed(block)) & set(before)
    text = " ".join(PAGE.split())
    assert "seven lines change for class-balanced focal loss with a mask, and eight for" in text


def test_the_script_is_one_of_some_sixty_lines_without_jimb():
    assert "jimb" not in SCRIPT
    assert 40 <= len([line for line in SCRIPT.splitlines() if line.strip()]) <= 60


@pytest.mark.slow
def test_it_prints_what_it_says(capsys):
    pages.run("docs/start.md")
    printed = re.findall(r"mean recall (0\.\d\d)", capsys.readouterr().out)
    said = re.search(r"printed above \((.*?) on a CPU\)", PAGE, re.DOTALL)[1]
    said = re.findall(r"0\.\d\d", said)
    assert len(said) == 4
    np.testing.assert_allclose(np.float64(printed), np.float64(said), atol=0.021)
