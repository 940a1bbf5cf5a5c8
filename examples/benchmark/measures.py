"""The numbers of a task: recalls, and paired differences to cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from examples.benchmark.results import Result
from examples.benchmark.task import Spec
from examples.report import paired


class Outcome(NamedTuple):
    """All methods on one task."""

    task: str
    spec: Spec
    counts: np.ndarray  # [K], of every training set
    class_of_group: np.ndarray  # [G]
    results: dict[str, Result]
    left_out: dict[str, str]  # methods without a meaning here, and why
    seed: int


Measure = Callable[[np.ndarray], np.ndarray]  # confusion [S, G, K] -> a share of 1, [S]


def differences(outcome: Outcome) -> dict[str, tuple[float, float]]:
    """Of every method but the baseline: the difference in the first column, and its error."""
    measure = next(iter(measures(outcome).values()))
    (_, first), *others = outcome.results.items()
    baseline = measure(first.confusion)
    return {name: paired.difference(measure(each.confusion), baseline) for name, each in others}


def measures(outcome: Outcome) -> dict[str, Measure]:
    """The columns of a task's table; the first is the mean recall of all groups."""

    def mean_of(chosen: np.ndarray) -> Measure:
        return lambda confusion: recalls(outcome, confusion)[:, chosen].mean(1)

    def precision(confusion: np.ndarray) -> np.ndarray:
        alarms, hits = confusion[:, :, 1].sum(1), confusion[:, 1, 1]
        return np.where(alarms > 0, hits / np.maximum(alarms, 1), np.nan)

    def accuracy(confusion: np.ndarray) -> np.ndarray:
        shares: np.ndarray = np.einsum("skk->s", confusion) / confusion.sum((1, 2))
        return shares

    counts, groups = outcome.counts, np.arange(len(outcome.class_of_group))
    kind = outcome.spec.columns
    if kind == "parity":
        chosen = {"mean of ten": groups, "digit 8": [8], "other even": [0, 2, 4, 6]}
        chosen["odd"] = [1, 3, 5, 7, 9]
        return {name: mean_of(np.asarray(digits)) for name, digits in chosen.items()}
    columns = {"balanced accuracy": mean_of(groups)}
    if kind == "event":
        columns |= {"recall of the event": mean_of(groups[1:]), "precision of the event": precision}
        return columns
    if kind == "thirds":
        columns["accuracy"] = accuracy
        parts = np.array_split(np.argsort(-counts, kind="stable"), 3)
    else:
        few = [counts > 100, (counts >= 20) & (counts <= 100), counts < 20]
        parts = [np.flatnonzero(part) for part in few]
    named = zip(("many", "medium", "few"), parts, strict=True)
    return columns | {name: mean_of(part) for name, part in named if len(part)}


def recalls(outcome: Outcome, confusion: np.ndarray) -> np.ndarray:
    """The share of each group's test examples that are called their class, `[S, G]`."""
    hits = confusion[:, np.arange(len(outcome.class_of_group)), outcome.class_of_group]
    shares: np.ndarray = hits / confusion.sum(-1)
    return shares
