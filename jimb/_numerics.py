"""The two numerical rules that every file shares: what a weight of zero means, and precision."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb._typing import Array


def weigh(weights: Array, values: Array) -> Array:
    """`weights * values`, where a weight of exactly 0 excludes a value, even NaN or inf."""
    finite = jnp.isfinite(values)
    product = weights * jnp.where(finite, values, 0)
    return jnp.where(finite, product, jnp.where(weights == 0, 0, values))


def compute_dtype(*arrays: Array) -> np.dtype[Any]:
    """float32 for half precision and float32, float64 if any array is."""
    wide = any(array.dtype == jnp.float64 for array in arrays)
    return np.dtype(np.float64 if wide else np.float32)
