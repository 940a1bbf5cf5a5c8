"""Confusion counts as a pytree of sums."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _clock
from jimb._exports import exported
from jimb._typing import Array, Float, Integer
from jimb.metrics._state import State


class _Fields(NamedTuple):
    counts: Integer[Array, "K K"]
    rough: Float[Array, "K K"]


@exported
class ConfusionState(State, _clock.Hands, _Fields):
    """Confusion counts `[K, K]`, exact up to 2⁵³: row the true class, column the predicted one.

    `ConfusionState(counts)` makes one of a matrix that is known, another library's or an older
    state's. `counting.to_numpy` has the exact counts at any size. States add up leaf by leaf, under
    `jax.lax.psum` too, as long as n of them hold no more than 2⁵⁵ / n examples of a cell.

    Attributes:
      counts: int32, the number itself below 2³¹, modulo 2³² beyond.
      rough: float32, the same number rounded; NaN, for good, beyond 2⁵³.
    """

    __slots__ = ()

    def __new__(cls, counts: Any, rough: Any = None) -> "ConfusionState":
        """Both hands; the second may be left out where `counts` are plain counts."""
        return super().__new__(cls, *_clock.hands(counts, rough))


def init(num_classes: int) -> ConfusionState:
    """Counts of nothing yet; of many classes take `init_tally`, which is not K × K.

    Where examples have weights, take `init_weighted`.

    Args:
      num_classes: K.

    Returns:
      A `ConfusionState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1, or K² is not below 2³¹.

    Example:
      >>> import jimb
      >>> jimb.metrics.init(3).counts.shape
      (3, 3)
    """
    k = _checks.size("num_classes", num_classes)
    _checks.size("num_classes ** 2, the number of cells,", k * k)
    return ConfusionState(jnp.zeros((k, k), jnp.int32), jnp.zeros((k, k), jnp.float32))


def matrix(name: str, state: Any) -> Array | np.ndarray:
    """The hand that is exact; a state may have been made from another library's matrix."""
    if not isinstance(state, ConfusionState):
        raise TypeError(
            f"{name} must be a ConfusionState, or a TallyState, got {_checks.named(state)}; count "
            "predictions by metrics.update(metrics.init(K), predictions, labels), or make a state "
            "of a matrix [K, K], rows true, by metrics.ConfusionState(matrix)."
        )
    counts: Array | np.ndarray = state.counts
    if getattr(counts, "dtype", None) != jnp.int32 or state.rough.dtype != jnp.float32:
        raise TypeError(f"{name}.counts must be integers, got {_checks.named(counts)}; cast them.")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"{name}.counts must be [K, K], got {_checks.describe(counts)}.")
    return counts
