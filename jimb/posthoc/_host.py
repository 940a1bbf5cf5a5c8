"""Probabilities of NumPy and Python, which compare in their own precision, also without x64."""

from typing import Any, Literal

import numpy as np

from jimb._typing import ArrayLike


def widened(p: ArrayLike) -> np.ndarray:
    """In float64 if they are float64, in float32 else."""
    own = np.asarray(p)
    return own.astype(np.float64 if own.dtype == np.float64 else np.float32)


def rounded(p: np.ndarray, dtype: np.dtype[Any], direction: Literal["up", "down"]) -> np.ndarray:
    """In a dtype of fewer digits, for whose numbers t `p >= t` (down) or `p > t` (up) stays."""
    if p.dtype == dtype:
        return p
    up = direction == "up"
    with np.errstate(over="ignore"):  # what is masked may be anything
        near = p.astype(dtype)
    beside = np.nextafter(near, dtype.type(np.inf if up else -np.inf))
    there = np.where(near < p if up else near > p, beside, near)
    smallest = np.finfo(dtype).tiny  # the device may flush what is below
    flushed = (there > 0) & (there < smallest)
    result: np.ndarray = np.where(flushed, smallest if up else dtype.type(0), there)
    return result
