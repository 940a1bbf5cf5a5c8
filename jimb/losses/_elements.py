"""What every loss does before and after its formula: masks, labels, weights, precision."""

import jax.numpy as jnp

from jimb import _checks
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Bool, Float


def prepare(
    logits: Float[Array, "*any"], mask: Bool[Array, "*batch"] | None
) -> Float[Array, "*any"]:
    """Logits in compute precision, 0 where masked.

    The guard sits on the input: a masked NaN must reach neither the value nor the gradient.
    """
    logits = logits.astype(compute_dtype(logits))
    if mask is None:
        return logits
    return jnp.where(mask.reshape(mask.shape + (1,) * (logits.ndim - mask.ndim)), logits, 0)


def focusing(
    gamma: ArrayLike, batch: tuple[int, ...], dtype: jnp.dtype, *, per_class: bool
) -> Array:
    """γ ≥ 0: a scalar, or one per example; with a last axis of 1 where terms are per class."""
    checked = _checks.bounded("gamma", gamma, 0.0, dtype=dtype)
    if checked.ndim == 0:
        return checked
    _checks.same_shape("gamma, if it is not a scalar,", checked, batch, "the batch")
    return jnp.expand_dims(checked, -1) if per_class else checked


def finish(
    losses: Float[Array, "*batch"],
    valid: Bool[Array, "*batch"],
    mask: Bool[Array, "*batch"] | None,
    dtype: jnp.dtype,
) -> Float[Array, "*batch"]:
    """NaN where the label is not valid, 0 where masked, in the logits' own dtype."""
    losses = jnp.where(valid, losses, jnp.nan)
    if mask is not None:
        losses = jnp.where(mask, losses, 0)
    return losses.astype(dtype)
