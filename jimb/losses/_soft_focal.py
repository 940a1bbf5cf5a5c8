"""Sigmoid cross-entropy and focal loss of a label between 0 and 1, with few transcendentals.

With `e = exp(-|z|)` and the part a of the label that z is wrong about (1 - y if z > 0, else y)
everything is a sum of positive terms, which loses no digits:

    cross-entropy = a·|z| + log(1 + e),
    1 - p_t       = y·σ(-z) + (1 - y)·σ(z) = (a + (1 - a)·e) / (1 + e).
"""

import jax
import jax.numpy as jnp

from jimb._typing import Array
from jimb.losses._elementwise import elementwise
from jimb.losses._focal import decay_again, log1p, not_zero, scaled


def _entropy_formula(z: Array, positive: Array, negative: Array) -> Array:
    return positive * jax.nn.softplus(-z) + negative * jax.nn.softplus(z)


def _entropy_value(z: Array, positive: Array, negative: Array) -> Array:
    log = log1p(jnp.exp(-jnp.abs(z)))
    of_positive = scaled(positive, jnp.maximum(-z, 0) + log)
    return of_positive + scaled(negative, jnp.maximum(z, 0) + log)


def _entropy_slope(z: Array, _: Array, positive: Array, negative: Array) -> tuple[Array, Array]:
    decay = decay_again(z)
    wrong, right = jnp.where(z > 0, 1, decay), jnp.where(z > 0, decay, 1)
    return negative * wrong - positive * right, 1 + decay


# `-a·log σ(z) - b·log σ(-z)` of (z, a, b).
sigmoid_cross_entropy = elementwise(_entropy_formula, _entropy_value, _entropy_slope)


def _focal_formula(z: Array, y: Array, gamma: Array, weight: Array | None) -> Array:
    """The logarithm of 1 - p_t with the larger of its two terms taken out."""
    from_positive = (y >= 1) | ((y > 0) & (z <= 0))
    leading = jnp.where(from_positive, y, 1 - y)
    # Above 0 only where its factor is exactly 0; the cap keeps that product, and its derivative
    # with respect to y, finite.
    exponent = jnp.minimum(jnp.where(from_positive, z, -z), 80)
    rest = jnp.log(leading + (1 - leading) * jnp.exp(exponent))
    log_wrong = jax.nn.log_sigmoid(jnp.where(from_positive, -z, z)) + rest
    losses = jnp.exp(gamma * log_wrong) * _entropy_formula(z, y, 1 - y)
    return losses if weight is None else weight * losses


def _focal_value(z: Array, y: Array, gamma: Array, weight: Array | None) -> Array:
    size, decay = jnp.abs(z), jnp.exp(-jnp.abs(z))
    log = log1p(decay)
    a, numerator = _wrong_numerator(z, y, decay)
    # a = 0 is a hard label: the numerator is e itself, which may have vanished.
    log_numerator = jnp.where(a == 0, -jnp.minimum(size, 1e30), jnp.log(numerator))
    return scaled(weight, jnp.exp(gamma * (log_numerator - log)) * (scaled(a, size) + log))


def _focal_slope(
    z: Array, losses: Array, y: Array, gamma: Array, _: Array | None
) -> tuple[Array, Array]:
    decay = decay_again(z)
    a, numerator = _wrong_numerator(z, y, decay)
    of_entropy = (a - (1 - a) * decay) / not_zero(a * jnp.abs(z) + log1p(decay))
    of_wrong = (2 * a - 1) * jnp.where(a == 0, 1, decay / numerator)
    slope = of_entropy + gamma * of_wrong
    return losses * jnp.where(z > 0, slope, -slope), 1 + decay


def _wrong_numerator(z: Array, y: Array, decay: Array) -> tuple[Array, Array]:
    """`a` and `a + (1 - a)·e`, with 1 in place of the latter where a is 0."""
    a = jnp.where(z > 0, 1 - y, y)
    return a, jnp.where(a == 0, 1, a + (1 - a) * decay)


# `w·(1 - p_t)^γ·(-y·log σ(z) - (1 - y)·log σ(-z))` of (z, y, γ, w).
soft_focal = elementwise(_focal_formula, _focal_value, _focal_slope)
