"""The page of effects names what is there, and has the numbers of the pages it gathers."""

import operator
import re
from pathlib import Path

import pytest

import jimb
from examples.benchmark import calibration_page, effects, methods
from examples.keel import effects as keel_effects
from examples.keel import methods as keel_methods
from examples.keel import settings as keel_settings
from examples.keel.measures import MEASURES

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
PAGE = (RESULTS / "effects.md").read_text()
METHODS, _, REST = PAGE.partition(effects.BEGIN)
SUMMARY = REST.partition(effects.END)[0]
HUNDRED = PAGE.partition(keel_settings.BEGIN)[2].partition(keel_settings.END)[0]
PAGES = {"benchmark": "methods", "decoupling": "decoupling", "bbn": "bbn"}


@pytest.mark.parametrize("row", re.findall(r"^\| .*`.* \|$", METHODS, re.MULTILINE))
def test_a_method_has_a_function_an_example_and_the_figure_of_its_page(row):
    _, _, function, _, example, effect, _ = (cell.strip() for cell in row.split("|"))
    operator.attrgetter(function.strip("`"))(jimb)
    example = example.strip("`")
    assert (ROOT / "examples" / example / "__main__.py").is_file()
    if example in PAGES:
        page = (RESULTS / f"{PAGES[example]}.md").read_text()
        assert f"({effect})" in page.replace("( ", "(")
    else:
        assert (RESULTS / re.fullmatch(r"\[.*\]\((.*)\)", effect)[1]).is_file()


def test_every_method_of_the_benchmark_is_in_both_tables():
    for method in methods.METHODS[1:]:
        assert f"| {method.name} | `{method.functions}` | {method.paper} |" in METHODS
        assert f"\n| {method.name} | " in SUMMARY


def test_the_summary_has_the_figures_of_the_page():
    head, _, *rows = (line.strip("| ").split(" | ") for line in SUMMARY.strip().splitlines())
    sections = (RESULTS / "methods.md").read_text().split("\n## ")
    for column, task in enumerate(head[1:], 1):
        (section,) = (part for part in sections if f"(`--task {task}`)" in part)
        for row in rows:
            (line,) = re.findall(rf"^\| {re.escape(row[0])} \| `.*$", section, re.MULTILINE)
            first = line.split(" | ")[3]
            effect = row[column]
            assert first == "–" if effect == "–" else f"({effect})" in first, (task, row[0])


@pytest.mark.parametrize(("position", "heading"), [(0, "MLP"), (1, "Linear model")])
def test_the_rows_of_a_hundred_tables_are_those_of_their_page(position, heading):
    sections = dict(
        part.split("\n", 1) for part in (RESULTS / "keel.md").read_text().split("\n## ")[1:]
    )
    parts = re.split("Points from cross-entropy|How many rows", sections[heading])
    ranks, moved = map(rows_of, parts[:2])
    found, width = rows_of(HUNDRED), 1 + len(keel_effects.COLUMNS)
    assert list(found) == [method.name for method in keel_methods.METHODS]
    for name, cells in found.items():
        rank, *others = cells[width * position : width * (position + 1)]
        assert rank == ranks[name][2]  # behind function and paper
        assert others == [moved[name][MEASURES.index(each)] for each in keel_effects.COLUMNS]
    difference = re.search(r"if they\s+differ\s+by\s+(\d\.\d)\.", sections[heading])[1]
    assert f"differ by less than {difference} are not told apart" in PAGE


def rows_of(section):
    """Method → its cells."""
    lines = (line.strip("| ").split(" | ") for line in section.splitlines() if "|" in line)
    return {name: cells for name, *cells in lines if name != "method" and "---" not in name}


def test_the_page_on_calibration_is_of_this_script_and_of_one_piece():
    """Its differences are those of its levels, but for the rounding of three numbers."""
    page = (RESULTS / "calibration.md").read_text()
    assert page.startswith(calibration_page.INTRODUCTION)
    assert calibration_page.AGAINST in page
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    levels, moved = rows_of(sections["Brier"]), rows_of(sections["Brier score against CE"])
    names = [method.name for method in methods.METHODS]
    assert list(moved) == names[1:]
    assert list(levels) == list(rows_of(sections["ECE"])) == [*names, "*largest standard error*"]
    for name, cells in moved.items():
        for cell, level, baseline in zip(cells, levels[name], levels[names[0]], strict=True):
            if cell != "–":
                first, _, last = (float(x) for x in level.split("→"))
                ce_first, _, ce_last = (float(x) for x in baseline.split("→"))
                found = [float(part.split(" ± ")[0]) for part in cell.split(" → ")]
                assert found == pytest.approx([first - ce_first, last - ce_last], abs=0.151)
