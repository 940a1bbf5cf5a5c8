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
    """`a - b`; 0 where b is larger, as rounded sums of weights may be."""
    high, low = a[0] - b[0] - (a[1] < b[1]).astype(jnp.uint32), a[1] - b[1]
    less = (a[0] < b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
    return jnp.where(less, 0, high), jnp.where(less, 0, low)


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


def from_pair(x: Pair) -> Wide:
    """The nearest integers to pairs in [0, 2⁶³); 1 for what is above 0 and would round to it."""
    whole = jnp.floor(x[0])
    turns = jnp.floor(whole * np.float32(2.0**-32))
    first = turns.astype(jnp.uint32), (whole - turns * np.float32(2.0**32)).astype(jnp.uint32)
    rest = jnp.round((x[0] - whole) + x[1])
    none = jnp.zeros_like(first[0])
    above, below = (jnp.maximum(part, 0).astype(jnp.uint32) for part in (rest, -rest))
    high, low = subtract(add(first, (none, above)), (none, below))
    return high, jnp.where((x[0] > 0) & (high == 0), jnp.maximum(low, 1), low)


def to_pair(x: Wide) -> Pair:
    """As a pair of float32: to 48 bits of what is below 2⁵⁶."""
    high, low = x
    top = high.astype(jnp.float32) * np.float32(2.0**32)
    middle = (low >> _HALF).astype(jnp.float32) * np.float32(2.0**16)
    first, rest = _pairs.two_sum(top, middle)
    return _pairs.two_sum(first, rest + (low & _LOW_HALF).astype(jnp.float32))
