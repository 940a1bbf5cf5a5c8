"""Powers of the distance between a probability and a label, and their derivatives at 0."""

import jax
import jax.numpy as jnp

from jimb._typing import Array

_LEAST = 1e-12  # below it, negative powers in second derivatives are cut
_STEEPEST = 40.0  # e^40 and its square are float32 numbers


def power_of_distance(z: Array, y: Array, exponent: Array) -> Array:
    """`|σ(z) - y|^a`, with every digit in both tails; the limit, without slope, at infinite z.

    With `q` the part of the label on the other side of p, `|p - y| = σ(±z)·((1 - q) - q·e^{∓z})`.
    """
    finite = jnp.isfinite(z)
    safe = jnp.where(finite, z, 0)
    above = (1 - y) * jnp.exp(jnp.minimum(safe, 0)) > y * jnp.exp(jnp.minimum(-safe, 0))
    above = (y <= 0) | ((y < 1) & above)  # also where both have vanished
    toward = jnp.where(above, safe, -safe)
    behind, ahead = jnp.where(above, y, 1 - y), jnp.where(above, 1 - y, y)
    # Beyond the cut `behind` is 0, or the whole is too small to be told from 0.
    rest = ahead - behind * jnp.exp(jnp.minimum(-toward, _STEEPEST))
    power = jnp.exp(exponent * jax.nn.log_sigmoid(toward)) * _even(rest, exponent)
    at_infinity = jnp.where(z > 0, 1 - y, jnp.where(z < 0, y, 1))  # 1 at NaN, which the loss has
    return jnp.where(finite, power, jax.lax.stop_gradient(_even(at_infinity, exponent)))


@jax.custom_jvp
def _even(x: Array, a: Array) -> Array:
    """`|x|^a`; at 0 that is 1 for a = 0, and 0 for all others, also where it is infinite."""
    size = jnp.abs(x)
    size = jnp.where((a < 0) & (size > 0), jnp.maximum(size, _LEAST), size)
    some = size > 0
    power = jnp.exp(a * jnp.log(jnp.where(some, size, 1)))
    return jnp.where(some | (a == 0), power, jnp.where(jnp.isnan(x), jnp.nan, 0))


@_even.defjvp
def _even_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, a), (x_dot, a_dot) = primals, tangents
    power = _even(x, a)
    log = jnp.log(jnp.where(x == 0, 1, jnp.abs(x)))
    return power, a * _odd(x, a - 1) * x_dot + power * log * a_dot


@jax.custom_jvp
def _odd(x: Array, a: Array) -> Array:
    """`sign(x)·|x|^a`, 0 at 0."""
    return jnp.sign(x) * _even(x, a)


@_odd.defjvp
def _odd_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, a), (x_dot, a_dot) = primals, tangents
    power = _odd(x, a)
    log = jnp.log(jnp.where(x == 0, 1, jnp.abs(x)))
    return power, a * _even(x, a - 1) * x_dot + power * log * a_dot
