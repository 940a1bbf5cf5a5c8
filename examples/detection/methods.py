"""What is compared: the loss of the class logits, and the bias that they start from.

Every loss is one-vs-all: a location has K logits, of which all are 0 where no object is. It is a
number for each batch, over the number of objects, as in RetinaNet.
"""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import Array

import jimb

# From logits and targets `[batch, height, width, K]`, the locations that count, `[batch, height,
# width]`, and the objects of each class in training, `[K]`, to the loss of each logit and the
# weight of each location or logit.
LossFn = Callable[[Array, Array, Array, Array], tuple[Array, Array]]


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    loss: LossFn
    has_prior: bool = True  # whether each class starts at π, and not at a half


def cross_entropy(
    logits: Array, targets: Array, considered: Array, counts: Array
) -> tuple[Array, Array]:
    """Binary, of each logit."""
    return jimb.sigmoid_cross_entropy_loss(logits, targets), considered


def focal(
    logits: Array,
    targets: Array,
    considered: Array,
    counts: Array,
    *,
    gamma: float,
    alpha: float,
) -> tuple[Array, Array]:
    """With γ = 0 it is the α-balanced cross-entropy."""
    losses = jimb.sigmoid_focal_loss(logits, targets, gamma=gamma, alpha=alpha)
    return losses, considered


def class_balanced_focal(
    logits: Array, targets: Array, considered: Array, counts: Array
) -> tuple[Array, Array]:
    """The focal loss; an object's term weighs as its class does, and 1 on average."""
    losses, weights = focal(logits, targets, considered, counts, gamma=2.0, alpha=0.25)
    of_classes = jimb.effective_number_weights(counts, beta=0.999)
    of_classes = jimb.mean_one(of_classes, counts)
    return losses, weights[..., None] * jnp.where(targets == 1, of_classes, 1)


def hard_negatives(
    logits: Array, targets: Array, considered: Array, counts: Array
) -> tuple[Array, Array]:
    """Cross-entropy of all objects' locations, and of the three hardest others for each of them."""
    losses, _ = cross_entropy(logits, targets, considered, counts)
    is_object = targets.any(-1)
    number = is_object.sum()
    mined = jimb.mining.hard_example_weights(
        losses.sum(-1),
        keep=jnp.stack([3 * number, number]),
        group=is_object,
        where=considered,
    )
    return losses, mined


METHODS = {
    "BCE (π)": Method(cross_entropy),
    "BCE (bias 0)": Method(cross_entropy, has_prior=False),
    "α-balanced BCE (α=0.75)": Method(partial(focal, gamma=0.0, alpha=0.75)),
    "OHEM 1:3": Method(hard_negatives),
    "focal γ=0.5 (α=0.5)": Method(partial(focal, gamma=0.5, alpha=0.5)),
    "focal γ=1 (α=0.25)": Method(partial(focal, gamma=1.0, alpha=0.25)),
    "focal γ=2 (α=0.25)": Method(partial(focal, gamma=2.0, alpha=0.25)),
    "focal γ=5 (α=0.25)": Method(partial(focal, gamma=5.0, alpha=0.25)),
    "class-balanced focal (γ=2)": Method(class_balanced_focal),
}
