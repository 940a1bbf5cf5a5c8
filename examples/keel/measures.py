"""Measures of scores, and what is done with the scores after training."""

import jax
import jax.numpy as jnp
from jax import Array

import jimb

MEASURES = ("balanced accuracy", "G-mean", "F1", "MCC", "PR-AUC", "ROC-AUC")
# Shown, but no measure to compare methods by: of each class, the share that is called so.
RATES = ("recall", "specificity")


def measure(scores: Array, labels: Array, judged: Array) -> Array:
    """The MEASURES and RATES `[M]` of scores `[N]`, of those rows that are judged."""
    metrics = jimb.metrics
    predicted = (scores >= 0).astype(int)
    state = metrics.update(metrics.init(2), predicted, labels, where=judged)
    specificity, recall = metrics.per_class_recall(state)
    return jnp.stack(
        [
            metrics.balanced_accuracy(state),
            metrics.geometric_mean(state),
            metrics.f1(state),
            metrics.matthews_correlation(state),
            metrics.average_precision(scores, labels, where=judged),
            metrics.roc_auc(scores, labels, where=judged),
            recall,
            specificity,
        ]
    )


def adjusted(scores: Array, counts: Array, tau: Array) -> Array:
    """Scores with the prior taken out of the logits."""
    logits = jnp.stack([jnp.zeros_like(scores), scores], -1)
    prior = counts / counts.sum()
    moved = jimb.posthoc.adjust_logits(logits, prior, tau=tau)
    return moved[..., 1] - moved[..., 0]


def past_threshold(
    scores: Array, chosen_on: Array, labels: Array, judged: Array, *, midway: bool
) -> Array:
    """Scores that are 0 at the threshold of the best balanced accuracy of other scores.

    It is one of their probabilities, or midway between two of them.
    """
    p = jax.nn.sigmoid(chosen_on)
    choice = jimb.posthoc.choose_threshold(p, labels, midway=midway, where=judged)
    t = jnp.clip(choice.value, 1e-7, 1 - 1e-7)
    return scores - jnp.log(t / (1 - t))
