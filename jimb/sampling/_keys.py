"""The key of a random function, and what is passed in its place."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._typing import Array


def one_key(key: Any, **others: Any) -> Array:
    """`key`; TypeError for a seed or another argument, ValueError for several keys."""
    if _checks.is_key(key):
        if key.shape != ():
            raise ValueError(
                f"key must be one key, got {list(key.shape)} of them; use jax.vmap for a result of "
                "each."
            )
        return key  # type: ignore[no-any-return]
    if _is_old_key(key):
        return jnp.asarray(key)
    for name, other in others.items():
        if _checks.is_key(other) or _is_old_key(other):
            raise TypeError(f"key and {name} are swapped; the key is the first argument.")
    if _is_seed(key):
        raise TypeError("key must be a key, got a seed; write jax.random.key(seed).")
    got = _checks.describe(key) if isinstance(key, Array | np.ndarray) else _checks.shown(key)
    raise TypeError(f"key, the first argument, must be made by jax.random.key, got {got}.")


def _is_old_key(key: Any) -> bool:
    """A key of `jax.random.PRNGKey`."""
    return isinstance(key, Array | np.ndarray) and key.dtype == np.uint32 and key.ndim == 1


def _is_seed(key: Any) -> bool:
    if isinstance(key, Array | np.ndarray | np.generic):
        return key.ndim == 0 and bool(jnp.issubdtype(key.dtype, jnp.integer))
    return isinstance(key, int) and not isinstance(key, bool)
