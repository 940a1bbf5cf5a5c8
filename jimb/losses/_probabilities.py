"""The probability of each class and of all others, to the last digits, and their derivatives."""

import math
from typing import NamedTuple

import jax.numpy as jnp

from jimb._typing import Array
from jimb.losses._focal import not_zero

SCALE = 2.0**32


class Classes(NamedTuple):
    """Of each class: numbers of which every derivative can be written without a difference."""

    right: Array  # p
    wrong: Array  # 1 - p
    entropy: Array  # -log p, 0 where it is not finite
    ratio: Array  # -log p / (1 - p)
    log_wrong: Array  # log (1 - p)

    @classmethod
    def of(cls, depth: Array, odds: Array, others: Array) -> "Classes":
        """From `d`, `e^{-d}` and the sum of the odds but for one of the largest."""
        wrong = (others + (1 - odds)) / (1 + others)
        entropy = depth + jnp.log1p(others)
        entropy = jnp.where(jnp.isfinite(entropy), entropy, 0)
        safe = not_zero(wrong)
        return cls(odds / (1 + others), wrong, entropy, entropy / safe, jnp.log(safe))


def moved(of: Classes, z: Array, z_dot: Array) -> Classes:
    """The derivative of `of` along `z_dot`."""
    is_top = z == jnp.max(z, axis=-1, keepdims=True)
    count = jnp.maximum(jnp.sum(is_top.astype(z.dtype), axis=-1, keepdims=True), 1)
    # Relative to the largest, whose own 1 - p would else be a difference of two numbers near 1.
    apart = z_dot - jnp.sum(jnp.where(is_top, z_dot, 0), axis=-1, keepdims=True) / count
    apart = apart - jnp.sum(of.right * apart, axis=-1, keepdims=True)
    right = of.right * apart
    safe = not_zero(of.wrong)
    return Classes(right, -right, -apart, (of.ratio * right - apart) / safe, -right / safe)


def root_of_odds(z: Array, largest: Array) -> Array:
    """`e^{-d/2}`, times the root of SCALE; the square does not vanish until d = 109.

    It is not written with the difference `d` itself: others need that too, and XLA would store an
    array of it.
    """
    return jnp.exp(0.5 * z - 0.5 * largest) * math.sqrt(SCALE)
