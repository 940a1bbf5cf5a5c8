"""Weights as integers of fixed point, whose sums are exact, in any order the same bits.

Each weight is cut into digits, so few bits each that the sum over all examples fits into 32.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _pairs
from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float, Integer
from jimb.metrics._integers import to_pair

_BITS = 60  # below the largest weight: of 2¹² of them, the 48 of a pair


class Digits(NamedTuple):
    """`Σ_d digits[..., d] · 2^(exponent - bits · (d + 1))`; all NaN if not `known`."""

    digits: Integer[Array, "*batch D"]
    bits: int
    exponent: Integer[Array, ""]
    known: Bool[Array, ""]


def of_ones(kept: Bool[Array, "*batch"]) -> Digits:
    """Weights of 1, and of 0."""
    ones = jnp.expand_dims(kept, -1).astype(jnp.uint32)
    return Digits(ones, 0, jnp.int32(0), jnp.bool_(True))


def of_weights(weights: Float[Array, "*batch"]) -> Digits:
    """Finite weights above 0, each to 2⁻⁶⁰ of the largest; what is NaN makes all NaN."""
    _checks.size("weights.size", max(weights.size, 1))
    bits = 32 - max(weights.size - 1, 1).bit_length()
    known = ~jnp.any(jnp.isnan(weights))
    rest = jnp.where(jnp.isnan(weights), 0, weights)
    exponent = jnp.frexp(jnp.max(rest, initial=0))[1].astype(jnp.int32)
    rest = jnp.ldexp(rest, -exponent)
    digits = []
    for _ in range(-(-_BITS // bits)):
        rest = rest * np.float32(2.0**bits)
        digits.append(jnp.floor(rest))
        rest = rest - digits[-1]
    return Digits(jnp.stack(digits, -1).astype(jnp.uint32), bits, exponent, known)


def value(sums: Integer[Array, "*any D"], of: Digits) -> Pair:
    """Sums of digits as a pair of float32."""
    total: Pair | None = None
    for d in reversed(range(sums.shape[-1])):
        number = sums[..., d]
        high, low = to_pair((jnp.zeros_like(number), number))
        scale = np.float32(2.0 ** (-of.bits * (d + 1)))
        part = high * scale, low * scale
        total = part if total is None else _pairs.add(part, total)
    assert total is not None
    high, low = (jnp.where(of.known, jnp.ldexp(x, of.exponent), jnp.nan) for x in total)
    return high, low
