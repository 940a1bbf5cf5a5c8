"""Exact sums of many int32, as integers of 64 bits in two of 32.

A row of a confusion matrix may sum to more than int32 holds. And what a measure needs of a class of
ten among 2⁴⁰ is the small difference of two large sums, which no float keeps.
"""

import jax.numpy as jnp
import numpy as np

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array, Integer

Wide = tuple[Array, Array]
"""`(high, low)`, both uint32: `2³² high + low`."""

_HALF = np.uint32(16)
_LOW_HALF = np.uint32(0xFFFF)


def widen(x: Integer[Array, "*any"]) -> Wide:
    """Integers ≥ 0."""
    return jnp.zeros_like(x, jnp.uint32), x.astype(jnp.uint32)


def add(a: Wide, b: Wide) -> Wide:
    """`a + b`."""
    low = a[1] + b[1]
    return a[0] + b[0] + (low < a[1]).astype(jnp.uint32), low


def subtract(a: Wide, b: Wide) -> Wide:
    """`a - b`, for `a ≥ b`."""
    return a[0] - b[0] - (a[1] < b[1]).astype(jnp.uint32), a[1] - b[1]


def total(x: Wide, axis: int) -> Wide:
    """The sum over an axis of at most 2¹⁶: that of each 16 bits fits into 32."""
    top, third, second, bottom = (jnp.sum(part, axis, dtype=jnp.uint32) for part in _parts(x))
    inner = add((third, jnp.zeros_like(third)), (second >> _HALF, second << _HALF))
    return add((top << _HALF, bottom), inner)


def to_pair(x: Wide) -> Pair:
    """As a pair of float32: exact up to 2⁴⁸, and to 48 bits beyond."""
    top, third, second, bottom = (part.astype(jnp.float32) for part in _parts(x))
    high = _pairs.two_sum(top * np.float32(2.0**48), third * np.float32(2.0**32))
    return _pairs.add(high, _pairs.two_sum(second * np.float32(2.0**16), bottom))


def _parts(x: Wide) -> tuple[Array, Array, Array, Array]:
    high, low = x
    return high >> _HALF, high & _LOW_HALF, low >> _HALF, low & _LOW_HALF
