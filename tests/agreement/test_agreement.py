"""Each call of another framework equals the jimb call that README's migration table gives for it.

The other side is stored in tables.json; make_tables.py made it.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb

TABLES = json.loads(Path(__file__).with_name("tables.json").read_text())
LOGITS = np.array(TABLES["logits"], np.float32)


def array(values, dtype=np.float32):
    return None if values is None else jnp.asarray(np.array(values, dtype))


def reduced(losses, reduction, *, where=None, normalizer=None):
    if reduction == "none":
        return losses
    if reduction == "sum":
        normalizer = 1
    return jimb.weighted_mean(losses, where=where, normalizer=normalizer)


def torch_cross_entropy(logits, target, weight, label_smoothing, reduction, ignore_index=None):
    weight, options = array(weight), {"label_smoothing": label_smoothing}
    if ignore_index is None:  # class probabilities: the mean divides by the batch
        losses = jimb.softmax_cross_entropy_loss(
            logits, array(target), class_weights=weight, **options
        )
        return reduced(losses, reduction)
    labels = array(target, np.int32)
    where = labels != ignore_index
    losses = jimb.softmax_cross_entropy_loss(
        logits, labels, class_weights=weight, where=where, **options
    )
    normalizer = None
    if weight is not None:  # the mean divides by Σ w_y
        normalizer = jnp.sum(jnp.where(where, jimb.take_class(weight, labels), 0))
    return reduced(losses, reduction, where=where, normalizer=normalizer)


def torch_binary_cross_entropy_with_logits(logits, target, pos_weight, reduction):
    losses = jimb.sigmoid_cross_entropy_loss(logits, array(target), pos_weight=array(pos_weight))
    return reduced(losses, reduction)


def torchvision_sigmoid_focal_loss(logits, targets, alpha, gamma, reduction):
    alpha = None if alpha < 0 else alpha
    losses = jimb.sigmoid_focal_loss(logits, array(targets), alpha=alpha, gamma=gamma)
    return reduced(losses, reduction)


def keras_binary_focal(logits, y_true, alpha, gamma):
    return jimb.sigmoid_focal_loss(logits, array(y_true), alpha=alpha, gamma=gamma).mean(-1)


def keras_categorical_focal(logits, y_true, alpha, gamma):
    labels = array(y_true).argmax(-1)
    return alpha * jimb.softmax_focal_loss(logits, labels, gamma=gamma)


TRANSLATION = {
    "torch.cross_entropy": torch_cross_entropy,
    "torch.binary_cross_entropy_with_logits": torch_binary_cross_entropy_with_logits,
    "torchvision.sigmoid_focal_loss": torchvision_sigmoid_focal_loss,
    "keras.BinaryFocalCrossentropy": keras_binary_focal,
    "keras.CategoricalFocalCrossentropy": keras_categorical_focal,
}


@pytest.mark.parametrize("row", TABLES["rows"], ids=lambda row: row["call"])
def test_the_translation_gives_the_stored_value_and_gradient(row):
    def translated(logits):
        return TRANSLATION[row["call"]](logits, **row["settings"])

    value, pullback = jax.vjp(translated, LOGITS)
    (gradient,) = pullback(jnp.ones_like(value))
    # Measured 0.68 of this, between two float32 computations.
    np.testing.assert_allclose(value, row["value"], rtol=5e-7, atol=2.5e-7)
    np.testing.assert_allclose(gradient, row["gradient"], rtol=5e-7, atol=2.5e-7)


def test_a_weighted_mean_without_smoothing_takes_the_weights_itself():
    """The shorter form of README's first row, for `F.cross_entropy(z, y, weight=w)`."""
    (row,) = (
        row
        for row in TABLES["rows"]
        if row["settings"].get("weight")
        and row["settings"].get("ignore_index")
        and (row["settings"]["label_smoothing"], row["settings"]["reduction"]) == (0.0, "mean")
    )
    weight, labels = array(row["settings"]["weight"]), array(row["settings"]["target"], np.int32)
    where = labels != -100
    losses = jimb.softmax_cross_entropy_loss(LOGITS, labels, where=where)
    mean = jimb.weighted_mean(losses, jimb.take_class(weight, labels), where=where)
    np.testing.assert_allclose(mean, row["value"], rtol=3e-7)
