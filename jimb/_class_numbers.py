"""What class weights are made of: counts, and numbers per class, checked.

Host input is computed by NumPy in float64, anything else by JAX: the formulas are the same, so they
are written once over the namespace `xp`.
"""

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, Float


def namespace(counts: Any, name: str, parameter: Any) -> tuple[ModuleType, Any, Any]:
    """NumPy or JAX, whichever both are of, and both."""
    counts = _checks.per_class("counts", counts)
    parameter = _checks.per_class(name, parameter)
    return np if _checks.on_host(counts, parameter) else jnp, counts, parameter


def checked_counts(counts: Any, xp: ModuleType, allow_empty: bool | None) -> Any:
    """Non-negative counts `[K]`; `allow_empty` is None where the caller has no such argument."""
    on_host = _checks.on_host(counts)
    n = checked("counts", counts, 0.0, float(np.finfo(np.float32).max), xp)
    if n.ndim != 1 or n.size == 0:
        raise ValueError(f"counts must be one number per class, [K], got shape {list(n.shape)}.")
    if on_host and not allow_empty and (n == 0).any():
        empty = ", ".join(map(str, np.flatnonzero(n == 0)[:8]))
        advice = "leave those classes out, or make weights with allow_empty=True (theirs is 0)"
        raise ValueError(
            f"counts has no example of class {empty} ({int((n == 0).sum())} of {n.size} classes "
            f"empty): {'there is nothing to balance' if allow_empty is None else advice}."
        )
    if not on_host and not allow_empty:
        filled = report(n != 0, "counts has an empty class, which gets weight 0.")
        n = jnp.where(filled, n, 0)
    return xp.asarray(n, result_dtype(n) if xp is jnp else n.dtype)


def checked(
    name: str, value: Any, low: float, high: float, xp: ModuleType, *, finite: bool = True
) -> Any:
    """Float64 NumPy for host values, which stay on the host; else a checked device array."""
    if _checks.on_host(value):
        # 1 - β in float64, before float32 rounds β.
        return _checks.host_bounded(name, value, low, high, finite=finite)
    dtype = result_dtype(jnp.asarray(value))
    return _checks.bounded(name, value, low, high, dtype=dtype, finite=finite)


def result_dtype(n: Any) -> Any:
    """What weights made of these numbers are of."""
    return compute_dtype(jnp.asarray(n))


def per_class(name: str, value: Any, n: Any, xp: ModuleType) -> Any:
    """A parameter, a scalar or one number per class."""
    if value.shape not in ((), n.shape):
        raise ValueError(
            f"{name} must be a scalar or one number per class, {list(n.shape)}, got shape "
            f"{list(value.shape)}; use jax.vmap to try several values."
        )
    return xp.asarray(value, n.dtype)


def normalized(weights: Any, n: Any, xp: ModuleType) -> Float[Array, " K"]:
    """Weights that sum to the number of classes which are not empty."""
    filled = n > 0
    weights = xp.where(filled | (n == 0), xp.where(filled, weights, 0), xp.nan)
    total = weights.sum()
    scale = xp.where(total == 0, 0, filled.astype(n.dtype).sum() / xp.where(total == 0, 1, total))
    return jnp.asarray(weights * scale, result_dtype(n))
