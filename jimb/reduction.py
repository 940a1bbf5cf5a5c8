"""The one reduction: a weighted mean that says by what it divides."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _axes, _checks
from jimb._numerics import compute_dtype, weigh
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float

__all__ = ["weighted_mean"]

_WEIGHTS = (
    "weights must be at least 7.9e-31 on average (float64: 1.5e-300) and sum to no more than "
    "8.5e37 (float64: 4.5e307), got a sum of {divisor}; divide them by the largest."
)
_NORMALIZER = (
    "normalizer must be positive and finite, got {divisor}; for a count that may be 0 pass "
    "min_normalizer=1."
)
_OVERFLOW = (
    "weights times values must have a finite sum, got {numerator}; divide the weights by the "
    "largest."
)


def _bounds(dtype: np.dtype[Any]) -> tuple[float, float, float]:
    """What may be divided by, so that its inverse is a normal number too; and the mean weight.

    Products that such weights lose to rounding change a mean by at most 2⁻²⁶.
    """
    tiny = float(np.finfo(dtype).tiny)
    return tiny, 1 / tiny, tiny * 2.0**26


def _leading(name: str, array: Array, values: Array) -> Array:
    """`array` with trailing axes of size 1 up to the rank of `values`, whose leading part it is."""
    if array.shape != values.shape[: array.ndim]:
        raise ValueError(
            f"{name} must have the shape of values, {list(values.shape)}, or a leading part of it, "
            f"got {_checks.describe(array)}."
        )
    return array.reshape(array.shape + (1,) * (values.ndim - array.ndim))


def _weights(value: ArrayLike, size: int, dtype: np.dtype[Any]) -> Array:
    """Non-negative weights of `size` elements; of those of the host, the sum is checked here."""
    if _checks.on_host(value):
        with _checks.numbers("weights", value), np.errstate(over="ignore"):
            host = np.asarray(value, np.float64)
            total = float(np.sum(host)) * size / max(host.size, 1)
            mean = float(np.sum(host)) / max(int(np.count_nonzero(host)), 1)
        _, high, least = _bounds(dtype)
        if total > high or 0 < mean < least:
            raise ValueError(_WEIGHTS.format(divisor=total))
    return _checks.bounded("weights", value, 0.0, dtype=dtype)


def _positive(name: str, value: ArrayLike, dtype: np.dtype[Any], *, or_zero: bool = False) -> Array:
    """A scalar to divide by; of its numbers those of the host are checked here."""
    on_host = _checks.on_host(value)
    with _checks.numbers(name, value):
        array = np.asarray(value) if on_host else jnp.asarray(value)
    if not (jnp.issubdtype(array.dtype, jnp.integer) or jnp.issubdtype(array.dtype, jnp.floating)):
        raise TypeError(f"{name} must be a number, got {value!r:.80}.")
    if array.ndim != 0:
        raise ValueError(f"{name} must be a scalar, got {_checks.describe(array)}; take its sum.")
    if not on_host:
        return jnp.asarray(array).astype(dtype)
    number, (low, high, _) = float(array), _bounds(dtype)
    if not (low <= number <= high or (or_zero and number == 0)):
        raise ValueError(
            f"{name} must be positive and finite, between {low:.2g} and {high:.2g}, got {value}; "
            "for a count that may be 0 pass max(1, count) or min_normalizer=1."
        )
    return jnp.asarray(number, dtype)


def _normalizer(
    value: ArrayLike, axes: _axes.Names, dtype: np.dtype[Any], *, or_zero: bool
) -> Array:
    """What the whole batch is divided by: summed over the axes over which it varies."""
    normalizer = _positive("normalizer", value, dtype, or_zero=or_zero)
    if not isinstance(value, jax.core.Tracer):  # a constant, the same everywhere
        return normalizer
    untold = _axes.untold(axes)
    if untold:
        raise ValueError(
            "normalizer may be that of this device or of all: in jax.pmap, in jax.vmap, and in "
            "jax.shard_map with check_vma=False JAX does not say whether it varies over "
            f"{', '.join(map(repr, untold))}. Pass normalizer=1 and divide the result yourself, by "
            "jnp.maximum(jax.lax.psum(local_count, axis_name), 1)."
        )
    checked = _checks.bounded("normalizer", normalizer, 0.0, dtype=dtype)
    return _axes.summed(checked, _axes.shared_out(normalizer, axes))  # type: ignore[no-any-return]


def _count_and_sum(
    elements: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """How many are not 0, and their sum, both in floating point, where nothing wraps."""
    if elements is None:
        size = jnp.asarray(float(math.prod(shape)), dtype)
        return size, size
    elements = jnp.broadcast_to(elements, shape)
    if elements.dtype == jnp.bool_:
        count = jnp.sum(elements, dtype=dtype)
        return count, count
    # By the bits but the sign: a processor may take a number below the smallest normal one for 0.
    bits = jax.lax.bitcast_convert_type(elements, jnp.uint32 if dtype == np.float32 else jnp.uint64)
    return jnp.sum(bits << 1 != 0, dtype=dtype), jnp.sum(elements)


def _sums(
    values: Array, weights: ArrayLike | None, where: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """`Σ m·w·v`, how many `m·w` are not 0, and `Σ m·w`, of this part of the batch."""
    dtype = compute_dtype(values)
    # Guard the inputs: a NaN value or weight behind the mask must not reach a product.
    kept, elements = values, None
    if where is not None:
        mask = _leading("where", _checks.boolean("where", where), values)
        kept, elements = jnp.where(mask, kept, 0), mask
    kept = weighed = kept.astype(dtype)
    if weights is not None:
        weight = _leading("weights", _weights(weights, values.size, dtype), values)
        elements = weight if where is None else jnp.where(mask, weight, 0)
        weighed = weigh(jnp.broadcast_to(elements, values.shape), kept)
    left, total = _count_and_sum(elements, values.shape, dtype)
    numerator = jnp.sum(weighed)
    # The condition is true and costs nothing; the check is made under `checkify`.
    counted = report(left >= 0, _OVERFLOW, check=_overflows_not, numerator=numerator, values=kept)
    return jnp.where(counted, numerator, jnp.nan), left, total


def _overflows_not(numerator: Array, values: Array) -> Array:
    return jnp.isfinite(numerator) | ~jnp.all(jnp.isfinite(values))


def _quotient(numerator: Array, left: Array, divisor: Array, *, of_weights: bool) -> Array:
    """0 where nothing is left; else NaN and a message where the divisor is out of bounds."""
    some = left > 0
    low, high, least = _bounds(divisor.dtype)
    sentence = _WEIGHTS if of_weights else _NORMALIZER
    divisor = jnp.where(some, divisor, 1)
    enough = divisor >= (left * least if of_weights else low)
    holds = report(enough & (divisor <= high), sentence, divisor=divisor)
    divisor = jnp.where(holds | (divisor == 0), divisor, jnp.nan)
    return jnp.where(some, numerator / divisor, 0)


def weighted_mean(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
    normalizer: ArrayLike | None = None,
    min_normalizer: ArrayLike | None = None,
    axis_name: str | tuple[str, ...] | None = None,
) -> Float[Array, ""]:
    r"""The mean `Σ m·w·v / Σ m·w` over all elements, `m` the mask.

    A weight of exactly 0, or `where=False`, excludes an element: its value and its gradient, even
    if it is NaN. If nothing is left the mean is 0, with zero gradient.

    A batch in parts, on several devices or one part after the other, is divided as a whole. What
    to pass, for a detector that divides by its positives, `n` in this part, or by something else:

    ====================  ================================  ============================  ==========
    divisor               `jit`, sharded arrays             `shard_map`, `axis_name=a`    `pmap` (1)
    ====================  ================================  ============================  ==========
    sum of weights        nothing                           nothing
    positives, minimum 1  `normalizer=n, min_normalizer=1`  the same                      see (2)
    a known total         `normalizer=total`                the same                      see (2)
    number of examples    `normalizer=len(x)`               `normalizer=psum(len(x), a)`  see (3)
    1, for the sum        `normalizer=1`                    the same                      see (3)
    M parts, by the mean  `normalizer=total / M`            the same                      see (2)
    ====================  ================================  ============================  ==========

    (1) `pmap` and `vmap` with an axis name, and `shard_map` with `check_vma=False`: there JAX does
    not say whether a traced `n` is of this part or of all, which raises. (2) A Python number is
    passed as it is. Else divide the sum yourself: `weighted_mean(..., normalizer=1, axis_name=a) /
    jnp.maximum(jax.lax.psum(n, a), 1)`. (3) As in `shard_map`.

    Do not pass `jnp.maximum(n, 1)` with an axis: a sum of maxima is not the maximum of the sum.

    Args:
      values: numbers to average, usually the losses of a batch, any shape.
      weights: non-negative, of the shape of `values` or a leading part of it: `[B]` for values
        `[B, K]` weighs rows, and the mean still divides by elements. None means 1. Those that are
        not 0 must be at least 7.9e-31 on average and sum to no more than 8.5e37 (in float32).
      where: booleans, shaped like `weights` may be.
      normalizer: a positive scalar to divide by in place of `Σ m·w`. A count that may be 0 needs
        `min_normalizer=1`; a Python number may be `max(1, n_pos)`.
      min_normalizer: the least number to divide by, positive. The floor comes last, after all sums.
      axis_name: an axis (or several) of `jax.shard_map`. All sums go over it. A normalizer that
        varies over it is this device's part, and summed; one that does not, such as a number of
        Python or a `jax.lax.psum` (not an `all_gather`, which varies), is that of all. Value and
        gradient equal those of the unsharded call, inside too; only in (1) a gradient that is
        taken inside needs `jax.lax.pmean` over the axis.

    Returns:
      A float32 scalar (float64 for float64 values), accumulated in that precision. With something
      left, a traced normalizer of 0 gives inf, and one that is negative or not finite NaN, as do
      traced weights that are negative, too small or too large, each with a checkify message.

    Raises:
      TypeError: values are not floating point, `where` is not boolean, or `normalizer` is no
        number.
      ValueError: a shape is no leading part of that of `values`; `normalizer` is no scalar, or may
        be of a part or of all (1); `axis_name` is no axis here; Python or NumPy weights are
        negative, too small or too large, or such a normalizer is not positive and finite.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> losses, weights = jnp.array([1.0, 3.0, jnp.nan]), jnp.array([1.0, 3.0, 0.0])
      >>> print(jimb.weighted_mean(losses, weights))
      2.5

      Two micro-batches of unequal weight, added up to the same mean:

      >>> sums = [jimb.weighted_mean(losses[i], weights[i], normalizer=1) for i in (0, 1)]
      >>> print(sum(sums) / weights.sum())
      2.5

      Two devices with a loss of 1 each, of which the first has the one positive:

      >>> mesh = jax.make_mesh((2,), ("data",))
      >>> def loss(losses, positives):
      ...     n = positives.sum()
      ...     return jimb.weighted_mean(losses, normalizer=n, min_normalizer=1, axis_name="data")
      >>> split, whole = jax.P("data"), jax.P()
      >>> loss = jax.shard_map(loss, mesh=mesh, in_specs=(split, split), out_specs=whole)
      >>> batch = jax.device_put((jnp.ones(2), jnp.array([1, 0])), jax.NamedSharding(mesh, split))
      >>> print(jax.jit(loss)(*batch))
      2.0
    """
    values = _checks.floating("values", values)
    dtype = compute_dtype(values)
    axes = _axes.mapped(axis_name)
    numerator, left, total = _sums(values, weights, where)
    shared = _axes.shared_out(numerator, axes)
    if normalizer is None:
        numerator, left, divisor = _axes.summed((numerator, left, total), shared)
    else:
        numerator, left = _axes.summed((numerator, left), shared)
        divisor = _normalizer(normalizer, axes, dtype, or_zero=min_normalizer is not None)
    if min_normalizer is not None:
        divisor = jnp.maximum(divisor, _positive("min_normalizer", min_normalizer, dtype))
    return _quotient(numerator, left, divisor, of_weights=normalizer is None)
