"""Numbers over trials: a mean with its standard error, and the paired difference to a baseline.

A trial may lack a value (NaN): a precision where nothing was called an event. It is left out.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from examples.report import tables
from examples.report.prose import filled


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard error over the trials `[S]`; NaN where there are too few."""
    found = values[np.isfinite(values)]
    mean = found.mean() if len(found) > 0 else np.nan
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    return float(mean), float(error)


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Mean and standard error, in points, of the difference of two shares of 1 in each trial."""
    return mean_and_error(100 * (ours - theirs))


def told_apart(mean: float, error: float) -> bool:
    """Whether a difference is more than two standard errors from 0."""
    return abs(mean) > 2 * error


def verdict(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Whether a paired difference is more than two standard errors from 0."""
    mean, error = difference(ours, theirs)
    if not told_apart(mean, error):
        return "not told apart"
    return "higher" if mean > 0 else "lower"


def findings(measures: Mapping[str, np.ndarray], titles: Sequence[str]) -> list[str]:
    """A line a column of shares `[S, columns]`: which rows are told apart from the first."""
    (_, baseline), *others = measures.items()
    lines = []
    for title, theirs, column in zip(titles, baseline.T, range(len(titles)), strict=True):
        groups: dict[str, list[str]] = {"higher": [], "lower": [], "not told apart": []}
        for name, ours in others:
            groups[verdict(ours[:, column], theirs)].append(name)
        said = (f"{group} for {', '.join(names)}" for group, names in groups.items() if names)
        lines.append(filled(f"- {title}: {'; '.join(said)}.", "  "))
    return lines


def signed(mean: float, error: float) -> str:
    """A difference: `+5.0 ± 0.3`; a dash where it cannot be told."""
    return "–" if np.isnan(error) else f"{mean:+.1f} ± {error:.1f}"


def cell(ours: np.ndarray, theirs: np.ndarray | None = None) -> str:
    """In per cent, `89.5 (+5.0 ± 0.3)`: the mean, and the difference to a baseline, if any.

    A dash where no trial has the value; no difference where fewer than two have it on both sides.
    """
    mean, _ = mean_and_error(100 * ours)
    if np.isnan(mean):
        return "–"
    moved = (np.nan, np.nan) if theirs is None else difference(ours, theirs)
    return f"{mean:.1f}" if np.isnan(moved[1]) else f"{mean:.1f} ({signed(*moved)})"


def table(measures: Mapping[str, np.ndarray], columns: Sequence[str]) -> str:
    """A row a method, of shares `[S, columns]`; the first is the baseline of the others."""
    baseline, *_ = measures.values()
    rows = []
    for name, ours in measures.items():
        theirs = [None] * len(columns) if ours is baseline else baseline.T
        rows.append([name, *(cell(*pair) for pair in zip(ours.T, theirs, strict=True))])
    return tables.markdown(["method", *columns], rows)
