"""The logarithm of a pair, to 1e-9."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _pairs
from jimb._pairs import Pair
from jimb.metrics._sums import quotient

_LOG2_HIGH = np.float32(0.693359375)  # 10 bits: its products with an exponent are exact
_LOG2_LOW = np.float32(math.log(2) - 0.693359375)
_ROOT_OF_HALF = np.int32(np.float32(math.sqrt(0.5)).view(np.int32))


def log(x: Pair) -> Pair:
    """`log(x)` for x ≥ 1: of `2ⁿ m`, with m about 1, `n log 2 + 2 artanh((m - 1) / (m + 1))`."""
    bits = jax.lax.bitcast_convert_type(x[0], jnp.int32)
    exponent = (bits - _ROOT_OF_HALF) >> 23
    scale = _pairs._power_of_two(-exponent)
    high, low = x[0] * scale, x[1] * scale
    one = jnp.ones_like(high)
    above = _pairs.add((high, low), (one, jnp.zeros_like(one)))
    z, rest = quotient(((high - one, low), above))
    square = _pairs._rounded(z * z)
    series = jnp.full_like(z, 2 / 11)
    for n in (9, 7, 5, 3):
        series = _pairs._rounded(series * square) + np.float32(2 / n)
    turns = exponent.astype(jnp.float32)
    small = 2 * rest + (_pairs._rounded(turns * _LOG2_LOW) + _pairs._rounded(z * square * series))
    return _pairs.add((turns * _LOG2_HIGH, jnp.zeros_like(z)), (2 * z, small))
