"""One number for all classes, and all numbers at once."""

from typing import NamedTuple

import jax.numpy as jnp

from jimb import _pairs
from jimb._exports import exported
from jimb._pairs import Pair
from jimb._typing import Array, Float
from jimb.metrics import _integers
from jimb.metrics._geometric import geometric, log_mean
from jimb.metrics._matthews import correlation
from jimb.metrics._per_class import both, per_class
from jimb.metrics._state import State
from jimb.metrics._sums import (
    Fraction,
    Totals,
    mean,
    quotient,
    quotients,
    rounded,
    share,
    some,
    totals,
)


@exported
class Measures(NamedTuple):
    """What `compute` reads of a state, float32: five scalars, and `[K]` three times.

    Attributes:
      accuracy: the share of all examples predicted right.
      balanced_accuracy: the mean recall of the classes.
      geometric_mean: the geometric mean of their recalls.
      macro_f1: the mean F1 of the classes.
      matthews_correlation: the correlation of labels and predictions.
      per_class_recall: the share of each class predicted right.
      per_class_precision: the share right of what was predicted as each class.
      per_class_f1: the harmonic mean of both.
    """

    accuracy: Float[Array, ""]
    balanced_accuracy: Float[Array, ""]
    geometric_mean: Float[Array, ""]
    macro_f1: Float[Array, ""]
    matthews_correlation: Float[Array, ""]
    per_class_recall: Float[Array, " K"]
    per_class_precision: Float[Array, " K"]
    per_class_f1: Float[Array, " K"]


def compute(state: State) -> Measures:
    """The common measures of a state at once; each as the function of its name has it.

    Sums are exact integers and quotients are rounded once: of any K and any counts, each measure
    lies within 1e-7 of its definition.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      `Measures`, float32. NaN stands for a class without examples (in `per_class_recall`), for one
      with neither examples nor predictions (in the other two), and for everything where there are
      no examples at all or a count went beyond 2⁵³.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 0, 1]), jnp.array([0, 0, 1, 1]))
      >>> measures = jimb.metrics.compute(state)
      >>> print(measures.accuracy, measures.per_class_recall)
      0.75 [1.  0.5]
    """
    t = totals(state)
    recalls, precisions, f1s = per_class(t)
    overall = _accuracy(t), _balanced(t, recalls), _macro_f1(t, f1s), correlation(t), log_mean(t)
    accuracy, balanced, macro_f1, matthews, logarithm = quotients(*overall)
    return Measures(
        accuracy=rounded(t, accuracy, of=t.total),
        balanced_accuracy=rounded(t, balanced, of=t.total),
        geometric_mean=rounded(t, geometric(t, logarithm), of=t.total),
        macro_f1=rounded(t, macro_f1, of=t.total),
        matthews_correlation=rounded(t, matthews, of=t.total),
        per_class_recall=rounded(t, recalls, of=t.examples),
        per_class_precision=rounded(t, precisions, of=both(t)),
        per_class_f1=rounded(t, f1s, of=both(t)),
    )


def accuracy(state: State) -> Float[Array, ""]:
    r"""The share of all examples that was predicted right, `Σ_c C_cc / Σ_ij C_ij`.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.accuracy(state))
      0.75
    """
    t = totals(state)
    return rounded(t, quotient(_accuracy(t)), of=t.total)


def balanced_accuracy(state: State, *, adjusted: bool = False) -> Float[Array, ""]:
    r"""The mean recall over the classes that have examples.

    Adjusted for chance it is `(b - 1/K) / (1 - 1/K)`, with K the number of these classes: 1 where
    all is right, and 0 on average where predictions know nothing of the labels.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      adjusted: whether to adjust for chance.

    Returns:
      A float32 scalar in [0, 1], in [-1, 1] if adjusted; NaN if there are no examples, or, if
      adjusted, of one class only.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(jimb.metrics.balanced_accuracy(state))
      0.75
      >>> print(jimb.metrics.balanced_accuracy(state, adjusted=True))
      0.5

    Reference:
      Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010.
    """
    t = totals(state)
    total, classes = _balanced(t, quotient(share(t.hits, t.examples)))
    if not adjusted:
        return rounded(t, quotient((total, classes)), of=t.total)
    one = jnp.float32(1), jnp.float32(0)
    above = quotient((_pairs.subtract(total, one), _pairs.subtract(classes, one)))
    return jnp.where(classes[0] > 1, rounded(t, above, of=t.total), jnp.nan)


def macro_f1(state: State) -> Float[Array, ""]:
    r"""The mean of `per_class_f1` over the classes that have examples or predictions.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.macro_f1(state))
      0.73333335
    """
    t = totals(state)
    f1s = quotient(share(_integers.add(t.hits, t.hits), both(t)))
    return rounded(t, quotient(_macro_f1(t, f1s)), of=t.total)


def matthews_correlation(state: State) -> Float[Array, ""]:
    r"""The correlation of labels and predictions; of K classes, Gorodkin's R_K.

    `(Σ_c TP_c TN_c - Σ_c FP_c FN_c) / √(Σ_c t_c (s - t_c) · Σ_c p_c (s - p_c))`, with t_c the
    examples of a class, p_c its predictions and s all examples. Of two classes it is
    `(TP·TN - FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN))`.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      A float32 scalar in [-1, 1]; 0 if all examples, or all predictions, are of one class, NaN if
      there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 0, 1]), jnp.array([0, 0, 1, 1]))
      >>> print(jimb.metrics.matthews_correlation(state))
      0.57735026

    Reference:
      Matthews, BBA Protein Structure 405, 1975. Gorodkin, Comparing Two K-Category Assignments by
      a K-Category Correlation Coefficient, 2004.
    """
    t = totals(state)
    return rounded(t, quotient(correlation(t)), of=t.total)


def _accuracy(t: Totals) -> Fraction:
    return share(_integers.total(t.hits, 0), t.total)


def _balanced(t: Totals, recalls: Pair) -> Fraction:
    return mean(recalls, some(t.examples))


def _macro_f1(t: Totals, f1s: Pair) -> Fraction:
    return mean(f1s, some(both(t)))
