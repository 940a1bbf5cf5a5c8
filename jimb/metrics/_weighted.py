"""Confusion and tally as sums of weights, in pairs of float32."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._typing import Array, Float
from jimb.metrics._state import State


class _Cells(NamedTuple):
    high: Float[Array, "K K"]
    low: Float[Array, "K K"]


class _Sums(NamedTuple):
    high: Float[Array, "3 K"]
    low: Float[Array, "3 K"]


@exported
class WeightedConfusionState(State, _Cells):
    """A `ConfusionState` of weights `[K, K]`: row the true class, column the predicted one.

    Leaf by leaf, as under `jax.lax.psum`, n of them add up to n · 6e-8 of a cell; `merge` keeps
    all digits.

    Attributes:
      high: float32, the sums.
      low: float32, what they lack below their rounding.
    """

    __slots__ = ()


@exported
class WeightedTallyState(State, _Sums):
    """A `TallyState` of weights `[3, K]`: of hits, of examples and of predictions.

    Leaf by leaf, as under `jax.lax.psum`, n of them add up to n · 6e-8 of a sum; `merge` keeps all
    digits.

    Attributes:
      high: float32, the sums.
      low: float32, what they lack below their rounding.
    """

    __slots__ = ()


def init_weighted(num_classes: int) -> WeightedConfusionState:
    """Sums of weights of nothing yet; `init` counts whole examples, exactly.

    All measures read it. Of a batch each weight is taken to 2⁻⁶⁰ of the largest, and summed
    exactly, in any order to the same bits; batches are added to 2⁻⁴⁴ of the sum. The measures lie
    within 1e-7 of their definition as long as a class weighs more than 1e-6 of all. Sums end at
    3e38.

    Args:
      num_classes: K.

    Returns:
      A `WeightedConfusionState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1, or K² is not below 2³¹.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init_weighted(2)
      >>> labels, predictions = jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 1, 1])
      >>> weights = jnp.array([1.0, 0.5, 2.0, 0.0])
      >>> state = jimb.metrics.update(state, predictions, labels, weights=weights)
      >>> print(state.high, jimb.metrics.accuracy(state))
      [[1.  0.5]
       [0.  2. ]] 0.85714287
    """
    k = _checks.size("num_classes", num_classes)
    _checks.size("num_classes ** 2, the number of cells,", k * k)
    return WeightedConfusionState(*(jnp.zeros((k, k), jnp.float32) for _ in range(2)))


def init_weighted_tally(num_classes: int) -> WeightedTallyState:
    """Sums of weights of nothing yet, for many classes: three numbers per class, not K.

    All measures but `expected_cost` read it, as exactly as `init_weighted` says.

    Args:
      num_classes: K.

    Returns:
      A `WeightedTallyState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1, or not below 2³¹.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init_weighted_tally(1_000_000)
      >>> labels, predictions = jnp.array([7, 7, 999_999]), jnp.array([7, 3, 999_999])
      >>> weights = jnp.array([1.0, 3.0, 1.0])
      >>> state = jimb.metrics.update(state, predictions, labels, weights=weights)
      >>> print(jimb.metrics.balanced_accuracy(state))
      0.625
    """
    k = _checks.size("num_classes", num_classes)
    return WeightedTallyState(*(jnp.zeros((3, k), jnp.float32) for _ in range(2)))


def num_classes(name: str, state: WeightedConfusionState | WeightedTallyState) -> int:
    """K; raises unless both leaves have the shape of the state."""
    high: Any
    high, low = state
    k = high.shape[-1] if getattr(high, "ndim", 0) == 2 else 0
    tally = isinstance(state, WeightedTallyState)
    shape = (3 if tally else k, k)
    if k == 0 or high.shape != shape or low.shape != shape:
        raise ValueError(
            f"{name} must hold sums {'[3, K]' if tally else '[K, K]'} twice, got "
            f"{_checks.named(high)} and {_checks.named(low)}."
        )
    return int(k)
