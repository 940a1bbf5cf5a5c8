"""Counts beyond int32 without numbers of 64 bits: the two hands of a clock.

One, int32, is exact and goes round at 2³²; the other, float32, is the same count rounded, and tells
how often the first went round. Both are sums: what adds them leaf by leaf (`psum`, a reduction over
an axis, `jax.tree.map`) has the hands of the sum, as long as the errors of the rough ones stay
below 2³¹ together. That is so for n states which hold up to 2⁵⁵ / n together: each of n roundings
is of 2⁻²⁴ at most.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._pairs import two_sum
from jimb._report import report
from jimb._typing import Array, Bool, Float, Integer

Wide = tuple[Array, Array]
"""`(high, low)`, both uint32: the integer `2³² high + low`."""

LARGEST = 2**53
"""Counts reach to it: what float64 holds, and NumPy's weights."""

_TURN = np.float32(2.0**32)


class Counted:
    """What every state of counts is."""

    __slots__ = ()


class Hands(Counted):
    """One that is a tuple of both hands."""

    __slots__ = ()


def hands(counts: Any, rough: Any) -> tuple[Any, Any]:
    """Both hands; without the second, those of plain counts, integers on the host or a device.

    Plain counts come from other libraries, and from states of before there was a second hand. What
    is no array (a sharding, an axis, a shape in place of one) stands for both.
    """
    if rough is not None:
        return counts, rough
    if isinstance(counts, jax.ShapeDtypeStruct):
        return counts, counts.update(dtype=jnp.float32)
    if type(counts) in (list, tuple) or hasattr(counts, "__array__"):
        counts = counts if isinstance(counts, jax.Array) else np.asarray(counts)
    if not isinstance(counts, np.ndarray | jax.Array):
        return counts, counts
    if not jnp.issubdtype(counts.dtype, jnp.integer):
        return counts, counts  # refused where it is read
    if isinstance(counts, np.ndarray):
        outside = counts[(counts < 0) | (counts > LARGEST)]
        if outside.size:
            raise ValueError(f"counts must lie in [0, 2**53], got {outside.flat[0]}.")
        return counts.astype(np.uint32).view(np.int32), counts.astype(np.float32)
    held = counts >= 0
    if counts.dtype.itemsize == 8:
        held &= counts <= LARGEST
    return counts.astype(jnp.int32), jnp.where(held, counts.astype(jnp.float32), jnp.nan)


def settled(counts: Any, rough: Any) -> tuple[Integer[Array, "*any"], Float[Array, "*any"]]:
    """The hands after an addition, the rough one set by the other; NaN where the count is lost."""
    counts, rough = jnp.asarray(counts), jnp.asarray(rough)
    ahead = counts - _turns(rough)[1].astype(jnp.int32)
    rough = rough + ahead.astype(jnp.float32)
    held = report(
        (rough >= 0) & (rough <= float(LARGEST)),
        "a count went beyond 2**53, or was negative, and what is read of it is NaN; keep the "
        "counts of fewer examples in one state.",
    )
    return counts, jnp.where(held, rough, jnp.nan)


def wide(
    counts: Integer[Array, "*any"], rough: Float[Array, "*any"]
) -> tuple[Wide, Bool[Array, "*any"]]:
    """The exact counts: of the numbers that end in `counts`, those nearest to `rough`.

    And which of them are what was counted; the others are any number.
    """
    lost = jnp.isnan(rough)
    turns, rest = _turns(jnp.where(lost, 0, jnp.clip(rough, 0, 2.0 * LARGEST)))
    low = counts.astype(jnp.uint32)
    forward = low - rest < np.uint32(2**31)
    carry = (forward & (low < rest)).astype(jnp.uint32)
    borrow = (~forward & (low > rest)).astype(jnp.uint32)
    high = turns.astype(jnp.uint32) + carry - borrow
    return (high, low), ~lost & (high <= np.uint32(LARGEST >> 32))


def _turns(rough: Float[Array, "*any"]) -> tuple[Float[Array, "*any"], Integer[Array, "*any"]]:
    """How often the other hand went round, and where it stands: exactly."""
    turns = jnp.floor(rough / _TURN)
    return turns, (rough - turns * _TURN).astype(jnp.uint32)


def nearest(exact: Wide) -> Float[Array, "*any"]:
    """The nearest float32."""
    high, low = exact
    top = high.astype(jnp.float32) * _TURN
    middle = (low >> np.uint32(8)).astype(jnp.float32) * np.float32(256)
    total, rest = two_sum(top, middle)
    return total + (rest + (low & np.uint32(255)).astype(jnp.float32))


def added(left: tuple[Any, Any], right: tuple[Any, Any]) -> tuple[Any, Any]:
    """The hands of a sum."""
    return settled(jnp.add(left[0], right[0]), jnp.add(left[1], right[1]))


def integers(counts: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """The exact counts of NumPy's hands, int64."""
    near = np.where(np.isnan(rough), 0, np.clip(rough, 0, 2.0 * LARGEST)).astype(np.int64)
    exact = near + (counts - near + 2**31) % 2**32 - 2**31
    lost = np.isnan(rough) | (exact < 0) | (exact >> 32 > LARGEST >> 32)
    if np.any(lost):
        raise ValueError(
            f"a count went beyond 2**53, or was negative ({int(lost.sum())} of {lost.size}); keep "
            "the counts of fewer examples in one state."
        )
    return exact
