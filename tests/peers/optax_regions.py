"""Optax's tests of its Dice loss, which with its `alpha` and `beta` is Tversky's."""

import jax.numpy as jnp

from tests.peers.calls import jimb
from tests.peers.peer import Peer


def dice_loss(
    predictions,
    targets,
    *,
    class_weights=None,
    smooth=1.0,
    alpha=0.5,
    beta=0.5,
    apply_softmax=True,
    reduction="mean",
    ignore_background=False,
    axis=None,
):
    logits, labels = _with_classes(predictions, targets)
    losses = jimb.tversky_loss(
        logits if apply_softmax else jnp.log(logits),
        labels,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        axis=tuple(range(1, logits.ndim - 1)) if axis is None else axis,
        sigmoid=logits.shape[-1] == 1,
    )
    if class_weights is not None:
        losses = losses * class_weights
    if ignore_background and losses.shape[-1] > 1:
        losses = losses[..., 1:]
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda _: losses}[reduction](-1)


def _with_classes(predictions, targets):
    """Optax lets a single class go without an axis."""
    logits, labels = jnp.asarray(predictions), jnp.asarray(targets)
    if logits.ndim < labels.ndim:
        logits = logits[..., None]
    if labels.ndim < logits.ndim:
        labels = labels[..., None]
    return logits, labels.astype(logits.dtype)


PEER = Peer(
    package="optax",
    floor="0.2.8",
    what="Dice loss, with weights of false positives and negatives",
    tests=("optax.losses._segmentation_test",),
    replace={"optax.losses._segmentation.dice_loss": dice_loss},
    peer_checks_input=True,
    traced=True,
)
