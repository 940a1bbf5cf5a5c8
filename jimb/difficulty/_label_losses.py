"""The cross-entropy of each example, which is what most trackers read of a pass."""

import jax.numpy as jnp

from jimb._labels import in_range
from jimb._numerics import compute_dtype
from jimb._typing import Array, Float, Integer
from jimb.heads._head import Head, Logits
from jimb.heads._read import sums
from jimb.losses import softmax_cross_entropy_loss
from jimb.losses._focal import focal_of_margin
from jimb.losses._of_head import margin_of


def label_losses(logits: Logits, labels: Integer[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`-log p_y`, float32 or float64, whatever the logits are; NaN for a label outside [0, K)."""
    if isinstance(logits, Head):
        safe, valid = in_range(labels, logits.shape[-1])
        losses = focal_of_margin(margin_of(sums(logits, safe)), None)
        return jnp.where(valid, losses, jnp.nan)
    return softmax_cross_entropy_loss(logits.astype(compute_dtype(logits)), labels)
