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


def targets_per_class(
    per_class: Any, num_classes: int, *, filled: np.ndarray | None = None
) -> int | np.ndarray:
    """Visits of each class: one number of 1 or more, or one per class of 0 or more, int64.

    `filled` says which classes have examples, where no others may be visited.
    """
    if _is_traced(per_class):
        raise TypeError(
            "per_class must not be traced, because it fixes the shape of the plan; pass it as "
            "NumPy."
        )
    if np.ndim(per_class) == 0:
        return _checks.size("per_class", per_class)
    if not _checks.on_host(per_class):
        per_class = np.asarray(_checks.array_of("per_class", per_class))
    targets = np.asarray(_checks.per_class("per_class", per_class))
    if not np.issubdtype(targets.dtype, np.integer):
        raise _checks.not_integers("per_class", per_class, targets)
    _checks.same_shape("per_class", targets, (num_classes,), "the classes")
    if (targets < 0).any():
        raise ValueError(f"per_class must not be negative, got {targets[targets < 0][0]}.")
    if filled is not None and ((targets > 0) & ~filled).any():
        c = np.flatnonzero((targets > 0) & ~filled)[0]
        raise ValueError(f"per_class must be 0 where a class has no examples, as class {c}.")
    return targets.astype(np.int64)


def _is_traced(values: Any) -> bool:
    parts = values if isinstance(values, list | tuple) else [values]
    return any(isinstance(part, jax.core.Tracer) for part in parts)


def _concrete(labels: Any) -> np.ndarray:
    if _is_traced(labels):
        raise TypeError(
            "labels must not be traced, because their counts fix the shape of the plan; pass them "
            "as NumPy, closed over, and trace only the key."
        )
    if not _checks.on_host(labels):
        labels = _checks.array_of("labels", labels)
    return _checks.host_labels("labels", labels)
