"""The mean loss of a batch in each family; every number is traced."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import jimb
from examples.keel.methods import Numbers


class Classes(NamedTuple):
    """Of the rows that a training sees, `[2]` each; and how far its weights are on."""

    counts: Array
    weights: Array


class Margin(NamedTuple):
    """What the AUC-margin loss learns beside the model."""

    a: Array  # the mean score of positives
    b: Array  # of negatives
    alpha: Array  # how much the difference of the two counts


# (logits [B, 2], labels [B], numbers, classes, margin) -> a scalar
LossFn = Callable[[Array, Array, Numbers, Classes, Margin], Array]


def class_weights(counts: Array, numbers: Numbers) -> Array:
    """`[2]`; of the two kinds one at most is not 1."""
    inverse = jimb.inverse_frequency_weights(counts, power=numbers.power)
    effective = jimb.effective_number_weights(counts, beta=numbers.beta)
    weights: Array = inverse * effective
    return weights


def softmax(
    logits: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """Focal loss with class weights over the scores of the VS loss; all 0 is cross-entropy."""
    counts = classes.counts.astype(jnp.float32)
    scores = logits * (counts / counts.max()) ** numbers.exponent
    scores = scores + numbers.tau * jnp.log(counts / counts.sum())
    losses = jimb.softmax_focal_loss(
        scores,
        labels,
        gamma=numbers.gamma,
        label_smoothing=numbers.smoothing,
        class_weights=classes.weights,
    )
    return losses.mean()


def one_vs_all(
    logits: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """A question for each class; focal, with class weights."""
    answers = jax.nn.one_hot(labels, 2, dtype=logits.dtype)
    losses = jimb.sigmoid_focal_loss(logits, answers, gamma=numbers.gamma)
    return (jimb.take_class(classes.weights, labels) * losses.sum(-1)).mean()


def asymmetric(
    logits: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """A question for each class; negatives are focused otherwise than positives."""
    answers = jax.nn.one_hot(labels, 2, dtype=logits.dtype)
    losses = jimb.sigmoid_asymmetric_loss(
        logits, answers, gamma_pos=numbers.gamma, gamma_neg=numbers.negatives
    )
    return losses.sum(-1).mean()


def mined(
    logits: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """Cross-entropy of the hardest of the batch."""
    losses = jimb.softmax_cross_entropy_loss(logits, labels)
    return jimb.weighted_mean(losses, jimb.mining.hard_example_weights(losses, keep=numbers.keep))


def cosine(
    cosines: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """LDAM of cosines, with class weights."""
    losses = jimb.ldam_loss(cosines, labels, classes.counts, max_margin=numbers.margin, scale=30.0)
    return (jimb.take_class(classes.weights, labels) * losses).mean()


def auc_margin(
    logits: Array, labels: Array, numbers: Numbers, classes: Classes, margin: Margin
) -> Array:
    """The surrogate of the area under the ROC curve of Yuan 2021, minimal in all but `alpha`.

    Its value is right, and so is every gradient but that of `alpha`, which is negative: a step
    down in all of them is a step up in `alpha`.
    """
    h = jax.nn.sigmoid(logits[:, 1] - logits[:, 0])
    positive = (labels == 1).astype(h.dtype)
    p = classes.counts[1] / classes.counts.sum()
    alpha = 2 * jax.lax.stop_gradient(margin.alpha) - margin.alpha
    near = (1 - p) * positive * (h - margin.a) ** 2 + p * (1 - positive) * (h - margin.b) ** 2
    apart = p * (1 - positive) * h - (1 - p) * positive * h
    return (near + 2 * alpha * apart).mean() + p * (1 - p) * (2 * alpha * numbers.margin - alpha**2)


LOSSES: dict[str, LossFn] = {
    "softmax": softmax,
    "one-vs-all": one_vs_all,
    "asymmetric": asymmetric,
    "mined": mined,
    "cosine": cosine,
    "AUC": auc_margin,
    "drawn": softmax,
    "interpolated": softmax,
}
