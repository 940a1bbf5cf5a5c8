"""Labels that are counted on the host, because their counts fix the shape of a plan."""

from typing import Any

import jax
import numpy as np

from jimb import _checks


def host_labels(labels: Any, num_classes: int | None = None) -> np.ndarray:
    """Labels `[N]` as NumPy int32, on purpose also those of a device array.

    TypeError for traced labels; ValueError for labels outside [0, K), or, without K, below 0.
    """
    values = _concrete(labels)
    _checks.one_per_example("labels", values, "N")
    if not 0 < values.size < 2**31:
        raise ValueError(
            f"labels must be one number per example, [N] with 0 < N < 2**31, got "
            f"{_checks.describe(values)}."
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise _checks.not_integers("labels", labels, values)
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


def counted_labels(labels: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """`host_labels`, and how many each class has, `[K]`."""
    values = host_labels(labels, _checks.size("num_classes", num_classes))
    return values, np.bincount(values, minlength=num_classes)


def _concrete(labels: Any) -> np.ndarray:
    parts = labels if isinstance(labels, list | tuple) else [labels]
    if any(isinstance(part, jax.core.Tracer) for part in parts):
        raise TypeError(
            "labels must not be traced, because their counts fix the shape of the plan; pass them "
            "as NumPy, closed over, and trace only the key."
        )
    if not _checks.on_host(labels):
        labels = _checks.array_of("labels", labels)
    return _checks.host_labels("labels", labels)
