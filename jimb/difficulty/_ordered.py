"""Sums, exponentials and logarithms of float32, the same bits in programs of all shapes.

XLA adds in an order that depends on the shapes around, has several exponentials and logarithms, and
may fuse a product and a sum into one rounding, in one program and not in another. Here all is made
of operations that IEEE 754 rounds in one way, and a product comes to a sum through `_rounded`, but
for those by a power of two, which are exact.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array

_LOG2_HIGH = 0.693359375  # 10 bits: its products with an exponent are exact
_LOG2_LOW = math.log(2) - _LOG2_HIGH
_ROOT_OF_HALF = np.float32(math.sqrt(0.5)).view(np.int32)
_LOWEST = float(np.finfo(np.float32).min)  # not -inf: a compiler would see that nothing changes


def total(x: Array) -> Array:
    """The sum over the last axis of numbers ≥ 0, `[..., 1]`: the one half added to the other.

    And again, until one is left: each sum is one of two numbers, which has no order.
    """
    size = x.shape[-1]
    missing = 2 ** (size - 1).bit_length() - size
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    while x.shape[-1] > 1:
        # Slices would do as well, but XLA does not vectorise what it fuses with them on a CPU.
        x = jnp.sum(x.reshape(*x.shape[:-1], 2, -1), axis=-2)
        x = jnp.where(x < 0, 0, x)  # which none is; XLA would else make all sums one, of any order
    return x


def exp(x: Array) -> Array:
    """`exp(x)` for x ≤ 0, not -inf; 0 below -87.7."""
    exponent = jnp.round(x * (1 / math.log(2)))
    y = (x - exponent * _LOG2_HIGH) - _rounded(exponent * _LOG2_LOW)
    series = jnp.full_like(y, 1 / math.factorial(7))  # Taylor's, |y| ≤ log(2) / 2
    for n in range(6, -1, -1):
        series = _rounded(series * y) + 1 / math.factorial(n)
    bits = jnp.where(exponent < -126, 0, exponent.astype(jnp.int32) + 127) << 23  # of 2ᵉ, or 0
    return jax.lax.bitcast_convert_type(bits, jnp.float32) * series


def log(x: Array) -> Array:
    """`log(x)` for normal x > 0."""
    # The bits of a float are its exponent, from the 23rd on, and its mantissa. x = 2ᵉ m, m² ≥ 1/2.
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    exponent = (bits - _ROOT_OF_HALF) >> 23
    mantissa = jax.lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32)
    power = exponent.astype(jnp.float32)
    # log m = 2 (s + s³/3 + s⁵/5 + …) with s = (m - 1) / (m + 1), |s| ≤ 0.172
    s = (mantissa - 1) / (mantissa + 1)
    square = _rounded(s * s)
    series = jnp.full_like(s, 1 / 9)
    for n in (7, 5, 3):
        series = _rounded(series * square) + 1 / n
    rest = 2 * s + _rounded(2 * s * _rounded(square * series))
    return power * _LOG2_HIGH + (_rounded(power * _LOG2_LOW) + rest)


def _rounded(product: Array) -> Array:
    """The product, kept from a fused multiply-add."""
    return jnp.maximum(product, _LOWEST)
