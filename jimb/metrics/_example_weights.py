"""Which examples count, and how much."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._typing import Array, Float

_LARGEST = float(np.finfo(np.float32).max)


def included(weights: Any, where: Any, shape: tuple[int, ...], of: str) -> Any:
    """`where`, without what weighs 0; NumPy as long as both are. None if all count."""
    mask = _checks.mask(where, shape, of)
    if weights is None:
        return where
    _checks.same_shape("weights", _array(weights), shape, of)
    if _checks.on_host(weights) and (where is None or _checks.on_host(where)):
        some = _checks.host_numbers("weights", weights) != 0
        return some if where is None else some & np.asarray(where)
    some = jnp.asarray(weights) != 0
    return some if mask is None else some & mask


def checked(weights: Any, kept: Any) -> Float[Array, "*batch"]:
    """Weights, 0 where an example does not count; NaN where traced ones are no weights."""
    if _checks.on_host(weights, kept):
        weights = np.where(np.asarray(kept), _checks.host_numbers("weights", weights), 0)
    else:
        weights = jnp.where(kept, _array(weights), 0)
    return _checks.bounded("weights", weights, 0.0, _LARGEST, dtype=jnp.float32)


def _array(weights: Any) -> Array:
    return _checks.floating("weights", weights)
