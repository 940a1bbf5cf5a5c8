"""Norms at every scale that a float can hold, also where squares overflow or underflow.

Vectors are first scaled by a power of two, which rounds nothing.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, Float, Integer


def exponent(x: Float[Array, "*any"]) -> Integer[Array, "*any"]:
    """⌊log2 |x|⌋; that of the smallest normal number below it; above all others for inf and NaN."""
    kind = np.finfo(x.dtype)
    word = jax.lax.bitcast_convert_type(jnp.abs(x), f"int{kind.bits}")
    return jnp.maximum((word >> kind.nmant) + (kind.minexp - 1), kind.minexp)


def two_to(power: Array, dtype: np.dtype) -> Float[Array, "*any"]:
    """2 to a whole number: 0 below the smallest normal number, inf above the largest."""
    kind = np.finfo(dtype)
    biased = jnp.clip(power, kind.minexp - 1, kind.maxexp) - (kind.minexp - 1)
    x: Array = jax.lax.bitcast_convert_type(biased.astype(f"int{kind.bits}") << kind.nmant, dtype)
    return x


def scaling(largest: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """The power of two that takes a number > 0 to [2, 4): a normal number; 0 for 0, inf and NaN."""
    return jnp.where(largest == 0, 0, two_to(1 - exponent(largest), largest.dtype))


def scaled(x: Float[Array, "*any"], axis: int) -> tuple[Array, Array, Array]:
    """`(s·x, ‖s·x‖, s)`, s a power of two.

    `(0, 1, 0)`, without a gradient, where x is all 0. The norm is NaN where an entry is not finite.
    """
    size = jnp.abs(jax.lax.stop_gradient(x))
    scale = scaling(jnp.max(size, axis=axis, keepdims=True, initial=0))
    y = x * scale
    squared = jnp.sum(y * y, axis=axis, keepdims=True)
    return y, jnp.sqrt(jnp.where(squared == 0, 1, squared)), scale


def unit(x: Float[Array, "*any"], axis: int) -> Float[Array, "*any"]:
    """`x / ‖x‖`; 0, without a gradient, where x is all 0; NaN where an entry is not finite."""
    y, norm, _ = scaled(x, axis)
    return y / norm


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def over_power_of_norm(
    x: Float[Array, "*any"], power: Float[Array, ""], axis: int
) -> Float[Array, "*any"]:
    """`x / ‖x‖^power`; x itself, to the bit, where the power is 0 or x is all 0."""
    return _over(x, x, power, axis)[0]


def _over(v: Array, x: Array, power: Array, axis: int) -> tuple[Array, Array]:
    """`v / ‖x‖^power` and `log ‖x‖`."""
    _, norm, scale = scaled(x, axis)
    k = jnp.where(scale == 0, 0, exponent(scale)).astype(x.dtype)
    # ‖x‖ = 2^-k norm. The power of 2^k in two parts: that of a whole number rounds nothing.
    shift = power * k
    whole = jax.lax.stop_gradient(jnp.round(shift))
    half = jnp.floor(whole / 2)
    rest = jnp.exp2(shift - whole) * norm**-power
    quotient = v * two_to(half, x.dtype) * rest * two_to(whole - half, x.dtype)
    return quotient, jnp.log(norm) - k * math.log(2)


def _over_rule(
    axis: int, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (x, power), (by_x, by_power) = primals, tangents
    along = unit(x, axis)  # the derivative of the norm: no product with x, which may overflow
    moved = _over(by_x, x, power, axis)[0]
    turned = moved - power * along * jnp.sum(along * moved, axis=axis, keepdims=True)
    quotient, log_norm = _over(x, x, power, axis)
    return quotient, turned - by_power * log_norm * quotient


over_power_of_norm.defjvp(_over_rule)
