"""Pairs of float32: numbers of about twice its precision, as unevaluated sums of two.

Dekker, A floating-point technique for extending the available precision, 1971. A compiler may fuse
a product and a sum into one rounding, in one program and not in another. So every product here is
exact (of 12-bit halves, or by a power of two) or `_rounded`, and the results are the same bits in
programs of all shapes.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, Float, Integer

Pair = tuple[Array, Array]
"""An unevaluated sum of two float32, the second below the rounding of the first."""


def two_sum(a: Array, b: Array) -> Pair:
    """`a + b`, exactly."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


_LOWEST = np.finfo(np.float32).min  # not -inf, from which a compiler would see that nothing changes


def _rounded(product: Array) -> Array:
    """The product, kept from a fused multiply-add."""
    return jnp.maximum(product, _LOWEST)


def add(a: Pair, b: Pair) -> Pair:
    """`a + b`."""
    high, error = two_sum(a[0], b[0])
    return two_sum(high, error + (a[1] + b[1]))


def subtract(a: Pair, b: Pair) -> Pair:
    """`a - b`, exactly the negative of `b - a`."""
    return add(a, (-b[0], -b[1]))


def split(a: Array) -> Pair:
    """`a` as a sum of two numbers of 12 bits."""
    high = jax.lax.reduce_precision(a, exponent_bits=8, mantissa_bits=11)
    return high, a - high


def product(a: Array, b: Array) -> Pair:
    """`a * b`, exactly."""
    (a_high, a_low), (b_high, b_low) = split(a), split(b)
    high = _rounded(a * b)
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


def multiply(a: Pair, b: Pair) -> Pair:
    """`a * b`."""
    high, low = product(a[0], b[0])
    return two_sum(high, low + (_rounded(a[0] * b[1]) + _rounded(a[1] * b[0])))


def sqrt(a: Pair) -> Pair:
    """`√a`, by one step of Newton's from the rounded one; 0 for 0."""
    guess = jnp.sqrt(a[0])
    high, low = product(guess, guess)
    missing = ((a[0] - high) - low) + a[1]
    return two_sum(guess, missing / jnp.where(guess == 0, 1, 2 * guess))


_LOG2_HIGH = np.float32(0.693359375)  # 10 bits: its products with an exponent are exact
_LOG2_LOW = np.float32(math.log(2) - 0.693359375)


def exp(x: Pair) -> Pair:
    """`exp(x)` for x ≤ 0, to 3.5e-8 of it down to -70; 0 below -88."""
    exponent = jnp.round(x[0] * np.float32(1 / math.log(2)))
    rest, low = x[0] - exponent * _LOG2_HIGH, x[1] - _rounded(exponent * _LOG2_LOW)
    # exp(y) = 1 + y + y² (1/2! + y/3! + …), |y| ≤ log(2)/2
    y = rest + low
    series = jnp.full_like(y, 1 / math.factorial(8))
    for n in range(7, 1, -1):
        series = _rounded(series * y) + np.float32(1 / math.factorial(n))
    scale = _power_of_two(exponent.astype(jnp.int32))
    return two_sum(scale, scale * (rest + (low + _rounded(y * y * series))))


def _power_of_two(exponent: Integer[Array, "*any"]) -> Float[Array, "*any"]:
    """2 to an integer ≤ 0, and 0 below the smallest normal number."""
    bits = jnp.where(exponent < -126, 0, exponent + 127) << 23
    power: Array = jax.lax.bitcast_convert_type(bits, jnp.float32)
    return power


def _added(a: list[Array], b: list[Array]) -> list[Array]:
    pairs = zip(_pairs(a), _pairs(b), strict=True)
    return jax.tree.leaves([add(x, y) for x, y in pairs])


def sums(*values: Pair) -> tuple[Pair, ...]:
    """The sums over the last axis, all in one pass."""
    operands = jax.tree.leaves(values)
    zeros = [np.float32(0)] * len(operands)
    totals = jax.lax.reduce(operands, zeros, _added, (operands[0].ndim - 1,))
    return tuple(two_sum(*total) for total in _pairs(totals))


def _pairs(leaves: list[Array]) -> list[Pair]:
    return list(zip(leaves[::2], leaves[1::2], strict=True))
