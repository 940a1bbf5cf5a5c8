"""Inclusion probabilities `min(1, λ·w_i)` as fixed-point numbers whose sum is exactly `num`.

Those of probability 1 are found in rounds: whoever would be drawn once or more is drawn once, and
the rest share what is left, of which some may then be drawn once or more. Each round is exact to
about 2⁻⁴⁵, and nobody who is drawn once in a round would not be in a later one.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float, Integer, UInt32
from jimb.sampling._fixed_point import fixed, fixed64, settle, shares, shares64


def capped_counts(
    weights: Float[Array, " N"] | np.ndarray, num: int
) -> tuple[Integer[Array, " N"], UInt32[Array, " N"]]:
    """`(whole, fraction)`, of which a whole of 1 has no fraction.

    `num` weights or more must be above 0.
    """
    if isinstance(weights, np.ndarray):
        counts = _on_the_host(weights, num)
    else:
        counts = _on_the_device(weights, num)
    settled: tuple[Array, Array] = settle(*counts)
    return settled


def _on_the_host(weights: np.ndarray, num: int) -> tuple[Array, Array]:
    certain = np.zeros(weights.shape, bool)
    while True:
        counts = shares64(np.where(certain, 0, weights), num - certain.sum(), np)
        if not (counts >= 1).any():
            return fixed64(np.where(certain, 1, counts), np)
        certain |= counts >= 1


@jax.jit(static_argnames="num")
def _on_the_device(weights: Float[Array, " N"], num: int) -> tuple[Array, Array]:
    def left(certain: Array) -> Any:
        rest = jnp.where(certain, 0, weights)
        number = num - jnp.sum(certain, dtype=jnp.int32)
        if weights.dtype == jnp.float64:
            return shares64(rest, number.astype(jnp.float64), jnp)
        return shares(rest, _pair(number))

    def grown(certain: Array) -> Array:
        counts = left(certain)
        if weights.dtype == jnp.float64:
            once: Bool[Array, " N"] = counts >= 1
        else:
            once = (counts[0] > 1) | ((counts[0] == 1) & (counts[1] >= 0))
        return certain | once

    none = jnp.zeros(weights.shape, bool)
    _, certain = jax.lax.while_loop(
        lambda last: jnp.any(last[0] != last[1]),
        lambda last: (last[1], grown(last[1])),
        (none, grown(none)),
    )
    by = fixed if weights.dtype != jnp.float64 else lambda counts: fixed64(counts, jnp)
    whole, fraction = by(left(certain))
    return jnp.where(certain, 1, whole), jnp.where(certain, 0, fraction)


def _pair(number: Integer[Array, ""]) -> Pair:
    high = number.astype(jnp.float32)
    return high, (number - high.astype(jnp.int32)).astype(jnp.float32)
