"""The effective number of examples, and its derivatives at both ends of β and for any count.

With `r = 1 - β`, `L = -log β` and `u = nL` the number is `E = (1 - e^{-u}) / r`. The derivative of
that formula is a difference of large numbers that nearly cancel where u is small; there

    -∂E/∂r / E = (n - 1) λ T / (expm1(u) / u),    λ = L / r,    T = Σ_{k≥2} Σ_{i+j=k-2} uⁱLʲ / k!

has positive terms only, and so has its own derivative.
"""

import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, Float

_SERIES_TO = 2.0  # the largest u and L of the series
_TERMS = 26  # 2²⁴ · 25 / 26! is 1e-18


def effective_number_of(n: Any, rate: Any, xp: ModuleType) -> Any:
    """`E`, for a rate 1 - β in [0, 1]: n where the rate is 0, 1 where it is 1."""
    if xp is np:
        return _number(n, rate, np)
    number: Array = _differentiable(n, rate)
    return number


def inverse_of(n: Any, rate: Any, xp: ModuleType) -> Any:
    """`1 / E` for n > 0; E itself may have derivatives beyond float32."""
    if xp is np:
        return 1 / _number(n, rate, np)
    inverse: Array = _differentiable_inverse(n, rate)
    return inverse


def _number(n: Any, rate: Any, xp: ModuleType) -> Any:
    inner = (rate >= np.finfo(rate.dtype).tiny) & (rate < 1)
    safe = xp.where(inner, rate, 0.5)
    number = -xp.expm1(n * xp.log1p(-safe)) / safe
    number = xp.where(inner, number, xp.where(rate < 1, n, xp.where(n > 0, 1, n)))
    return xp.where(rate == rate, number, xp.nan)


@jax.custom_jvp
def _differentiable(n: Float[Array, " K"], rate: Float[Array, "*K"]) -> Float[Array, " K"]:
    number: Array = _number(n, rate, jnp)
    return number


@_differentiable.defjvp
def _number_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    number = _differentiable(*primals)
    by_n, by_rate = _slopes(*primals)
    return number, by_n * tangents[0] - number * by_rate * tangents[1]


@jax.custom_jvp
def _differentiable_inverse(n: Float[Array, " K"], rate: Float[Array, "*K"]) -> Float[Array, " K"]:
    inverse: Array = 1 / _number(n, rate, jnp)
    return inverse


@_differentiable_inverse.defjvp
def _inverse_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    inverse = _differentiable_inverse(*primals)
    by_n, by_rate = _slopes(*primals)
    return inverse, inverse * (by_rate * tangents[1] - inverse * by_n * tangents[0])


def _slopes(n: Array, rate: Array) -> tuple[Array, Array]:
    """`∂E/∂n = λ e^{-u}`, and `-∂E/∂r / E`."""
    inside = rate < 1
    safe = jnp.where(inside, rate, 0.5)
    ratio = _log_ratio(safe)
    length = safe * ratio
    by_n = jnp.where(inside, ratio * jnp.exp(-n * length), 0)
    trivial = (n == 0) | (n == 1)  # the number is 0, or 1, for every β
    n = jnp.where(trivial, 2, n)
    u = n * length
    near = (u <= _SERIES_TO) & (length <= _SERIES_TO)
    series = _series(n, ratio, jnp.where(near, u, 0), jnp.where(near, length, 0))
    far = jnp.where(near, 2 * _SERIES_TO, u), jnp.where(near, _SERIES_TO, length)
    direct = 1 / jnp.where(near, 1, safe) + n * jnp.exp(far[1] - far[0]) / jnp.expm1(-far[0])
    at_one = jnp.where(n > 1, 1 + (1 - rate) * jnp.where(n == 2, -1, 1), 0)
    by_rate = jnp.where(inside, jnp.where(near, series, direct), at_one)
    return by_n, jnp.where(trivial, 0, by_rate)


def _log_ratio(rate: Array) -> Array:
    """`λ = -log(1 - r) / r`, 1 at 0."""
    small = rate < 2**-6
    r = jnp.where(small, rate, 0)
    polynomial = jnp.zeros_like(r)
    for k in range(9, 0, -1):
        polynomial = polynomial * r + 1 / k
    other = jnp.where(small, 0.5, rate)
    return jnp.where(small, polynomial, -jnp.log1p(-other) / other)


def _series(n: Array, ratio: Array, u: Array, length: Array) -> Array:
    """`(n - 1) λ T / (expm1(u) / u)`; the terms of T are `aₖ / k!` with `aₖ₊₁ = Lᵏ⁻¹ + u aₖ`."""
    power = a = jnp.ones_like(u)
    total, divisor = a / 2, 1 + u / 2
    u_power = u
    for k in range(3, _TERMS + 1):
        power = power * length
        a = power + u * a
        u_power = u_power * u
        total = total + a * (1 / math.factorial(k))
        divisor = divisor + u_power * (1 / math.factorial(k))
    return (n - 1) * ratio * total / divisor
