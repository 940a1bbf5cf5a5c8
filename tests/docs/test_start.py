"""Start here changes as many lines of its script as it says, and marks each."""

import re

from tests.helpers.pages import ROOT

PAGE = (ROOT / "docs" / "start.md").read_text()
SCRIPT, BALANCED, DIFFICULTY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WORDS = {6: "six", 9: "nine"}


def changed(block):
    return re.findall(r"^(.*?) +# (?:new|changed)$", block, re.MULTILINE)


def same(block):
    lines = [line for line in block.splitlines() if not re.search(r"# (new|changed)$", line)]
    return [line for line in lines if line and not line.startswith("print(")]


def test_each_step_changes_the_lines_it_marks():
    before = SCRIPT.splitlines()
    for block, number in ((BALANCED, 9), (DIFFICULTY, 6)):
        assert len(changed(block)) == number
        assert not set(same(block)) - set(before)
        assert not set(changed(block)) & set(before)
    text = " ".join(PAGE.split())
    assert f"first {WORDS[9]} changed lines" in text
    assert f"then {WORDS[6]} more" in text


def test_the_script_is_one_of_some_sixty_lines_without_jimb():
    assert "jimb" not in SCRIPT
    assert 40 <= len([line for line in SCRIPT.splitlines() if line.strip()]) <= 60
