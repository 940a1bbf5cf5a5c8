"""What is compared: the loss of each label, the bias it starts from, and how lemmas are drawn."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

import jimb


class Tables(NamedTuple):
    """Of the training set; `[K]` each but the last."""

    counts: Array  # lemmas with each label
    pos_weight: Array
    class_weights: Array
    num_examples: Array


Start = Literal["one in K", "frequency", "half"]
# From logits and multi-hot labels `[..., K]` to the loss of each of them.
LossFn = Callable[[Array, Array, Tables], Array]


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    loss: LossFn
    start: Start = "one in K"  # the probability of each label before the first step
    repeats: bool = False  # draws lemmas by the rarest of their labels


def tables_of(labels: Array) -> Tables:
    """What the losses need to know of the training set, from its labels `[N, K]`."""
    counts, number = jnp.asarray(jimb.multi_hot_counts(labels)), len(labels)
    return Tables(
        counts,
        jimb.balanced_pos_weight(counts, number),
        jimb.mean_one(jimb.effective_number_weights(counts, beta=0.999), counts),
        jnp.asarray(number),
    )


def cross_entropy(logits: Array, labels: Array, tables: Tables) -> Array:
    """The baseline: one binary problem for each label."""
    return jimb.sigmoid_cross_entropy_loss(logits, labels)


def weighted_positives(logits: Array, labels: Array, tables: Tables, *, power: float) -> Array:
    """A label's positives weigh as much as its negatives, or a power of that."""
    weight = tables.pos_weight**power
    return jimb.sigmoid_cross_entropy_loss(logits, labels, pos_weight=weight)


def class_balanced(logits: Array, labels: Array, tables: Tables) -> Array:
    """All terms of a label times its weight."""
    return tables.class_weights * jimb.sigmoid_cross_entropy_loss(logits, labels)


def focal(logits: Array, labels: Array, tables: Tables) -> Array:
    """With the γ of its paper, and no α."""
    return jimb.sigmoid_focal_loss(logits, labels, gamma=2.0)


def asymmetric(logits: Array, labels: Array, tables: Tables, *, focus_gradient: bool) -> Array:
    """With or without the gradient through the focusing weights; its authors train without."""
    return jimb.sigmoid_asymmetric_loss(logits, labels, focus_gradient=focus_gradient)


METHODS = {
    "cross-entropy (CE)": Method(cross_entropy),
    "CE (bias from frequencies)": Method(cross_entropy, start="frequency"),
    "CE (bias 0)": Method(cross_entropy, start="half"),
    "focal (γ=2)": Method(focal),
    "asymmetric (as its authors train)": Method(partial(asymmetric, focus_gradient=False)),
    "asymmetric (the formula's gradient)": Method(partial(asymmetric, focus_gradient=True)),
    "class-balanced": Method(class_balanced),
    "pos_weight": Method(partial(weighted_positives, power=1.0)),
    "√pos_weight": Method(partial(weighted_positives, power=0.5)),
    "repeat factors": Method(cross_entropy, repeats=True),
}
