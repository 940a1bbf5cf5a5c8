"""Geometric means of recalls."""

import jax.numpy as jnp
import numpy as np

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array, ArrayLike, Float
from jimb.metrics._logarithm import log
from jimb.metrics._numbers import scalar_pair
from jimb.metrics._specificity import negatives, true_negatives
from jimb.metrics._state import State
from jimb.metrics._sums import Fraction, Totals, mean, quotient, rounded, share, some, totals

_TINY = float(np.finfo(np.float32).tiny)


def geometric_mean(state: State, *, correction: ArrayLike = 0.0) -> Float[Array, ""]:
    r"""The geometric mean of the recalls, `(Π_c R_c)^(1/K)`, over the classes that have examples.

    It is 0 as soon as one class is never predicted right, unless a `correction` stands for that
    recall. Of two classes it is `√(sensitivity · specificity)`; of one class against all others see
    `per_class_geometric_mean`.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      correction: in [0, 1], in the place of a recall of 0, as in imbalanced-learn; 1e-3 for
        example. A scalar; may be traced.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally, or the correction lies outside
        [0, 1] or is no scalar. Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> predictions, labels = jnp.array([0, 1, 1, 1, 1]), jnp.array([0, 0, 0, 0, 1])
      >>> print(jimb.metrics.geometric_mean(jimb.metrics.update(state, predictions, labels)))
      0.5
      >>> missed = jimb.metrics.update(state, jnp.array([0, 0]), jnp.array([0, 1]))
      >>> print(jimb.metrics.geometric_mean(missed, correction=0.01))
      0.1

    Reference:
      Kubat and Matwin, Addressing the Curse of Imbalanced Training Sets, ICML 1997.
    """
    t = totals(state)
    instead = scalar_pair("correction", correction, 0.0, 1.0)
    zero = instead[0] < _TINY
    one = jnp.float32(1), jnp.float32(0)
    high, low = quotient((one, instead))
    lacking = jnp.where(zero, one[0], high), jnp.where(zero, one[1], low)
    value = geometric(t, quotient(log_mean(t, lacking)), zero)
    return jnp.where(jnp.isnan(instead[0]), jnp.nan, rounded(t, value, of=t.total))


def per_class_geometric_mean(state: State) -> Float[Array, " K"]:
    r"""The geometric mean of sensitivity and specificity of each class against all others.

    `√(R_c S_c)`, with `per_class_recall` and `per_class_specificity`.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      Geometric means `[K]` in [0, 1], float32; NaN for a class without examples, and for one that
      has all.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> labels, predictions = jnp.array([0, 0, 0, 0, 1]), jnp.array([0, 1, 1, 1, 1])
      >>> state = jimb.metrics.update(state, predictions, labels)
      >>> print(jimb.metrics.per_class_geometric_mean(state))
      [0.5 0.5 nan]

    Reference:
      Kubat and Matwin, ICML 1997.
    """
    t = totals(state)
    recalls = quotient(share(t.hits, t.examples))
    specificities = quotient(share(true_negatives(t), negatives(t)))
    values = rounded(t, _pairs.sqrt(_pairs.multiply(recalls, specificities)), of=t.examples)
    return jnp.where(some(negatives(t)), values, jnp.nan)


def log_mean(t: Totals, missed: Pair | None = None) -> Fraction:
    """The mean of `-log R_c` over the classes that have examples; of `1 / R_c = missed` for 0."""
    known = some(t.hits)
    first, second = missed or (1, 0)
    high, low = quotient(share(t.examples, t.hits))
    return mean(
        log((jnp.where(known, high, first), jnp.where(known, low, second))), some(t.examples)
    )


def geometric(t: Totals, log_mean: Pair, zero: Array | bool = True) -> Pair:
    """The geometric mean from that of the logarithms; 0 if a class is missed and `zero` says so."""
    high, low = _pairs.exp((-log_mean[0], -log_mean[1]))
    return jnp.where(jnp.any(some(t.examples) & ~some(t.hits)) & zero, 0, high), low
