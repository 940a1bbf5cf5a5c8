"""The measures of all classes as text."""

from collections.abc import Sequence

import jax
import numpy as np

from jimb.metrics._geometric import per_class_geometric_mean
from jimb.metrics._per_class import per_class_f1, per_class_precision, per_class_recall
from jimb.metrics._specificity import per_class_specificity
from jimb.metrics._state import State
from jimb.metrics._sums import totals
from jimb.metrics._tally import num_classes_of
from jimb.metrics._weighted import WeightedConfusionState, WeightedTallyState

_COLUMNS = ("precision", "recall", "specificity", "F1", "geometric", "IBA", "support")
_ALPHA = 0.1  # imbalanced-learn's weight of the difference of recall and specificity


def report(state: State, *, names: Sequence[str] | None = None) -> str:
    r"""A table of each class against all others, to print.

    Precision, recall, specificity, F1, the geometric mean of recall and specificity, the index of
    balanced accuracy `(1 + 0.1 (R_c - S_c)) R_c S_c`, and the support, the examples of the class;
    below them their means, weighted by support. The columns are those of imbalanced-learn's
    `classification_report_imbalanced`; where that has 0 for what is not defined, this has a dash,
    and leaves it out of the mean.

    Args:
      state: a `ConfusionState` or a `TallyState`; it waits for the device.
      names: of the classes; their numbers if left out.

    Returns:
      Lines of text, one per class and one below them.

    Raises:
      TypeError: not a state, or its counts are not integers; or inside `jit`.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally, or names are not K.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> labels, predictions = jnp.array([0, 0, 0, 0, 1]), jnp.array([0, 1, 0, 0, 1])
      >>> state = jimb.metrics.update(state, predictions, labels)
      >>> print(jimb.metrics.report(state, names=["common", "rare"]))
              precision recall specificity   F1 geometric  IBA support
      common       1.00   0.75        1.00 0.86      0.87 0.73       4
      rare         0.50   1.00        0.75 0.67      0.87 0.77       1
      <BLANKLINE>
      mean         0.90   0.80        0.95 0.82      0.87 0.74       5

    Reference:
      García et al., Index of Balanced Accuracy: A Performance Measure for Skewed Class
      Distributions, IbPRIA 2009.
    """
    k = num_classes_of("state", state)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(state)):
        raise TypeError("report writes text, outside jit; inside, read the measures themselves.")
    classes = [str(name) for name in (range(k) if names is None else names)]
    if len(classes) != k:
        raise ValueError(f"names must be one per class, {k}, got {len(classes)}.")
    values = _per_class(state)
    support = _support(state)
    means = [_mean(column, support) for column in values]
    rows = [[_shown(x) for x in row] for row in (*values.T, means)]
    for row, n in zip(rows, (*support, support.sum()), strict=True):
        row.append(f"{n:.6g}" if n % 1 else f"{n:.0f}")
    named = [[name, *row] for name, row in zip([*classes, "mean"], rows, strict=True)]
    lines = _aligned([["", *_COLUMNS], *named])
    return "\n".join([*lines[:-1], "", lines[-1]])


def _per_class(state: State) -> np.ndarray:
    of = (per_class_precision, per_class_recall, per_class_specificity, per_class_f1)
    precision, recall, specificity, f1 = (np.asarray(f(state), np.float64) for f in of)
    geometric = np.asarray(per_class_geometric_mean(state), np.float64)
    balanced = (1 + _ALPHA * (recall - specificity)) * recall * specificity
    return np.stack([precision, recall, specificity, f1, geometric, balanced])


def _support(state: State) -> np.ndarray:
    """The examples of each class, or their weight."""
    if isinstance(state, WeightedConfusionState | WeightedTallyState):
        sums = np.asarray(state.high, np.float64) + np.asarray(state.low, np.float64)
        weighted: np.ndarray = sums[1] if isinstance(state, WeightedTallyState) else sums.sum(1)
        return weighted
    high, low = (np.asarray(x, np.float64) for x in totals(state).examples)
    return high * 2.0**32 + low


def _mean(values: np.ndarray, support: np.ndarray) -> float:
    there = ~np.isnan(values) & (support > 0)
    return float(np.average(values[there], weights=support[there])) if there.any() else np.nan


def _shown(x: float) -> str:
    return "-" if np.isnan(x) else f"{x:.2f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [[cell.rjust(w) for cell, w in zip(row, widths, strict=True)] for row in rows]
    return [
        " ".join([row[0].ljust(widths[0]), *cells[1:]])
        for row, cells in zip(rows, right, strict=True)
    ]
