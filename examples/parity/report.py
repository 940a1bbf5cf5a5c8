"""What was found, as a table. The first method, CE, is the baseline."""

import numpy as np

from examples.parity.trials import Result
from examples.report import paired, tables

COLUMNS = {
    "digit 8": [8],
    "other even": [0, 2, 4, 6],
    "odd": [1, 3, 5, 7, 9],
    "mean of ten": list(range(10)),
}


def table(results: dict[str, Result]) -> str:
    """Recalls in per cent, and the paired difference to CE ± its standard error (Markdown)."""
    baseline, *_ = results.values()
    rows = []
    for name, result in results.items():
        theirs = {c: None if result is baseline else recall_of(baseline, c) for c in COLUMNS}
        rows.append([name, *(paired.cell(recall_of(result, c), theirs[c]) for c in COLUMNS)])
    return tables.markdown(["method", *COLUMNS], rows)


def recall_of(result: Result, column: str) -> np.ndarray:
    """Mean recall over the column's digits, a share of 1 per trial, `[S]`."""
    recalls: np.ndarray = result.recalls[:, COLUMNS[column]].mean(axis=1)
    return recalls
