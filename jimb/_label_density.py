"""Weights of examples whose target is a number: by how rare such targets are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import laid_out_like
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float

_LARGEST = 1e37  # whose differences float32 still holds

Mask = Bool[Array, "*batch"]


def label_density_weights(
    targets: ArrayLike,
    *,
    num_bins: int,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    sigma: ArrayLike = 2.0,
    radius: int = 2,
    power: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Example weights by the smoothed density of their targets, `w_i ∝ d_{b(i)}^{-power}`.

    Label distribution smoothing, for regression: targets are counted in bins of one width, and the
    counts smoothed, `d_b = Σ_{|k| ≤ r} exp(-k² / 2σ²) n_{b+k}`, since a model learns of a target
    from its neighbours too. An empty bin weighs nothing and nothing is divided by it: the density
    at an example is at least its own count. The weights are scaled to mean 1 over the data.

    Make them once, of the whole training set. They go into `weighted_mean` or
    `sampling.epoch_plan`.

    Args:
      targets: numbers, floating point or integers, any shape; not 0 and 1, which are classes.
      num_bins: B, over `[low, high]`, the upper end in the last bin.
      low: a scalar, may be traced; a target below counts in the first bin. None is the smallest
        target.
      high: a scalar above `low`, may be traced; a target above counts in the last bin. None is the
        largest target. Integers from a to b have a bin each by `num_bins=b - a + 1, low=a - 0.5,
        high=b + 0.5`.
      sigma: σ > 0 of the Gaussian kernel, in bins; may be traced.
      radius: r, how many bins the kernel reaches to each side; 0 does not smooth.
      power: in [0, inf), a scalar; may be traced. 1 is the inverse, ½ its square root, 0 no
        weighting.
      where: booleans of the shape of targets; False leaves an example out: weight 0.

    Returns:
      Weights of the shape of targets, float32 (float64 for float64 targets under x64), 1 where all
      targets are equal. NaN, with a checkify message, for a target that is not finite (beyond
      1e37), which is not counted.

    Raises:
      TypeError: targets are no real numbers, B or r is not an integer, or `where` is not boolean.
      ValueError: B is below 1, r negative or not below B, shapes differ, host targets are not
        finite, unmasked, or `high` is not above `low`, σ is not above 0, or `power` is negative
        (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> ages = jnp.array([20.0, 21.0, 22.0, 60.0])
      >>> print(jimb.label_density_weights(ages, num_bins=8))
      [0.6666667 0.6666667 0.6666667 2.       ]
      >>> print(jimb.label_density_weights(ages, num_bins=8, radius=0, power=0.0))
      [1. 1. 1. 1.]

    Reference:
      Yang et al., Delving into Deep Imbalanced Regression, ICML 2021, with their kernel of 5 bins,
      σ = 2. Their code takes the root before it smooths, clips counts to [5, 1000], and folds the
      tails of the kernel, cut at its ends, back into it.
    """
    bins, reach = _checks.size("num_bins", num_bins), _radius(radius, num_bins)
    values, kept, wrong = _numbers(targets, where)
    sd = _checks.scalar("sigma", sigma, 0.0, dtype=values.dtype, exclusive=True)
    exponent = _checks.scalar("power", power, 0.0, dtype=values.dtype)
    start, end = _ends(values, kept, low, high)
    place = (values - start) / jnp.where(end > start, end - start, 1) * bins
    inside = jnp.clip(jnp.nan_to_num(jnp.floor(place)), 0, bins - 1).astype(jnp.int32)
    counts = _labels.class_sums(jnp.where(kept, inside, bins), jnp.int32(1), bins)
    by_bin = _weights(counts.astype(values.dtype), sd, reach, exponent)
    by_bin = jnp.where(jnp.isnan(start + end), jnp.nan, by_bin)
    return jnp.where(kept, _labels.look_up(by_bin, inside), jnp.where(wrong, jnp.nan, 0))


@jax.jit(static_argnums=2)
def _weights(counts: Float[Array, " B"], sigma: Array, radius: int, power: Array) -> Array:
    """Of each bin; their mean over the data is 1."""
    density = _smoothed(counts, sigma, radius)
    filled = counts > 0
    rarest = jnp.min(density, where=filled, initial=_LARGEST)
    weights = (rarest / jnp.where(filled, density, rarest)) ** power  # at most 1: no overflow
    total = jnp.sum(counts * weights)
    return weights * jnp.sum(counts) / jnp.where(total == 0, 1, total)


def _smoothed(
    counts: Float[Array, " B"], sigma: Float[Array, ""], radius: int
) -> Float[Array, " B"]:
    """Sums of shifted counts: a convolution would round to few digits on accelerators."""
    padded = jnp.pad(counts, radius)
    total = counts
    for k in range(1, radius + 1):
        left, right = (padded[radius + by : radius + by + counts.size] for by in (-k, k))
        total = total + jnp.exp(-((k / sigma) ** 2) / 2) * (left + right)
    return total


def _radius(radius: Any, num_bins: int) -> int:
    if not isinstance(radius, int | np.integer) or isinstance(radius, bool):
        raise TypeError(f"radius must be a Python int, because it fixes a shape, got {radius!r}.")
    if not 0 <= radius < num_bins:
        raise ValueError(f"radius must lie in [0, {num_bins}), the bins, got {radius}.")
    return int(radius)


def _numbers(targets: Any, where: Any) -> tuple[Array, Mask, Mask]:
    """Targets, 0 where they do not count; which count; and which should but are not finite."""
    array = _checks.real("targets", _checks.array_of("targets", targets))
    if array.dtype == jnp.bool_:
        raise TypeError("targets must be numbers, got booleans; of classes take class_counts.")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(jnp.float32)
    mask = _checks.mask(where, array.shape, "targets")
    values = array.astype(compute_dtype(array))
    finite = jnp.abs(values) <= _LARGEST
    asked = jnp.ones_like(finite) if mask is None else laid_out_like(mask, values)
    if _labels.on_host(targets, where):
        given = np.abs(_checks.host_numbers("targets", targets).astype(np.float64))
        bad = ~(given <= _LARGEST) & (True if where is None else np.asarray(where))
        if np.any(bad):
            raise ValueError(f"targets must be finite, got {int(np.sum(bad))} that are not.")
    fine = report(finite | ~asked, "targets must be finite; some were not, and weigh NaN.")
    kept = asked & fine
    return jnp.where(kept, values, 0), kept, asked & ~fine


def _ends(values: Array, kept: Mask, low: Any, high: Any) -> tuple[Array, Array]:
    """The range of the bins; NaN where what was given is none."""
    start = jnp.min(values, where=kept, initial=_LARGEST)
    end = jnp.max(values, where=kept, initial=-_LARGEST)
    if low is not None:
        start = _checks.scalar("low", low, -_LARGEST, _LARGEST, dtype=values.dtype)
    if high is not None:
        end = _checks.scalar("high", high, -_LARGEST, _LARGEST, dtype=values.dtype)
    if low is None or high is None:
        return start, end
    if _checks.on_host(low, high) and not np.asarray(high) > np.asarray(low):
        raise ValueError(f"high must be above low, got {high} and {low}.")
    return start, jnp.where(report(end > start, "high must be above low."), end, jnp.nan)
