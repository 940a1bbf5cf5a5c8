"""Calibration errors, and the points of a reliability diagram, read of the sums."""

from typing import NamedTuple

import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._pairs import Pair
from jimb._typing import Array, Float
from jimb.metrics.calibration import _coarse
from jimb.metrics.calibration._state import CalibrationState, bins_of


@exported
class CalibrationMeasures(NamedTuple):
    """What `compute` reads of the sums, float32 scalars.

    Attributes:
      ece: the expected calibration error, of bins of one width.
      mce: the largest error of such a bin.
      equal_mass_ece: the expected calibration error of bins of one weight, as if a fine bin's
        examples were alike.
      equal_mass_ece_error: that of the confidences themselves lies no further away.
      brier: the mean Brier score.
    """

    ece: Float[Array, ""]
    mce: Float[Array, ""]
    equal_mass_ece: Float[Array, ""]
    equal_mass_ece_error: Float[Array, ""]
    brier: Float[Array, ""]


@exported
class Reliability(NamedTuple):
    """The points of a reliability diagram, `[M]` each; NaN where a bin is empty.

    Attributes:
      confidence: the mean of the bin.
      accuracy: how often its predictions are right; with `binary`, the share of positives.
      weight: that of its examples, their number where they have no weights.
    """

    confidence: Float[Array, " M"]
    accuracy: Float[Array, " M"]
    weight: Float[Array, " M"]


def compute(state: CalibrationState, *, num_bins: int = 15) -> CalibrationMeasures:
    r"""Calibration errors of M bins, `Σ_m (n_m / n) |acc_m - conf_m|`, and the mean Brier score.

    Of bins of one width they are exact, for each is made of whole fine bins. Bins of one weight,
    each 1 / M of all, are cut inside of fine bins, whose examples are taken for alike: a part of m
    and the rest of a fine bin that weighs `m + r`, both as shares of all, move the error by at most
    `2 m r / (m + r) · (1 + 1 / B)`. Of equal confidences it allows for every order.

    Args:
      state: a `CalibrationState`.
      num_bins: M, which divides B.

    Returns:
      `CalibrationMeasures`, within 1e-7 of their definition, `equal_mass_ece` within its error. NaN
      where nothing was counted.

    Raises:
      TypeError: not a state, or M is not an integer.
      ValueError: M does not divide B.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.metrics import calibration
      >>> p, labels = jnp.array([0.125, 0.375, 0.625, 0.875]), jnp.array([0, 1, 0, 1])
      >>> state = calibration.update(calibration.init(300), p, labels, binary=True)
      >>> found = calibration.compute(state, num_bins=2)
      >>> print(found.ece, found.mce, found.brier)
      0.25 0.25 0.203125
      >>> print(f"{found.equal_mass_ece:.3f} ± {found.equal_mass_ece_error:.3f}")
      0.250 ± 0.000

    Reference:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017, whose bins have their upper
      ends; bins of one weight: Nixon et al., Measuring Calibration in Deep Learning, CVPR Workshops
      2019.
    """
    return CalibrationMeasures(*_coarse.measures(*_parts(state, num_bins)))


def reliability(
    state: CalibrationState, *, num_bins: int = 15, equal_mass: bool = False
) -> Reliability:
    r"""The points of a reliability diagram: accuracy by confidence, which calibrated are equal.

    Args:
      state: a `CalibrationState`.
      num_bins: M, which divides B.
      equal_mass: bins of one weight each, in place of one width; cut as `compute` says.

    Returns:
      `Reliability`, from the lowest confidence up; of bins of one weight within M · 1.5e-7.

    Raises:
      TypeError: not a state, or M is not an integer.
      ValueError: M does not divide B.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.metrics import calibration
      >>> p, labels = jnp.array([0.125, 0.375, 0.625, 0.875]), jnp.array([0, 1, 0, 1])
      >>> state = calibration.update(calibration.init(300), p, labels, binary=True)
      >>> for row in zip(*calibration.reliability(state, num_bins=2)):
      ...     print("confidence {:.2f}, accuracy {:.2f}, {:.0f} examples".format(*row))
      confidence 0.25, accuracy 0.50, 2 examples
      confidence 0.75, accuracy 0.50, 2 examples

    Reference:
      Niculescu-Mizil and Caruana, Predicting Good Probabilities with Supervised Learning, ICML
      2005.
    """
    points = _coarse.by_mass if equal_mass else _coarse.by_width
    return Reliability(*points(*_parts(state, num_bins)))


def _parts(state: CalibrationState, num_bins: int) -> tuple[Pair, int]:
    bins, m = bins_of("state", state), _checks.size("num_bins", num_bins)
    if bins % m:
        raise ValueError(f"num_bins must divide the {bins} bins of the state, got {m}.")
    return (jnp.asarray(state.high), jnp.asarray(state.low)), m
