"""What is compared: how a model is trained, and what is done to its logits afterwards."""

import dataclasses
from collections.abc import Callable
from typing import Any

from jax import Array

import jimb

# From logits, stored or not, labels and the class prior to the loss of each example.
LossFn = Callable[[Any, Array, Array], Array]


@dataclasses.dataclass(frozen=True)
class Training:
    """A loss, and how its epochs are drawn."""

    loss: LossFn
    power: float = 1.0  # a class of n examples is drawn ∝ n^power: 1 all examples, 0 all classes


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table: a training's model, and the τ of the logit adjustment after it."""

    training: str
    tau: float = 0.0


def cross_entropy(logits: Any, labels: Array, prior: Array) -> Array:
    """The baseline."""
    return jimb.softmax_cross_entropy_loss(logits, labels)


def focal(logits: Any, labels: Array, prior: Array) -> Array:
    """With the γ of its paper."""
    return jimb.softmax_focal_loss(logits, labels, gamma=2.0)


def half_adjusted(logits: Any, labels: Array, prior: Array) -> Array:
    """Half way from cross-entropy to balanced softmax."""
    return jimb.logit_adjusted_loss(logits, labels, prior, tau=0.5)


def balanced_softmax(logits: Any, labels: Array, prior: Array) -> Array:
    """Logit adjustment with τ = 1."""
    return jimb.balanced_softmax_loss(logits, labels, prior)


TRAININGS = {
    "CE": Training(cross_entropy),
    "focal": Training(focal),
    "half adjusted": Training(half_adjusted),
    "balanced softmax": Training(balanced_softmax),
    "balanced draws": Training(cross_entropy, power=0.0),
}
METHODS = {
    "cross-entropy (CE)": Method("CE"),
    "focal (γ=2)": Method("focal"),
    "class-balanced sampling": Method("balanced draws"),
    "logit adjustment (τ=½)": Method("half adjusted"),
    "balanced softmax": Method("balanced softmax"),
    "post-hoc adjustment (τ=½)": Method("CE", tau=0.5),
    "post-hoc adjustment (τ=1)": Method("CE", tau=1.0),
}
