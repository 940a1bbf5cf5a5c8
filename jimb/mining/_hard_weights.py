"""Weights that keep the examples with the largest losses."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import replicated
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer


def hard_example_weights(
    losses: ArrayLike,
    *,
    keep: ArrayLike,
    where: ArrayLike | None = None,
    group: ArrayLike | None = None,
    floor: ArrayLike = 1,
) -> Float[Array, "*any"]:
    r"""Weight 1 for the k hardest examples, 0 for all others: online hard example mining (OHEM).

    `k = min(n, max(keep, floor))`, with n the examples that are not masked (of the group, if there
    are groups); a fraction `keep` stands for `⌈keep · n⌉`.

    Exactly k are kept: of equal losses the earlier ones. `jimb.weighted_mean(losses, weights)` is
    then the mean over the kept; the others have no gradient, even if their loss is NaN. NaN losses
    sort last: one is kept only if all numbers of its group are, so that `keep=1.0` is the plain
    mean, NaN and all.

    Under `jit`, a batch split over a mesh (Auto or Explicit) is mined as a whole: each device sorts
    all of its losses. Inside `jax.shard_map` each device mines its own part, and k is per device;
    `weighted_mean(..., axis_name=...)` is the mean over what all of them kept.

    Args:
      losses: unreduced, any shape; mined over all axes. Use `jax.vmap` to mine each row apart.
      keep: integers are numbers of examples, floats fractions in [0, 1]: 1 keeps one example, 1.0
        all. A scalar holds for each group; `[G]` has one entry for each group id in [0, G). May be
        traced. A Python or NumPy number of more examples than there are gives a warning.
      where: booleans of the losses' shape; False leaves an example out.
      group: integers or booleans of the losses' shape. The examples of each id are mined apart:
        positives and negatives, or one image and the next. With a scalar `keep` any integers do.
      floor: at least so many are kept of each group, or all if it has fewer. `3 * num_positives`
        is 0 in a batch without positives; its hardest negative is still trained. 0 allows a group
        of which nothing is kept.

    Returns:
      float32 weights of the losses' shape, without gradient; all 0 if everything is masked. A
      group id outside [0, G), and a traced `keep` or `floor` that is negative or above 1 as a
      fraction, give NaN, with a checkify message. NaN losses that are not masked are reported: by
      a checkify message, NumPy and Python ones by a warning.

    Raises:
      TypeError: losses are not floating point, `keep` or `group` is of another kind than above,
        `floor` is no integer, or `where` is not boolean.
      ValueError: shapes differ, `keep` is `[G]` without `group`, or Python or NumPy numbers are
        out of range: `keep`, `floor`, or an unmasked group id.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> losses = jnp.array([0.4, 2.0, 0.3, 0.7, 0.9, 0.2])
      >>> print(jimb.mining.hard_example_weights(losses, keep=0.5))
      [0. 1. 0. 1. 1. 0.]

      All positives, and three negatives for each of them:

      >>> positive = jnp.array([True, False, False, False, False, False])
      >>> num_positives = jnp.sum(positive)
      >>> keep = jnp.stack([3 * num_positives, num_positives])  # of group 0 and of group 1
      >>> weights = jimb.mining.hard_example_weights(losses, keep=keep, group=positive)
      >>> print(weights)
      [1. 1. 0. 1. 1. 0.]
      >>> print(jimb.weighted_mean(losses, weights))
      1.0

      All above a threshold, but two at least (`keep` may be a number of this batch):

      >>> for threshold in (0.5, 1.0):
      ...     hard = jnp.sum(losses > threshold)
      ...     print(jimb.mining.hard_example_weights(losses, keep=hard, floor=2))
      [0. 1. 0. 1. 1. 0.]
      [0. 1. 0. 0. 1. 0.]

    Reference:
      Shrivastava et al., Training Region-based Object Detectors with Online Hard Example Mining,
      CVPR 2016. Three negatives per positive: Liu et al., SSD, ECCV 2016.
    """
    array = jax.lax.stop_gradient(_checks.floating("losses", losses))
    mask = _checks.mask(where, array.shape, "losses")
    least = _number("floor", floor)
    if least.ndim != 0:
        raise ValueError(f"floor must be a scalar, got {_checks.describe(least)}.")
    amount = _amount(keep)
    groups = _groups(group, where, array.shape, amount)
    _warn_of_all(keep, array.size)
    _warn_of_nan(losses, where)
    if array.size == 0:
        return jnp.zeros(array.shape, jnp.float32)
    weights: Array = _weights(array, mask, groups, amount, least)
    return weights


@jax.jit  # one program for a caller without jit, not one for each operation
def _weights(
    losses: Array, mask: Array | None, groups: Array | None, amount: Array, least: Array
) -> Array:
    """Weights of the losses' shape and layout; all is checked, as far as it can be."""
    live = jnp.ones(losses.size, bool) if mask is None else _flat(mask)
    keys = _keys(_flat(losses), live)
    weights = _in_order(keys, None if groups is None else _flat(groups), amount, least)
    return _laid_out_like(losses, weights.reshape(losses.shape))


def _in_order(
    keys: Array, groups: Integer[Array, " N"] | None, amount: Array, least: Array
) -> Float[Array, " N"]:
    """Weights in the order of the batch; NaN where the numbers to keep are not valid."""
    places = jnp.arange(keys.shape[0], dtype=jnp.int32)
    if groups is None:
        keys, order = jax.lax.sort((keys, places), num_keys=1)
        live, rank = keys != _masked(keys), places
        num, amounts = jnp.sum(live, dtype=jnp.int32), amount
    else:
        groups, keys, order = jax.lax.sort((groups, keys, places), num_keys=2)
        live = keys != _masked(keys)
        rank, num = _within_groups(groups, live)
        amounts = amount if amount.ndim == 0 else _labels.look_up(amount, groups, fill=-1)
    kept = (rank < _quota(amounts, num, least)).astype(jnp.float32)
    valid = (amounts >= 0) & (least >= 0)
    ordered = jnp.where(live, jnp.where(valid, kept, jnp.nan), 0)
    empty = jnp.zeros_like(ordered)
    return empty.at[order].set(ordered, mode="promise_in_bounds", unique_indices=True)


def _within_groups(
    groups: Integer[Array, " N"], live: Bool[Array, " N"]
) -> tuple[Integer[Array, " N"], Integer[Array, " N"]]:
    """Each example's place in its group, and how many of the group are live; these come first."""
    size, edge = groups.shape[0], jnp.ones(1, bool)
    places = jnp.arange(size, dtype=jnp.int32)
    changes = groups[1:] != groups[:-1]
    start = jax.lax.cummax(jnp.where(jnp.concatenate([edge, changes]), places, 0))
    is_last = live & jnp.concatenate([changes | ~live[1:], edge])
    stop = jax.lax.cummin(jnp.where(is_last, places + 1, size), reverse=True)
    return places - start, stop - start


def _quota(amounts: Array, num: Array, least: Array) -> Integer[Array, "*any"]:
    """How many of `num` to keep."""
    wanted = amounts
    if jnp.issubdtype(amounts.dtype, jnp.floating):
        share = jnp.where(amounts >= 0, amounts, 0) * num.astype(amounts.dtype)
        # 0.1 of 30 is 3.0000001 in float32: what is rounded must not make it 4.
        nearest = jnp.round(share)
        whole = jnp.abs(share - nearest) <= share * 2**-22
        wanted = jnp.where(whole, nearest, jnp.ceil(share)).astype(jnp.int32)
        wanted = jnp.where(amounts == 1, num, wanted)  # `num` itself may not fit float32
    return jnp.minimum(jnp.maximum(wanted, least), num)


def _keys(losses: Float[Array, " N"], live: Bool[Array, " N"]) -> Array:
    """Unsigned integers in whose order the losses fall, then NaN, then what is masked.

    Integers sort faster than floats, and one of them says what else took three.
    """
    wide = losses.astype(compute_dtype(losses))
    numbers = report(
        ~jnp.isnan(wide) | ~live,
        "some losses are NaN: mask those with where=. They sort last, as if they were the easiest.",
    )
    dtype = jnp.dtype(f"uint{8 * wide.dtype.itemsize}")
    sign = jnp.array(1 << (8 * wide.dtype.itemsize - 1), dtype)
    bits = jax.lax.bitcast_convert_type(wide, dtype)
    bits = jnp.where(bits == sign, 0, bits)  # -0 is 0
    falling = jnp.where(bits < sign, ~(bits | sign), bits)
    last = _masked(falling)
    return jnp.where(live, jnp.where(numbers, falling, last - 1), last)


def _masked(keys: Array) -> Array:
    return jnp.array(np.iinfo(keys.dtype).max, keys.dtype)


def _amount(keep: Any) -> Array:
    """`keep` as int32 or float32, a scalar or `[G]`; negative or NaN where it is not valid."""
    on_host = _checks.on_host(keep)
    array = _checks.host_numbers("keep", keep) if on_host else _checks.array_of("keep", keep)
    if jnp.issubdtype(array.dtype, jnp.integer):
        amount = _number("keep", keep)
    elif jnp.issubdtype(array.dtype, jnp.floating):
        name = "keep, a fraction unless it is an integer,"
        amount = _checks.bounded(name, keep, 0.0, 1.0, dtype=jnp.float32)
    else:
        raise TypeError(
            "keep must be an integer, a number of examples, or floating point, a fraction of them, "
            f"got {_checks.describe(array)}."
        )
    if amount.ndim > 1:
        raise ValueError(
            f"keep must be a scalar, or one entry per group, [G], got {_checks.describe(amount)}."
        )
    return amount


def _number(name: str, value: Any) -> Integer[Array, "*any"]:
    """`value` as int32; -1 where it is traced and negative."""
    array = _checks.integer(name, value)
    if _checks.on_host(value) and np.any(np.asarray(value) < 0):
        raise ValueError(f"{name} must not be negative, got {value}.")
    if array.dtype.itemsize >= 4:
        array = jnp.minimum(array, np.iinfo(np.int32).max)
    enough = report(array >= 0, name + " must not be negative, got {value}.", value=array)
    return jnp.where(enough, array.astype(jnp.int32), -1)


def _groups(
    group: Any, where: Any, shape: tuple[int, ...], amount: Array
) -> Integer[Array, "*any"] | None:
    """Group ids; G, in place of those outside, where there is an amount for each of [0, G)."""
    if group is None:
        if amount.ndim == 1:
            raise ValueError(
                f"keep has {amount.shape[0]} entries, one per group: say with group= which example "
                "is of which, or pass a scalar."
            )
        return None
    on_host = _checks.on_host(group)
    given: Any = (_checks.host_labels if on_host else _checks.array_of)("group", group)
    group = given.astype(np.int32) if given.dtype == np.bool_ else given
    ids = _checks.integer("group", group)
    _checks.same_shape("group", ids, shape, "losses")
    if amount.ndim == 0:
        _refuse_wide(group)
        return ids
    size = amount.shape[0]
    _labels.raise_if_outside("group", group, size, where, "groups")
    safe, inside = _labels.in_range(ids, size)
    masked = jnp.zeros_like(inside) if where is None else ~jnp.asarray(where)
    message = f"group must lie in [0, {size}), the groups that keep names; some did not: NaN."
    return jnp.where(report(inside | masked, message) & inside, safe, size)


def _refuse_wide(group: Any) -> None:
    """ValueError for host ids that JAX would wrap into 32 bits, and so mix."""
    if not _checks.on_host(group) or group.dtype.itemsize <= 4:
        return
    if np.any(group != group.astype(np.int32)):
        raise ValueError(
            "group has ids beyond 32 bits: number them with np.unique(group, return_inverse=True)."
        )


def _warn_of_all(keep: Any, size: int) -> None:
    """A warning where a host number of examples is more than there are: a share was meant?"""
    if not _checks.on_host(keep) or size == 0:
        return
    number = np.asarray(keep)
    if number.ndim == 0 and number.dtype.kind in "iu" and number > size:
        share = f" A share is a float, as keep={number / 100:g}." if number <= 100 else ""
        warnings.warn(
            f"keep={number} is a number of examples, and there are {size}: all are kept.{share}",
            stacklevel=3,
        )


def _warn_of_nan(losses: Any, where: Any) -> None:
    """A warning where host losses hold NaN unmasked."""
    if not (_checks.on_host(losses) and (where is None or _checks.on_host(where))):
        return
    nan = np.isnan(np.asarray(losses, np.float64))
    count = int(np.sum(nan if where is None else nan & np.asarray(where)))
    if count:
        warnings.warn(
            f"{count} of the losses are NaN: mask those with where=. They sort last, as if they "
            "were the easiest.",
            stacklevel=3,
        )


def _flat(x: Array) -> Array:
    """All of the batch in one row, on every device: its order is global."""
    return replicated(x).reshape(-1)


def _laid_out_like(array: Array, weights: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """The weights split over the devices as the losses are, where that is part of the type."""
    sharding = jax.typeof(array).sharding
    if not any(sharding.spec):
        return weights
    split: Array = jax.sharding.reshard(weights, sharding)
    return split
