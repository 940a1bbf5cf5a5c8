"""Expected counts `num·w_i / Σw` as fixed-point numbers whose sum is exactly `num`.

Float cumulative sums lose the rare examples of a large data set. Here each expectation is a whole
int32 and a uint32 fraction in units of 2⁻³². float32 weights go through pairs of float32, because
24 bits cannot tell 0.9999999 from 1 in a million places. All sums are sums of integers, so the
result does not depend on their order, that is, on the number of devices.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._pairs import Pair, product, two_sum
from jimb._typing import Array, Float, Integer, UInt32

_LARGE = 2**16


def expected_counts(
    weights: Float[Array, " N"] | np.ndarray, num: int
) -> tuple[Integer[Array, " N"], UInt32[Array, " N"]]:
    """`(whole, fraction)` with `Σ whole + 2⁻³² Σ fraction = num`, exactly."""
    if isinstance(weights, np.ndarray) or weights.dtype == jnp.float64:
        whole, fraction = _from_float64(weights, num)
    else:
        whole, fraction = _from_float32(weights, num)
    settled: tuple[Array, Array] = settle(whole, fraction)
    return settled


def running_sum(x: Integer[Array, " N"]) -> Integer[Array, " N"]:
    """`jnp.cumsum` of integers, which wrap around."""
    if x.shape[0] < _LARGE:
        return jnp.cumsum(x, dtype=x.dtype)
    # A third of the time on a CPU, but more of the compiler's.
    total: Array = jax.lax.associative_scan(jnp.add, x)
    return total


@jax.jit
def settle(
    whole: Integer[Array, " N"], fraction: UInt32[Array, " N"]
) -> tuple[Integer[Array, " N"], UInt32[Array, " N"]]:
    """Spreads over some fractions, a unit or so each, what rounding left of an integer sum.

    Over those far from an integer: there it is relatively small, and makes no integer a fraction.
    """
    zero = jnp.uint32(0)
    left = (zero - jnp.sum(fraction, dtype=jnp.uint32)).astype(jnp.int32)
    distance = jnp.minimum(fraction, zero - fraction)
    receives = (distance > 0) & (distance >= jnp.max(distance) // 2)
    rank = running_sum(receives.astype(jnp.int32))
    share, remainder = jnp.divmod(jnp.abs(left), jnp.maximum(rank[-1], 1))
    units = jnp.where(receives, share + (rank <= remainder).astype(jnp.int32), 0)
    return _add(whole, fraction, jnp.sign(left) * units)


def _add(
    whole: Integer[Array, " N"], fraction: UInt32[Array, " N"], units: Integer[Array, " N"]
) -> tuple[Integer[Array, " N"], UInt32[Array, " N"]]:
    """Adds signed units of 2⁻³², with carry or borrow."""
    total = fraction + units.astype(jnp.uint32)
    carry = (units >= 0) & (total < fraction)
    borrow = (units < 0) & (total > fraction)
    return whole + carry.astype(jnp.int32) - borrow.astype(jnp.int32), total


def _from_float64(weights: Any, num: int) -> tuple[Array, Array]:
    xp = np if isinstance(weights, np.ndarray) else jnp
    return fixed64(shares64(weights, num, xp), xp)


def shares64(weights: Any, num: Any, xp: Any) -> Any:
    """`num·w_i / Σw` of float64, 0 if all are 0."""
    largest = xp.max(weights)
    scaled = weights / xp.where(largest == 0, 1, largest)
    total = xp.sum(scaled)
    return scaled * (num / xp.where(total == 0, 1, total))


def fixed64(counts: Any, xp: Any) -> tuple[Array, Array]:
    """Counts as whole numbers and units of 2⁻³²."""
    whole = xp.floor(counts)
    units = xp.round((counts - whole) * 2.0**32)
    whole, units = xp.where(units >= 2.0**32, whole + 1, whole), units % 2.0**32
    return jnp.asarray(whole.astype(np.int32)), jnp.asarray(units.astype(np.uint32))


@jax.jit(static_argnames="num")
def _from_float32(weights: Float[Array, " N"], num: int) -> tuple[Array, Array]:
    num_high = float(np.float32(num))
    return fixed(shares(weights, (jnp.float32(num_high), jnp.float32(num - num_high))))


def shares(weights: Float[Array, " N"], num: Pair) -> Pair:
    """`num·w_i / Σw`, 0 if all are 0."""
    _, exponent = jnp.frexp(jnp.max(weights))
    half = exponent // 2  # in two steps: 2^-exponent alone may overflow
    scaled = jnp.ldexp(jnp.ldexp(weights, -half), half - exponent)
    high, low = _exact_sum(scaled)
    return _times(scaled, _divide(num, (jnp.where(high == 0, 1, high), low)))


def fixed(counts: Pair) -> tuple[Array, Array]:
    """Counts as whole numbers and units of 2⁻³²."""
    high, low = counts
    whole = jnp.floor(high)
    units = jnp.round((high - whole) * 2.0**32).astype(jnp.uint32)
    low_whole = jnp.round(low)
    whole_count = (whole + low_whole).astype(jnp.int32)
    return _add(whole_count, units, jnp.round((low - low_whole) * 2.0**32).astype(jnp.int32))


def _exact_sum(x: Float[Array, " N"]) -> Pair:
    """`Σ x` for x in [0, 1), to 2⁻⁴⁸ each: sums of 16-bit digits, in rows that fit 32 bits."""
    rows = jnp.pad(x, (0, -x.shape[0] % 2**16)).reshape(-1, 2**16)
    total: Pair = (jnp.float32(0), jnp.float32(0))
    for place in (1, 2, 3):
        digits = jnp.floor(rows * 2.0**16)
        rows = rows * 2.0**16 - digits
        row_sums = jnp.sum(digits.astype(jnp.uint32), axis=1, dtype=jnp.uint32)
        for shift in (16, 0):
            partial = jnp.sum((row_sums >> shift) & 0xFFFF, dtype=jnp.uint32)
            for part in (partial >> 16) * jnp.uint32(2**16), partial & 0xFFFF:
                term = part.astype(jnp.float32) * 2.0 ** (shift - 16 * place)
                total = _accumulate(total, term)
    return total


def _accumulate(total: Pair, term: Array) -> Pair:
    high, error = two_sum(total[0], term)
    return two_sum(high, total[1] + error)


def _times(a: Array, b: Pair) -> Pair:
    high, low = product(a, b[0])
    return two_sum(high, low + a * b[1])


def _divide(num: Pair, by: Pair) -> Pair:
    quotient = num[0] / by[0]
    high, low = _times(quotient, by)
    remainder = (num[0] - high) + (num[1] - low)
    return two_sum(quotient, remainder / by[0])
