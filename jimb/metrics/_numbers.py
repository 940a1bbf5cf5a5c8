"""Parameters of the measures: what a float32 would round, a number of Python's keeps."""

import math

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._pairs import Pair
from jimb._typing import ArrayLike


def scalar_pair(
    name: str,
    value: ArrayLike,
    low: float,
    high: float = math.inf,
    *,
    exclusive: bool = False,
    finite: bool = True,
) -> Pair:
    """A scalar as a pair of float32; NaN where it is traced and outside [low, high]."""
    number = _checks.bounded(
        name, value, low, high, dtype=jnp.float32, exclusive=exclusive, finite=finite
    )
    _checks.same_shape(name, number, (), "a scalar")
    if not _checks.on_host(value):
        return number, jnp.zeros_like(number)
    exact = np.float64(_checks.host_numbers(name, value))
    first = np.float32(exact)
    return jnp.asarray(first), jnp.float32(exact - first if np.isfinite(first) else 0)
