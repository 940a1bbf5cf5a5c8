"""The page of effects: one number for each method, and for each method and task.

The page is written by hand around two tables: this brings their numbers up to date.
"""

import re
from pathlib import Path

import numpy as np

from examples.benchmark.measures import Outcome, differences
from examples.benchmark.methods import METHODS
from examples.report import files, marked, paired, tables

BEGIN, END = "<!-- results of the benchmark -->", "<!-- end of results -->"


def update(path: Path, outcomes: list[Outcome]) -> None:
    """Puts the summary between the markers, and the effects on digits into the table above it."""
    before, after = marked.around(path, BEGIN, END)
    for outcome in outcomes:
        if outcome.task == "digits":
            for name, moved in differences(outcome).items():
                row = rf"(\| {re.escape(name)} \|.*\| `benchmark` \|)[^|]*\|"
                before = re.sub(row, rf"\1 {paired.signed(*moved)} |", before)
    files.write(path, f"{before}{BEGIN}\n{summary(outcomes)}\n{END}{after}")


def summary(outcomes: list[Outcome]) -> str:
    """Methods × tasks: the difference of balanced accuracy to CE ± its standard error."""
    found = [differences(outcome) for outcome in outcomes]
    rows = []
    for method in METHODS[1:]:
        if any(method.name in each for each in found):
            moved = (each.get(method.name, (np.nan, np.nan)) for each in found)
            rows.append([method.name, *(paired.signed(*each) for each in moved)])
    header = ["method", *(outcome.task for outcome in outcomes)]
    return tables.markdown(header, rows, lined_up=False)
