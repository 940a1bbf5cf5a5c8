"""What is given where class ids are meant, and what to do about it."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _clock
from jimb._typing import Array


def class_ids(name: str, value: Any, num_classes: int) -> Array | np.ndarray:
    """`value` as an array, of NumPy where it is on the host; TypeError unless of integers.

    An empty batch counts as one: `[]` is of floats.
    """
    if isinstance(value, _clock.Counted):
        raise TypeError(
            f"{name} must be integers, got a {type(value).__name__}, which comes first: "
            "update(state, ...)."
        )
    array = (
        _checks.host_labels(name, value)
        if _checks.on_host(value)
        else _checks.array_of(name, value)
    )
    if array.size == 0 or jnp.issubdtype(array.dtype, jnp.integer):
        return array
    advice = _advice(name, value, array, num_classes)
    raise TypeError(f"{name} must be integers, got {_checks.describe(array)}; {advice}.")


def check_both(predictions: Any, labels: Any, num_classes: int) -> None:
    """Raises unless both look like class ids, of the same examples: predictions and labels."""
    predicted = class_ids("predictions", predictions, num_classes)
    labelled = class_ids("labels", labels, num_classes)
    one_more = {
        "predictions": predicted.shape == (*labelled.shape, num_classes),
        "labels": labelled.shape == (*predicted.shape, num_classes),
    }
    for name, array in (("predictions", predicted), ("labels", labelled)):
        if one_more[name]:
            raise ValueError(
                f"{name} must be class ids, one per example, got {_checks.describe(array)}, which "
                f"has a last axis of {num_classes} classes; take {name}.argmax(-1)."
            )
    _checks.same_shape("predictions", predicted, labelled.shape, "labels")
    if _one_hot(predicted, num_classes) and _one_hot(labelled, num_classes):
        raise ValueError(
            f"predictions and labels, {_checks.describe(labelled)}, are one-hot; take .argmax(-1) "
            "of both, or .ravel() if they are class ids after all."
        )


def _advice(name: str, value: Any, array: Array | np.ndarray, num_classes: int) -> str:
    if array.ndim > 1 and num_classes in array.shape:
        axis = -1 if array.shape[-1] == num_classes else array.shape.index(num_classes)
        return f"of logits, probabilities or one-hot labels take {name}.argmax({axis})"
    if name == "predictions" and jnp.issubdtype(array.dtype, jnp.floating):
        return "of scores take (scores >= threshold).astype(jnp.int32)"
    return _checks.cast(name, value, "int32")


def _one_hot(array: Array | np.ndarray, num_classes: int) -> bool:
    """Whether NumPy's numbers are, in more than one row; a device array is not waited for."""
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.shape[-1] != num_classes:
        return False
    of_bits = array.size > num_classes and bool(np.all((array == 0) | (array == 1)))
    return num_classes > 1 and of_bits and bool(np.all(array.sum(-1) == 1))
