"""Losses by name, per example and unreduced, every number traced; `adaptive` has the rest."""

from collections.abc import Callable
from typing import Literal

import jax
from jax import Array

import jimb
from examples.training.hyper import Hyper

Loss = Literal[
    "ce",
    "smoothed",
    "focal",
    "sigmoid",
    "sigmoid-focal",
    "asymmetric",
    "cb-softmax",
    "cb-sigmoid",
    "cb-focal",
    "balanced-softmax",
    "logit-adjusted",
    "vs",
    "ldam",
    "seesaw",
    "equalization",
    "equalized-focal",
]

LDAM_SCALE = 30.0
LossFn = Callable[[Array, Array, Hyper], Array]


def one_hot(logits: Array, labels: Array) -> Array:
    """Labels as rows of 0 and 1: one question per class."""
    return jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)


LOSSES: dict[str, LossFn] = {
    "ce": lambda logits, labels, h: jimb.softmax_cross_entropy_loss(
        logits, labels, class_weights=h.class_weights
    ),
    "smoothed": lambda logits, labels, h: jimb.softmax_cross_entropy_loss(
        logits, labels, class_weights=h.class_weights, label_smoothing=0.1
    ),
    "focal": lambda logits, labels, h: jimb.softmax_focal_loss(
        logits, labels, gamma=h.gamma, class_weights=h.class_weights
    ),
    "sigmoid": lambda logits, labels, h: jimb.sigmoid_cross_entropy_loss(
        logits, one_hot(logits, labels)
    ).sum(-1),
    "sigmoid-focal": lambda logits, labels, h: jimb.sigmoid_focal_loss(
        logits, one_hot(logits, labels), gamma=h.gamma
    ).sum(-1),
    "asymmetric": lambda logits, labels, h: jimb.sigmoid_asymmetric_loss(
        logits, one_hot(logits, labels)
    ).sum(-1),
    "cb-softmax": lambda logits, labels, h: jimb.class_balanced_softmax_loss(
        logits, labels, h.counts, beta=h.beta
    ),
    "cb-sigmoid": lambda logits, labels, h: jimb.class_balanced_sigmoid_loss(
        logits, labels, h.counts, beta=h.beta
    ),
    "cb-focal": lambda logits, labels, h: jimb.class_balanced_focal_loss(
        logits, labels, h.counts, beta=h.beta, gamma=h.gamma
    ),
    "balanced-softmax": lambda logits, labels, h: jimb.balanced_softmax_loss(
        logits, labels, h.prior
    ),
    "logit-adjusted": lambda logits, labels, h: jimb.logit_adjusted_loss(logits, labels, h.prior),
    # The numbers of its paper for CIFAR-10-LT.
    "vs": lambda logits, labels, h: jimb.vs_loss(logits, labels, h.prior, gamma=0.15, tau=1.25),
    "ldam": lambda cosines, labels, h: (
        jimb.take_class(h.class_weights, labels)
        * jimb.ldam_loss(cosines, labels, h.counts, scale=LDAM_SCALE)
    ),
}
# Their output bias starts at the prior of a class, one in K.
ONE_VS_ALL = (
    *("sigmoid", "sigmoid-focal", "asymmetric", "cb-sigmoid", "cb-focal"),
    *("equalization", "equalized-focal"),
)
# Their logits are cosines.
COSINE = ("ldam",)
# They use the class weights of `--weights`.
WEIGHTED = ("ce", "smoothed", "focal", "ldam")


def as_logits(loss: str, outputs: Array) -> Array:
    """Whose softmax are a model's probabilities, of what it gives for this loss.

    Of one question per class they are its answers over their sum.
    """
    if loss in COSINE:
        return LDAM_SCALE * outputs
    return jax.nn.log_sigmoid(outputs) if loss in ONE_VS_ALL else outputs
