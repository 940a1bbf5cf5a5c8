"""The two numerical rules that every file shares: what a weight of zero means, and precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, Typed


@jax.custom_jvp
def weigh(weights: Array, values: Array) -> Array:
    """`weights * values`, where a weight of exactly 0 excludes a value, even NaN or inf.

    The derivative by the weight of a value that is not finite is 0.
    """
    return weights * jnp.where((weights == 0) & ~jnp.isfinite(values), 0, values)


def _weigh_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    weights, values = primals
    finite = jnp.where(jnp.isfinite(values), values, 0)
    return weigh(weights, values), weights * tangents[1] + finite * tangents[0]


weigh.defjvp(_weigh_rule)


def compute_dtype(*arrays: Typed) -> np.dtype[Any]:
    """float32 for half precision and float32, float64 if any array is."""
    wide = any(array.dtype == jnp.float64 for array in arrays)
    return np.dtype(np.float64 if wide else np.float32)


def scaled_log(x: Array, factor: Array) -> Array:
    """`factor · log x`, which is 0 at factor 0 also for x = 0; -inf there above."""
    positive = ~(x <= 0)  # NaN stays NaN
    logs = factor * jnp.log(jnp.where(positive, x, 1))
    finite = jnp.where(positive, logs, 0 * factor)
    return jnp.where(positive | ~(factor > 0), finite, -jnp.inf)
