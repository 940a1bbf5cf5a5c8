"""Which of its numbers a method takes: by the inner part of each fold, never by the test fold."""

from typing import NamedTuple

import numpy as np

from examples.keel.folds import INNER, OUTER
from examples.keel.measures import MEASURES
from examples.keel.methods import Method

CRITERION = MEASURES.index("balanced accuracy")


class Chosen(NamedTuple):
    """Of one method, in each fold of `T` data sets."""

    positions: np.ndarray  # [T, FOLDS], in the method's grid
    tied: np.ndarray  # [T, FOLDS], whether others were as good on the inner part
    test: np.ndarray  # [T, FOLDS, M], of the test fold


def choose(measures: np.ndarray) -> Chosen:
    """The best on the inner part of measures `[T, FOLDS, 2, C, M]`; of equal ones the first."""
    inner = measures[:, :, INNER, :, CRITERION]
    positions = inner.argmax(-1)
    tied = (inner == inner.max(-1, keepdims=True)).sum(-1) > 1
    test = np.take_along_axis(measures[:, :, OUTER], positions[:, :, None, None], 2)[:, :, 0]
    return Chosen(positions, tied, test)


def split(measures: np.ndarray, methods: tuple[Method, ...]) -> dict[str, Chosen]:
    """What each method chose, by its name.

    Args:
      measures: `[T, FOLDS, 2, C, M]`, of all numbers of these methods in order.
      methods: those that were trained together.
    """
    found, start = {}, 0
    for method in methods:
        found[method.name] = choose(measures[..., start : start + len(method.grid), :])
        start += len(method.grid)
    return found
