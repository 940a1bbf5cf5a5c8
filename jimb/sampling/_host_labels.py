"""Labels that are counted on the host, because their counts fix the shape of a plan."""

import jax
import numpy as np

from jimb import _checks
from jimb._typing import ArrayLike


def host_labels(labels: ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """Labels `[N]` as NumPy int32, on purpose also those of a device array.

    TypeError for traced labels; ValueError for labels outside [0, K), or, without K, below 0.
    """
    values = _concrete(labels)
    if values.ndim != 1 or not 0 < values.size < 2**31:
        raise ValueError(
            f"labels must be one number per example, [N], got {_checks.describe(values)}."
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise TypeError(
            f"labels must be integers, got {_checks.describe(values)}; cast with .astype(np.int32)."
        )
    end = 2**31 if num_classes is None else num_classes
    outside = (values < 0) | (values >= end)
    if outside.any():
        bad = ", ".join(map(str, np.unique(values[outside])[:8]))
        limit = "2**31)" if num_classes is None else f"{num_classes}), the classes"
        raise ValueError(
            f"labels must lie in [0, {limit}; got {bad} ({int(outside.sum())} of {outside.size}). "
            "Correct them, or make the plan of the examples without them."
        )
    return values.astype(np.int32)


def counted_labels(labels: ArrayLike, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """`host_labels`, and how many each class has, `[K]`."""
    values = host_labels(labels, _checks.size("num_classes", num_classes))
    return values, np.bincount(values, minlength=num_classes)


def _concrete(labels: ArrayLike) -> np.ndarray:
    parts = labels if isinstance(labels, list | tuple) else [labels]
    if any(isinstance(part, jax.core.Tracer) for part in parts):
        raise TypeError(
            "labels must not be traced, because their counts fix the shape of the plan; pass them "
            "as NumPy, closed over, and trace only the key."
        )
    with _checks.numbers("labels", labels):
        return np.asarray(labels)
