"""Recall, precision and F1 of each class."""

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._clock import Wide
from jimb._pairs import Pair
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float
from jimb.metrics import _integers
from jimb.metrics._state import State
from jimb.metrics._sums import Totals, quotient, quotients, rounded, share, totals
from jimb.metrics._tally import num_classes_of


def both(t: Totals) -> Wide:
    """Examples and predictions together."""
    return _integers.add(t.examples, t.predictions)


def per_class(t: Totals) -> list[Pair]:
    """Recalls, precisions and F1s; 0 where there is nothing that they are of."""
    parts = t.hits, t.hits, _integers.add(t.hits, t.hits)
    return quotients(*map(share, parts, (t.examples, t.predictions, both(t))))


def per_class_recall(state: State) -> Float[Array, " K"]:
    r"""The share of each class that was predicted right, `C_cc / Σ_j C_cj`.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      Recalls `[K]` in [0, 1], float32; NaN for a class without examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(jimb.metrics.per_class_recall(state))
      [0.5 1.  nan]
    """
    t = totals(state)
    return rounded(t, quotient(share(t.hits, t.examples)), of=t.examples)


def per_class_precision(state: State) -> Float[Array, " K"]:
    r"""The share right of what was predicted as each class, `C_cc / Σ_i C_ic`.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      Precisions `[K]` in [0, 1], float32. 0 for a class that has examples and is never predicted;
      NaN for one that has neither.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 0, 0]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.per_class_precision(state))
      [0.75 0.    nan]
    """
    t = totals(state)
    return rounded(t, quotient(share(t.hits, t.predictions)), of=both(t))


def per_class_f1(state: State) -> Float[Array, " K"]:
    r"""The harmonic mean of each class's precision and recall, `2 C_cc / Σ_j (C_cj + C_jc)`.

    As a measure of the overlap of regions it is called Dice.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      F1 `[K]` in [0, 1], float32; NaN for a class with neither examples nor predictions.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.per_class_f1(state))
      [0.8        0.6666667        nan]
    """
    t = totals(state)
    f1s = quotient(share(_integers.add(t.hits, t.hits), both(t)))
    return rounded(t, f1s, of=both(t))


def f1(state: State, *, positive: ArrayLike = 1) -> Float[Array, "*any"]:
    r"""The F1 of one class, for detection: `2 TP / (2 TP + FP + FN)`.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      positive: the class, 1 of two if left out; may be traced.

    Returns:
      A float32 scalar in [0, 1]; NaN if the class has neither examples nor predictions.

    Raises:
      TypeError: not a state, or its counts or `positive` are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally, or `positive` lies outside
        [0, K). Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.f1(state))
      0.6666667
    """
    num_classes_of("state", state)
    return of_one_class(per_class_f1(state), positive, "per_class_f1")


def of_one_class(values: Float[Array, " K"], positive: ArrayLike, all_of: str) -> Array:
    """The value of one class; NaN, with a checkify message, where it is traced and outside."""
    position = _checks.integer("positive", positive)
    if position.ndim:
        raise ValueError(
            f"positive must be one class, got {_checks.describe(position)}; {all_of} has all."
        )
    sentence = f"positive must lie in [0, {values.shape[0]}), the classes"
    safe, valid = _labels.in_range(position, values.shape[0])
    if _checks.on_host(positive) and not 0 <= int(np.asarray(positive)) < values.shape[0]:
        raise ValueError(f"{sentence}, got {positive}; count from 0.")
    known = report(valid, sentence + ", got {positive}.", positive=position)
    return jnp.where(known, _labels.look_up(values, safe), jnp.nan)
