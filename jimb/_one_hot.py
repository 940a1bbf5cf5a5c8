"""One-hot labels where class ids are meant: as ids they are zeros and ones, and raise nothing."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._notice import noticed
from jimb._typing import Array


def not_one_hot(name: str, labels: Any, num_classes: int) -> Array | np.ndarray:
    """The labels as an array, NumPy where they are on the host.

    ValueError where all rows `[..., K]` of host integers are one-hot; a checkify message where all
    rows of traced ones are.
    """
    if _checks.on_host(labels):
        host = _checks.host_labels(name, labels)
        if _could_be(host, num_classes) and _are(host):
            raise ValueError(_sentence(name, num_classes))
        return host
    array = _checks.array_of(name, labels)
    if not _could_be(array, num_classes):
        return array
    return noticed(array, _sentence(name, num_classes), _are_not, labels=array)


def _could_be(array: Any, num_classes: int) -> bool:
    """Whether dtype and shape are those of one-hot labels; a single row may be ids by chance."""
    is_integer = jnp.issubdtype(array.dtype, jnp.integer)
    return is_integer and array.shape[-1:] == (num_classes,) and array.size > num_classes


def _are(labels: Any) -> Any:
    one = (labels == 1).sum(-1) == 1
    return (one & ((labels == 0) | (labels == 1)).all(-1)).all()


def _are_not(labels: Any) -> Any:
    return ~_are(labels)


def _sentence(name: str, num_classes: int) -> str:
    return (
        f"{name} are one-hot, [..., {num_classes}], where class ids are meant; take "
        f"{name}.argmax(-1). If they are ids of {num_classes} classes, pass {name}.reshape(-1)."
    )
