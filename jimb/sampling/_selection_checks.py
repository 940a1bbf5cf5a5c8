"""Checks of what a selection map is made of: integers, weights and plans, on the host."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks


def integer_in(name: str, value: Any, low: int, end: int) -> int:
    """An int in [low, end), where the end is a power of 2."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {_checks.shown(value)}.")
    if not low <= value < end:
        raise ValueError(f"{name} must lie in [{low}, 2**{end.bit_length() - 1}), got {value}.")
    return int(value)


def shares_of(name: str, values: Any, per: str) -> np.ndarray:
    """Non-negative numbers as float64 that sum to 1."""
    host = _on_the_host(name, values)
    if not jnp.issubdtype(host.dtype, jnp.floating):
        raise TypeError(
            f"{name} must be floating point, got {_checks.describe(host)}; "
            f"{_checks.cast(name, values, 'float32')}."
        )
    if host.ndim != 1 or host.size == 0:
        raise ValueError(f"{name} must be one number per {per}, got {_checks.describe(host)}.")
    wide = host.astype(np.float64)
    bad = ~(np.isfinite(wide) & (wide >= 0))
    if bad.any():
        raise ValueError(
            f"{name} must lie in [0, inf), got {wide[bad][0]} ({int(bad.sum())} such)."
        )
    if not wide.any():
        raise ValueError(f"{name} are all 0: there is nothing to draw.")
    return _normalised(wide / wide.max())


def _on_the_host(name: str, values: Any) -> np.ndarray:
    """NumPy numbers, on purpose also of a device array."""
    if not _checks.on_host(values):
        values = _checks.array_of(name, values)
    return _checks.host_numbers(name, values)


def _normalised(values: np.ndarray) -> np.ndarray:
    """The values over their sum, added in order: the same on every machine, to the last bit."""
    shares: np.ndarray = values / np.cumsum(values)[-1]
    return shares


def class_shares(counts: np.ndarray, power: Any, class_weights: Any) -> np.ndarray:
    """How likely each class is, `[K]`."""
    if not isinstance(power, int | float | np.number) or not math.isfinite(power) or power > 1:
        raise ValueError(f"power must be a finite number of at most 1, got {_checks.shown(power)}.")
    if class_weights is None:
        present = counts > 0
        unit_size = counts[present].min() if power < 0 else counts.max()  # no power above 1
        relative = np.where(present, counts, unit_size) / unit_size
        return _normalised(np.where(present, relative**power, 0.0))
    if power != 0:
        raise ValueError("power and class_weights both say how likely a class is; give one.")
    table = _checks.per_class("class_weights", class_weights)
    shares = shares_of("class_weights", table, "class, [K]")
    if shares.shape != counts.shape:
        raise ValueError(
            f"class_weights must be one number per class, [{len(counts)}], got {len(shares)}."
        )
    empty = np.flatnonzero((counts == 0) & (shares > 0))
    if len(empty):
        raise ValueError(
            f"class_weights must be 0 where a class has no images, as class {empty[0]} "
            f"({len(empty)} such)."
        )
    return shares


def positions_in(name: str, values: Any, end: int, per: str) -> np.ndarray:
    """Host integers in [0, end) as int32, one-dimensional."""
    host = _on_the_host(name, values)
    if host.ndim != 1 or host.size == 0:
        raise ValueError(f"{name} must be one number per {per}, got {_checks.describe(host)}.")
    if not np.issubdtype(host.dtype, np.integer):
        raise _checks.not_integers(name, values, host)
    outside = (host < 0) | (host >= end)
    if outside.any():
        raise ValueError(
            f"{name} must lie in [0, {end}), got {host[outside][0]} "
            f"({int(outside.sum())} of {host.size})."
        )
    return host.astype(np.int32)
