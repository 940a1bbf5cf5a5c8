"""Optax's tests of its classification losses."""

import jax
import jax.numpy as jnp

from tests.peers.calls import jimb
from tests.peers.peer import Peer


def softmax_cross_entropy(logits, labels, axis=-1, where=None):
    logits, labels = (jnp.moveaxis(jnp.asarray(x), axis, -1) for x in (logits, labels))
    if where is None:
        return jimb.softmax_cross_entropy_loss(logits, labels.astype(logits.dtype))
    logits, where = _masked(logits, where, axis)
    labels = jnp.where(where, labels, 0).astype(logits.dtype)
    return jimb.softmax_cross_entropy_loss(logits, labels, where=where.any(-1))


def softmax_cross_entropy_with_integer_labels(logits, labels, axis=-1, where=None):
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    axes = (axis,) if isinstance(axis, int) else axis
    logits = jnp.moveaxis(logits, axes, range(-len(axes), 0))
    if len(axes) > 1:
        logits = logits.reshape(*labels.shape, -1)
    if where is None:
        return jimb.softmax_cross_entropy_loss(logits, labels)
    logits, where = _masked(logits, where, axis)
    return jimb.softmax_cross_entropy_loss(logits, labels, where=where.any(-1))


def sigmoid_binary_cross_entropy(logits, labels):
    return jimb.sigmoid_cross_entropy_loss(logits, labels)


def sigmoid_focal_loss(logits, labels, *, alpha=None, gamma=2.0):
    return jimb.sigmoid_focal_loss(logits, labels, alpha=alpha, gamma=gamma)


def smooth_labels(labels, alpha):
    """Read from a gradient, which is `p - y` with the smoothed y: here p is 1 / K."""

    def total(logits):
        return jimb.softmax_cross_entropy_loss(logits, labels, label_smoothing=alpha).sum()

    labels = jnp.asarray(labels)
    return 1 / labels.shape[-1] - jax.grad(total)(jnp.zeros_like(labels))


def _masked(logits, where, axis):
    """Optax masks classes, jimb examples: a class is taken out by a logit of -inf."""
    where = jnp.asarray(where)
    where = jnp.moveaxis(where, axis, -1) if where.ndim == logits.ndim else where[..., None]
    where = jnp.broadcast_to(where, logits.shape)
    return jnp.where(where, logits, -jnp.inf), where


_LOSSES = "optax.losses._classification"

PEER = Peer(
    package="optax",
    floor="0.2.8",
    what="softmax and sigmoid cross-entropy, focal loss, label smoothing",
    tests=("optax.losses._classification_test", "optax.losses._smoothing_test"),
    replace={
        f"{_LOSSES}.softmax_cross_entropy": softmax_cross_entropy,
        f"{_LOSSES}.safe_softmax_cross_entropy": softmax_cross_entropy,
        f"{_LOSSES}.softmax_cross_entropy_with_integer_labels": (
            softmax_cross_entropy_with_integer_labels
        ),
        f"{_LOSSES}.sigmoid_binary_cross_entropy": sigmoid_binary_cross_entropy,
        f"{_LOSSES}.sigmoid_focal_loss": sigmoid_focal_loss,
        "optax.losses._smoothing.smooth_labels": smooth_labels,
    },
    traced=True,
    select="SoftmaxCrossEntropy|SigmoidCrossEntropy|SigmoidFocal|SmoothLabels|PolyLoss",
)
