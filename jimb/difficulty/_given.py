"""Logits and labels of a pass, as they are given."""

import jax.numpy as jnp

from jimb import _checks
from jimb._layout import laid_out_like
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.linear import LinearLogits
from jimb.linear._read import class_logits


def logits_and_labels(
    logits: ArrayLike | LinearLogits, labels: ArrayLike
) -> tuple[Float[Array, "*batch K"] | LinearLogits, Integer[Array, "*batch"]]:
    """Both, checked, that fit each other."""
    given = class_logits(logits)
    array = _checks.integer("labels", labels)
    _checks.same_shape("labels", array, given.shape[:-1], "the batch, logits.shape[:-1]")
    return given, laid_out_like(array, in_batch(given))


def in_batch(logits: Array | LinearLogits) -> Array:
    """An array whose first axes are those of the batch, and laid out like it."""
    return jnp.asarray(logits.features) if isinstance(logits, LinearLogits) else logits
