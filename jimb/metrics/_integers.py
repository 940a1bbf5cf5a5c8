"""Exact sums of many counts, as integers of 64 bits in two of 32.

What a measure needs of a class of ten among 2⁴⁰ is the small difference of two large sums, which no
float keeps.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _pairs
from jimb._clock import Wide
from jimb._pairs import Pair

_HALF = np.uint32(16)
_LOW_HALF = np.uint32(0xFFFF)
_MOST = 2**16  # numbers of 16 bits, whose sum fits into 32


def add(a: Wide, b: Wide) -> Wide:
    """`a + b`."""
    low = a[1] + b[1]
    return a[0] + b[0] + (low < a[1]).astype(jnp.uint32), low


def subtract(a: Wide, b: Wide) -> Wide:
    """`a - b`, for `a ≥ b`."""
    return a[0] - b[0] - (a[1] < b[1]).astype(jnp.uint32), a[1] - b[1]


def total(x: Wide, axis: int) -> Wide:
    """The sum over an axis."""
    high, low = x
    if low.shape[axis] > _MOST:
        whole: Wide = jax.lax.reduce(x, (np.uint32(0), np.uint32(0)), add, (axis,))
        return whole
    parts = high, low >> _HALF, low & _LOW_HALF
    top, middle, bottom = (jnp.sum(part, axis, dtype=jnp.uint32) for part in parts)
    return add((top, bottom), (middle >> _HALF, middle << _HALF))


def stack(*numbers: Wide) -> Wide:
    """Several, of one shape, in front of it."""
    return jnp.stack([high for high, _ in numbers]), jnp.stack([low for _, low in numbers])


def to_pair(x: Wide) -> Pair:
    """As a pair of float32: to 48 bits of what is below 2⁵⁶."""
    high, low = x
    top = high.astype(jnp.float32) * np.float32(2.0**32)
    middle = (low >> _HALF).astype(jnp.float32) * np.float32(2.0**16)
    first, rest = _pairs.two_sum(top, middle)
    return _pairs.two_sum(first, rest + (low & _LOW_HALF).astype(jnp.float32))
