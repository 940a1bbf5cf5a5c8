"""The one reduction: a weighted mean that says by what it divides."""

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._numerics import compute_dtype, weigh
from jimb._typing import Array, ArrayLike, Float


def _leading(name: str, array: Array, values: Array) -> Array:
    """`array` with trailing axes of size 1 up to the rank of `values`, whose leading part it is."""
    if array.shape != values.shape[: array.ndim]:
        raise ValueError(
            f"{name} must have the shape of values, {list(values.shape)}, or a leading part of it, "
            f"got {_checks.describe(array)}."
        )
    return array.reshape(array.shape + (1,) * (values.ndim - array.ndim))


def weighted_mean(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
    normalizer: ArrayLike | None = None,
    axis_name: str | tuple[str, ...] | None = None,
) -> Float[Array, ""]:
    r"""The mean `Σ m·w·v / Σ m·w` over all elements, `m` the mask.

    A weight of exactly 0, or `where=False`, excludes an element: its value and its gradient, even
    if it is NaN. If nothing is left the mean is 0, with zero gradient.

    To accumulate micro-batches, add sums, not means: call with `normalizer=1` (and once more on
    the weights), and divide at the end. See the second example.

    Args:
      values: numbers to average, usually the losses of a batch, any shape.
      weights: non-negative, of the shape of `values` or a leading part of it: `[B]` for values
        `[B, K]` weighs rows, and the mean still divides by elements. None means 1.
      where: booleans, shaped like `weights` may be.
      normalizer: a scalar to divide by in place of `Σ m·w`. Detectors pass
        `jnp.maximum(num_positives, 1)`. A normalizer of 0 gives inf or NaN, not a silent 0.
      axis_name: a mesh axis (or several) of `jax.shard_map`. Numerator and denominator, a local
        normalizer too, are summed over it; value and gradient equal those of the unsharded call
        (a gradient taken inside needs `check_vma`, the default).

    Returns:
      A float32 scalar (float64 for float64 values), accumulated in that precision.

    Raises:
      TypeError: values are not floating point, or `where` is not boolean.
      ValueError: a shape is no leading part of that of `values`, `normalizer` is no scalar, or a
        Python or NumPy weight is negative. A traced negative weight gives NaN.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> losses, weights = jnp.array([1.0, 3.0, jnp.nan]), jnp.array([1.0, 3.0, 0.0])
      >>> print(jimb.weighted_mean(losses, weights))
      2.5

      Two micro-batches of unequal weight, added up to the same mean:

      >>> sums = [jimb.weighted_mean(losses[i], weights[i], normalizer=1) for i in (0, 1)]
      >>> print(sum(sums) / weights.sum())
      2.5
    """
    values = _checks.floating("values", values)
    dtype = compute_dtype(values)
    # Guard the inputs: a NaN value or weight behind the mask must not reach a product.
    kept = values.astype(dtype)
    elements = jnp.ones((), dtype)
    if where is not None:
        mask = _leading("where", _checks.boolean("where", where), values)
        kept, elements = jnp.where(mask, kept, 0), mask.astype(dtype)
    if weights is not None:
        checked = _checks.bounded("weights", weights, 0.0, dtype=dtype)
        weight = _leading("weights", checked, values)
        elements = weight if where is None else jnp.where(mask, weight, 0)
        kept = weigh(jnp.broadcast_to(elements, values.shape), kept)
    elements = jnp.broadcast_to(elements, values.shape)
    numerator, left = jnp.sum(kept), jnp.sum(elements != 0)
    if normalizer is None:
        denominator = jnp.sum(elements)
    else:
        denominator = jnp.asarray(normalizer).astype(dtype)
        if denominator.ndim != 0:
            raise ValueError(f"normalizer must be a scalar, got {_checks.describe(denominator)}.")
    if axis_name is not None:
        numerator, denominator, left = jax.lax.psum((numerator, denominator, left), axis_name)
    return jnp.where(left > 0, numerator / jnp.where(left > 0, denominator, 1), 0)
