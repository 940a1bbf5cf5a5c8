"""Which rows are trained on and judged: five folds, and inside each a split to choose by."""

from typing import NamedTuple

import numpy as np

FOLDS = 5
INNER, OUTER = 0, 1  # to choose, and to report
INNER_SHARE = 0.25  # of the training rows of a fold, to choose by


class Divisions(NamedTuple):
    """Rows `[FOLDS, 2, N]`; the second axis is INNER and OUTER."""

    trained: np.ndarray
    judged: np.ndarray


def divide(labels: np.ndarray, seed: int) -> Divisions:
    """Stratified folds; what is judged INNER is part of what is trained on OUTER.

    Both classes are trained on and judged everywhere, if each has five rows.
    """
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), int)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        fold[rows] = (np.arange(len(rows)) + rng.integers(FOLDS)) % FOLDS
    trained = np.zeros((FOLDS, 2, len(labels)), bool)
    judged = np.zeros_like(trained)
    for k in range(FOLDS):
        judged[k, OUTER], trained[k, OUTER] = fold == k, fold != k
        judged[k, INNER] = inner_part(labels, fold != k, rng)
        trained[k, INNER] = trained[k, OUTER] & ~judged[k, INNER]
    return Divisions(trained, judged)


def inner_part(labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of these rows of each class, rounded, and at least one."""
    chosen = np.zeros(len(labels), bool)
    for label in (0, 1):
        found = rng.permutation(np.flatnonzero(rows & (labels == label)))
        chosen[found[: max(1, round(INNER_SHARE * len(found)))]] = True
    return chosen
