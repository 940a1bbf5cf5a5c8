"""What a user with type checkers writes: no result may be Any or Unknown, nothing needs a cast.

`.ci/run` gives it to mypy and pyright where only the wheel is installed, without jaxtyping.
"""

from collections.abc import Callable
from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from jimb.difficulty import DifficultyState
from jimb.metrics import (
    ConfusionState,
    Measures,
    ShotAccuracy,
    TallyState,
    WeightedConfusionState,
)

LABELS = jnp.array([0, 0, 0, 0, 1, 1])
LOGITS = jnp.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 1.0], [1.0, 0.0]])


def loss(logits: Array, labels: Array, class_weights: Array, where: Array) -> Array:
    losses = assert_type(jimb.softmax_focal_loss(logits, labels, gamma=2.0, where=where), Array)
    weights = assert_type(jimb.take_class(class_weights, labels), Array)
    return assert_type(jimb.weighted_mean(losses, weights, where=where), Array)


def weights_and_losses() -> None:
    counts = jimb.class_counts(LABELS, 2)  # a NumPy array if the labels are
    class_weights = assert_type(jimb.effective_number_weights(counts, beta=0.999), Array)
    assert_type(jimb.inverse_frequency_weights([4, 2]), Array)
    assert_type(jimb.class_balanced_focal_loss(LOGITS, np.asarray(LABELS), counts), Array)
    assert_type(jimb.logit_adjusted_loss(LOGITS, LABELS, counts), Array)
    gradient = jax.grad(loss)(LOGITS, LABELS, class_weights, jnp.ones(6, bool))
    assert gradient.shape == LOGITS.shape

    def of_gamma(gamma: Array) -> Array:
        return jimb.weighted_mean(jimb.softmax_focal_loss(LOGITS, LABELS, gamma=gamma))

    grid: Callable[..., Any] = jimb.sweep(of_gamma, {"gamma": jnp.array([0.0, 2.0])})
    assert grid().shape == (2,)


def difficulty_and_sampling() -> None:
    state = assert_type(jimb.difficulty.init(6, 2), DifficultyState)
    state = assert_type(jimb.difficulty.update(state, LOGITS, LABELS), DifficultyState)
    weights = assert_type(jimb.difficulty.sampling_weights(state), Array)
    plan = assert_type(jimb.sampling.epoch_plan(jax.random.key(0), weights, 8), Array)
    assert plan.shape == (8,)
    losses = jimb.difficulty.last_loss.update(jimb.difficulty.last_loss.init(6, 2), LOGITS, LABELS)
    assert_type(losses.losses, Array)
    assert_type(jimb.sampling.class_power(LABELS, [4, 2], power=0.5), Array)
    assert_type(jimb.mining.hard_example_weights(losses.losses, keep=0.5), Array)


def measures() -> None:
    predictions = assert_type(jimb.posthoc.adjust_logits(LOGITS, [0.9, 0.1]), Array).argmax(-1)
    state = assert_type(jimb.metrics.init(2), ConfusionState)
    state = assert_type(jimb.metrics.update(state, predictions, LABELS), ConfusionState)
    tally = assert_type(jimb.metrics.init_tally(2), TallyState)
    tally = assert_type(jimb.metrics.update(tally, predictions, LABELS), TallyState)
    assert_type(jimb.metrics.accuracy(jimb.metrics.merge(tally, tally)), Array)
    assert_type(jimb.metrics.balanced_accuracy(state), Array)
    assert_type(jimb.metrics.compute(state), Measures)
    weighted = assert_type(jimb.metrics.init_weighted(2), WeightedConfusionState)
    weighted = jimb.metrics.update(weighted, predictions, LABELS, weights=jnp.ones(6))
    assert_type(assert_type(weighted, WeightedConfusionState).high, Array)
    assert_type(jimb.metrics.mean_iou(weighted), Array)
    assert_type(jimb.metrics.roc_auc(LOGITS[:, 1], LABELS), Array)
    assert_type(jimb.metrics.compute(state).macro_f1, Array)
    assert_type(jimb.metrics.shot_accuracy(state, [200, 5]), ShotAccuracy)


if __name__ == "__main__":
    weights_and_losses()
    difficulty_and_sampling()
    measures()
