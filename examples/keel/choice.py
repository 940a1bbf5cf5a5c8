"""Which of its numbers a method takes: by the inner part of each fold, never by the test fold."""

import numpy as np

from examples.keel.folds import INNER, OUTER
from examples.keel.measures import MEASURES
from examples.keel.methods import Method

CRITERION = "balanced accuracy"


def choose(inner: np.ndarray) -> np.ndarray:
    """Positions `[T, FOLDS]` of the best of the inner measures `[T, FOLDS, C, M]`.

    Of equal ones the first.
    """
    positions: np.ndarray = inner[..., MEASURES.index(CRITERION)].argmax(-1)
    return positions


def split(
    measures: np.ndarray, methods: tuple[Method, ...]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each method what it chose `[T, FOLDS]`, and its measures of the test folds.

    Args:
      measures: `[T, FOLDS, 2, C, M]`, of all numbers of these methods in order.
      methods: those that were trained together.

    Returns:
      Positions in the method's grid, and `[T, FOLDS, M]`, by the method's name.
    """
    found, start = {}, 0
    for method in methods:
        own = measures[..., start : start + len(method.grid), :]
        chosen = choose(own[:, :, INNER])
        place = chosen[:, :, None, None]
        test = np.take_along_axis(own[:, :, OUTER], place, 2)[:, :, 0]
        found[method.name] = chosen, test
        start += len(method.grid)
    return found
