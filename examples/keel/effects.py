"""The page of effects: a row for each method, with its rank and what it is worth."""

from pathlib import Path

from examples.keel.comparison import Compared, compare, shown
from examples.keel.measures import MEASURES
from examples.keel.outcome import Outcome
from examples.keel.settings import BEGIN, END
from examples.report import files, marked, tables

COLUMNS = ("balanced accuracy", "F1", "PR-AUC")


def update(path: Path, outcome: Outcome) -> None:
    """Puts the table between the markers."""
    files.write(path, marked.put(path, summary(outcome), BEGIN, END))


def summary(outcome: Outcome) -> str:
    """Methods × models: mean rank by balanced accuracy, and differences to CE in points."""
    compared = {model: compare(test) for model, test in outcome.test.items()}
    header = ["method"]
    for model in compared:
        header += [f"{model}: rank", *COLUMNS]
    rows = []
    for name in compared["MLP"].names:
        rows.append([name, *(cell for each in compared.values() for cell in cells(each, name))])
    return tables.markdown(header, rows, lined_up=False)


def cells(compared: Compared, name: str) -> list[str]:
    """A method's of one model."""
    rank = compared.rankings[MEASURES[0]].ranks[compared.names.index(name)]
    return [f"{rank:.1f}", *(shown(compared, name, measure) for measure in COLUMNS)]
