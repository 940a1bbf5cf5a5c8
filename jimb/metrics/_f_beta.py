"""F-measures that value recall and precision differently."""

import jax.numpy as jnp

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array, ArrayLike, Float
from jimb.metrics import _integers
from jimb.metrics._compiled import compiled
from jimb.metrics._numbers import scalar_pair
from jimb.metrics._per_class import both, of_one_class
from jimb.metrics._state import State
from jimb.metrics._sums import Totals, mean, quotient, rounded, some, totals
from jimb.metrics._tally import num_classes_of


def per_class_f_beta(state: State, beta: ArrayLike) -> Float[Array, " K"]:
    r"""F-β of each class, `(1 + β²) P R / (β² P + R)`, in which recall counts β times as much.

    That is `(1 + β²) TP / ((1 + β²) TP + β² FN + FP)`: precision at β = 0, F1 at 1, recall as β
    grows.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      beta: in [0, inf], a scalar; may be traced.

    Returns:
      F-β `[K]` in [0, 1], float32; NaN for a class with neither examples nor predictions.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally; β is negative or no scalar.
        Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.per_class_f_beta(state, 2.0))
      [0.71428573 0.8333333         nan]

    Reference:
      van Rijsbergen, Information Retrieval, 1979.
    """
    t = totals(state)
    return rounded(t, _f_betas(t, beta), of=both(t))


def macro_f_beta(state: State, beta: ArrayLike) -> Float[Array, ""]:
    r"""The mean of `per_class_f_beta` over the classes that have examples or predictions.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      beta: in [0, inf], a scalar; may be traced.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally; β is negative or no scalar.
        Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.macro_f_beta(state, 0.5))
      0.7323232
    """
    t = totals(state)
    return rounded(t, quotient(mean(_f_betas(t, beta), some(both(t)))), of=t.total)


def f_beta(state: State, beta: ArrayLike, *, positive: ArrayLike = 1) -> Float[Array, "*any"]:
    r"""F-β of one class, for detection: `(1 + β²) TP / ((1 + β²) TP + β² FN + FP)`.

    Args:
      state: a `ConfusionState` or a `TallyState`.
      beta: in [0, inf], a scalar; above 1 where a miss is worse than a false alarm. May be traced.
      positive: the class, 1 of two if left out; may be traced.

    Returns:
      A float32 scalar in [0, 1]; NaN if the class has neither examples nor predictions.

    Raises:
      TypeError: not a state, or its counts or `positive` are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally, `positive` lies outside [0, K),
        or β is negative or no scalar. Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.f_beta(state, 2.0))
      0.8333333
    """
    num_classes_of("state", state)
    return of_one_class(per_class_f_beta(state, beta), positive, "per_class_f_beta")


def _f_betas(t: Totals, beta: ArrayLike) -> Pair:
    """`TP / (a · examples + (1 - a) · predictions)`, with `a = β² / (1 + β²)`, also of large β."""
    return _weighed(t, scalar_pair("beta", beta, 0.0, finite=False))


@compiled
def _weighed(t: Totals, b: Pair) -> Pair:
    one = jnp.float32(1), jnp.float32(0)
    above, infinite = b[0] > 1, jnp.isinf(b[0])
    inverse = _either(infinite, (one[1], one[1]), quotient((one, _either(infinite, one, b))))
    ratio = _either(above, inverse, b)
    square = _pairs.multiply(ratio, ratio)
    whole = _pairs.add(square, one)  # not the other way round: of `1 + x - 1` XLA makes x
    less, more = quotient((square, whole)), quotient((one, whole))
    of_recall, of_precision = _either(above, more, less), _either(above, less, more)
    examples = _pairs.multiply(of_recall, _integers.to_pair(t.examples))
    predictions = _pairs.multiply(of_precision, _integers.to_pair(t.predictions))
    return quotient((_integers.to_pair(t.hits), _pairs.add(examples, predictions)))


def _either(condition: Array, this: Pair, that: Pair) -> Pair:
    return jnp.where(condition, this[0], that[0]), jnp.where(condition, this[1], that[1])
