"""Labels as a caller gives them: what fits the logits, and sentences for what does not.

Python and NumPy labels are looked at where nothing is traced. In a traced call a label may be one
that a mean excludes later: there a wrong one gives NaN, and a checkify message.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.heads._head import Head, Logits
from jimb.heads._read import class_logits


def softmax_logits(logits: Any, labels: ArrayLike) -> Logits:
    """The logits, an array or unstored; TypeError if they are in the labels' place."""
    if not isinstance(logits, Head):
        _not_swapped(logits, labels)
    return class_logits(logits)


def stored_logits(logits: Any, labels: ArrayLike) -> Float[Array, "*any"]:
    """The logits as an array; TypeError if they are in the labels' place, or unstored."""
    array = stored(logits, "this loss", "take a softmax loss, or, of LinearLogits, .to_array()")
    _not_swapped(array, labels)
    return _checks.floating("logits", array)


def stored(logits: Any, what: str, advice: str = "of LinearLogits take .to_array()") -> Any:
    """The logits; TypeError if they are unstored."""
    if isinstance(logits, Head):
        raise TypeError(f"{what} needs an array of logits, got {type(logits).__name__}; {advice}.")
    return logits


def softmax_labels(
    labels: ArrayLike, logits: Logits, where: ArrayLike | None
) -> Integer[Array, "*batch"] | Float[Array, "*batch K"]:
    """Class ids `[...]` or soft labels `[..., K]`."""
    array = _checks.label_array("labels", labels)
    if jnp.issubdtype(array.dtype, jnp.floating):
        if isinstance(logits, Head):
            raise TypeError(
                f"labels of {type(logits).__name__} must be class ids, integers, got "
                f"{_checks.describe(array)}; soft labels, which need as much memory as logits, are "
                "for an array: of LinearLogits take .to_array()."
            )
        if array.shape != logits.shape:
            raise ValueError(
                f"float (soft) labels must have the shape of the logits, {list(logits.shape)}, got "
                f"{_checks.describe(array)}; class ids must be integers."
            )
        if not _traced(logits):
            _in_unit_interval(labels, where, per_row=True)
        return array
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(
            f"labels must be integers or float soft labels, got {_checks.describe(array)}; cast "
            "class ids with .astype(jnp.int32), one-hot labels with .astype(jnp.float32)."
        )
    _one_per_row(array, logits, "make them soft labels with .astype(jnp.float32)")
    if not _traced(logits):
        _labels.raise_if_outside("labels", labels, logits.shape[-1], where, "classes")
    return array


def class_ids(
    labels: ArrayLike, logits: Logits, where: ArrayLike | None
) -> Integer[Array, "*batch"]:
    """Class ids `[...]`, of a loss that has no soft labels."""
    array = _checks.label_array("labels", labels)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        what = "cast with .astype(jnp.int32)"
        if array.shape == logits.shape:
            what = "this loss has no soft labels, and of one-hot labels take labels.argmax(-1)"
        raise TypeError(
            f"labels must be integers, one class id for each row of logits, got "
            f"{_checks.describe(array)}; {what}."
        )
    _one_per_row(array, logits)
    if not _traced(logits):
        _labels.raise_if_outside("labels", labels, logits.shape[-1], where, "classes")
    return array


def unit_labels(labels: ArrayLike, logits: Array, where: ArrayLike | None) -> Array:
    """Labels in [0, 1], one for each logit: booleans, integers or floats."""
    array = _checks.label_array("labels", labels)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise TypeError(f"labels must be numbers in [0, 1], got {_checks.describe(array)}.")
    if array.shape != logits.shape:
        hint = "reshape or index it to fit"
        if array.shape == logits.shape[:-1] and jnp.issubdtype(array.dtype, jnp.integer):
            hint = f"of class ids take jax.nn.one_hot(labels, {logits.shape[-1]})"
        raise ValueError(
            f"labels must have the shape {list(logits.shape)} of logits, got "
            f"{_checks.describe(array)}; {hint}."
        )
    if not _traced(logits):
        _in_unit_interval(labels, where)
    return array


def _not_swapped(logits: ArrayLike, labels: ArrayLike) -> None:
    first, second = _kind(logits), _kind(labels)
    if first in "iub" and second in "fV":
        raise TypeError(
            "logits must be floating point, got integers, and labels are floats: the logits come "
            "first. If they do, cast them with .astype(jnp.float32)."
        )


def _kind(x: Any) -> str:
    """NumPy's letter of the dtype; bfloat16 is V. Empty where it is no array of numbers."""
    try:
        dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
        return str(np.dtype(dtype).kind)
    except (TypeError, ValueError):
        return " "


def _one_per_row(ids: Array, logits: Logits, otherwise: str | None = None) -> None:
    """ValueError unless the ids have the shape of the logits without their last axis."""
    batch = logits.shape[:-1]
    if ids.shape == batch:
        return
    hint = "reshape or index it to fit"
    moved = [
        axis
        for axis in range(logits.ndim - 1)
        if logits.shape[:axis] + logits.shape[axis + 1 :] == ids.shape
    ]
    if ids.shape == logits.shape:
        hint = "of one-hot labels take labels.argmax(-1)" + (f", or {otherwise}" * bool(otherwise))
    elif moved:
        hint = (
            f"if the classes are on axis {moved[0]} of logits, move them to the end: "
            f"jnp.moveaxis(logits, {moved[0]}, -1)"
        )
    elif ids.shape[:-1] == batch:
        hint = _checks.instead_of_one_hot("labels", ids.shape)
    raise ValueError(
        f"integer labels must have the shape {list(batch)} of the batch, logits.shape[:-1], got "
        f"{_checks.describe(ids)} for logits {list(logits.shape)}; {hint}."
    )


def _traced(logits: Logits) -> bool:
    return any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(logits))


def _in_unit_interval(labels: ArrayLike, where: ArrayLike | None, *, per_row: bool = False) -> None:
    """ValueError where host labels are outside [0, 1], but for rounding, and not masked."""
    if not _checks.on_host(labels) or not (where is None or _checks.on_host(where)):
        return
    host = np.asarray(labels)
    bad = ~((host >= -0.01) & (host <= 1.01))
    if where is not None:
        bad &= np.asarray(where)[..., None] if per_row else np.asarray(where)
    if bad.any():
        raise ValueError(
            f"labels must lie in [0, 1], got {host[bad].flat[0]} ({int(bad.sum())} of {bad.size}). "
            "Mask them with where=, or correct them."
        )
