"""Keras's tests of its classification losses, its reductions and its class weights."""

import jax.numpy as jnp
import numpy as np

from tests.peers.calls import jimb
from tests.peers.peer import Peer

EPSILON = 1e-7  # to which Keras clips probabilities


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    logits, labels = _softmax_arguments(y_true, y_pred, from_logits, axis)
    return jimb.softmax_cross_entropy_loss(logits, labels, label_smoothing=label_smoothing)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = jnp.squeeze(y_true, axis)
    logits = jnp.moveaxis(_log(y_pred, from_logits), axis, -1)
    labels = y_true.astype(jnp.int32)
    where = None if ignore_class is None else labels != ignore_class
    return jimb.softmax_cross_entropy_loss(logits, labels, where=where)


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    logits, labels = _softmax_arguments(y_true, y_pred, from_logits, axis)
    weights = jnp.broadcast_to(jnp.asarray(alpha, logits.dtype), logits.shape[-1:])
    smoothing = {"label_smoothing": label_smoothing}
    return jimb.softmax_focal_loss(logits, labels, gamma=gamma, class_weights=weights, **smoothing)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    logits, labels = _sigmoid_arguments(y_true, y_pred, from_logits)
    labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
    return jimb.sigmoid_cross_entropy_loss(logits, labels).mean(axis)


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    logits, labels = _sigmoid_arguments(y_true, y_pred, from_logits)
    options = {"alpha": alpha if apply_class_balancing else None, "gamma": gamma}
    losses = jimb.sigmoid_focal_loss(logits, labels, label_smoothing=label_smoothing, **options)
    return losses.mean(axis)


def reduce_values(values, sample_weight=None, reduction="sum_over_batch_size"):
    """The values come weighted already; only one reduction divides by the weights."""
    if reduction in (None, "none") or values.ndim == 0 or values.shape == (0,):
        return values
    divisor = values.size
    if reduction == "sum":
        divisor = 1
    elif reduction == "mean_with_sample_weight" and sample_weight is not None:
        divisor = sample_weight.sum()
    return jimb.weighted_mean(values, normalizer=divisor).astype(values.dtype)


def class_weight_to_sample_weights(y, class_weight):
    y = np.asarray(y)
    if y.ndim > 1:
        y = y.argmax(-1) if y.shape[-1] > 1 else y[:, 0]
    labels = np.round(y).astype(np.int32)
    known = range(max([*class_weight, labels.max()]) + 1)
    table = np.array([class_weight.get(c, 1.0) for c in known], np.float32)
    return np.asarray(jimb.take_class(table, labels))


def _softmax_arguments(y_true, y_pred, from_logits, axis):
    y_pred = jnp.asarray(y_pred)
    logits = jnp.moveaxis(_log(y_pred, from_logits), axis, -1)
    return logits, jnp.moveaxis(jnp.asarray(y_true).astype(logits.dtype), axis, -1)


def _log(y_pred, from_logits):
    """The softmax of the log of probabilities divides them by their sum, as Keras does."""
    return y_pred if from_logits else jnp.log(jnp.clip(y_pred, EPSILON, 1 - EPSILON))


def _sigmoid_arguments(y_true, y_pred, from_logits):
    logits = jnp.asarray(y_pred)
    if not from_logits:
        p = jnp.clip(logits, EPSILON, 1 - EPSILON)
        logits = jnp.log(p) - jnp.log1p(-p)
    return logits, jnp.asarray(y_true).astype(logits.dtype)


_LOSSES = "keras.src.losses.losses"
_ADAPTERS = "keras.src.trainers.data_adapters.data_adapter_utils"

PEER = Peer(
    package="keras",
    floor="3.15",
    what="cross-entropies, focal losses, reductions, class weights",
    tests=(
        "keras.src.losses.losses_test",
        "keras.src.losses.loss_test",
        f"{_ADAPTERS}_test",
    ),
    replace={
        f"{_LOSSES}.categorical_crossentropy": categorical_crossentropy,
        f"{_LOSSES}.sparse_categorical_crossentropy": sparse_categorical_crossentropy,
        f"{_LOSSES}.categorical_focal_crossentropy": categorical_focal_crossentropy,
        f"{_LOSSES}.binary_crossentropy": binary_crossentropy,
        f"{_LOSSES}.binary_focal_crossentropy": binary_focal_crossentropy,
        "keras.src.losses.loss.reduce_values": reduce_values,
        f"{_ADAPTERS}.class_weight_to_sample_weights": class_weight_to_sample_weights,
    },
    environment={"KERAS_BACKEND": "jax"},
    peer_checks_input=True,
)
