"""Sums by fine bins of confidence."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from jimb import _checks, _pairs
from jimb._exports import exported
from jimb._typing import Array, Float
from jimb.metrics._compiled import compiled

_MOST_BINS = 2**24  # all of which a float32 tells apart


@exported
class CalibrationState(NamedTuple):
    """Sums over the examples of each bin of confidence, `[4, B]`, in pairs of float32.

    Rows are the weight, and what the weight is multiplied by: the confidence, whether the
    prediction is right, and the Brier score. Leaf by leaf, as under `jax.lax.psum`, n of them add
    up to n · 6e-8 of a sum; `merge` keeps all digits.

    Attributes:
      high: float32, the sums.
      low: float32, what they lack below their rounding.
    """

    high: Float[Array, "4 B"]
    low: Float[Array, "4 B"]


def init(num_bins: int) -> CalibrationState:
    """Sums of nothing yet.

    Args:
      num_bins: B, the fine bins, of which those of the measures are made: a multiple of the bins
        of one width. 3000, which are 96 kB, may be read as 10, 12, 15, 20 or 25, and tell most
        confidences apart, for bins of one weight.

    Returns:
      A `CalibrationState`.

    Raises:
      TypeError: B is not an integer.
      ValueError: B is below 1 or above 2²⁴.

    Example:
      >>> import jimb
      >>> jimb.metrics.calibration.init(3000).high.shape
      (4, 3000)
    """
    b = _checks.size("num_bins", num_bins)
    if b > _MOST_BINS:
        raise ValueError(f"num_bins must be at most 2**24, got {b}.")
    return CalibrationState(*(jnp.zeros((4, b), jnp.float32) for _ in range(2)))


def merge(left: CalibrationState, right: CalibrationState) -> CalibrationState:
    """The sums of two disjoint sets of examples together.

    Args:
      left: a state.
      right: another, of the same bins.

    Returns:
      Their sum, to 2⁻⁴⁴ of it.

    Raises:
      TypeError: one is not a state.
      ValueError: the numbers of bins differ.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.metrics import calibration
      >>> one = calibration.CalibrationState(jnp.ones((4, 2)), jnp.zeros((4, 2)))
      >>> print(calibration.merge(one, one).high[0])
      [2. 2.]
    """
    bins = bins_of("left", left)
    if bins_of("right", right) != bins:
        raise ValueError(f"right must have the {bins} bins of left, got {bins_of('right', right)}.")
    return CalibrationState(*compiled(_pairs.add)((left.high, left.low), (right.high, right.low)))


def bins_of(name: str, state: Any) -> int:
    """B; raises unless it is a state."""
    if not isinstance(state, CalibrationState):
        raise TypeError(
            f"{name} must be a CalibrationState, got {_checks.named(state)}; make it by "
            "metrics.calibration.init(num_bins)."
        )
    high, low = state
    if high.ndim != 2 or high.shape[0] != 4 or high.shape[1] == 0 or low.shape != high.shape:
        raise ValueError(
            f"{name} must hold sums [4, B] twice, got {_checks.named(high)} and "
            f"{_checks.named(low)}."
        )
    return int(high.shape[1])
