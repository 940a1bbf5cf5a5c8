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
from jimb.gradient_ratio import GradientRatioState
from jimb.metrics import (
    ConfusionState,
    Measures,
    ShotAccuracy,
    TallyState,
    WeightedConfusionState,
    calibration,
)
from jimb.posthoc import VectorScaling

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
    of_labels = jimb.multi_hot_counts(jnp.eye(2)[LABELS])  # a NumPy array if the labels are
    assert_type(jimb.balanced_pos_weight(of_labels, 6), Array)
    key = jax.random.key(0)
    assert_type(jimb.one_vs_all_bias_init(key, (2,), prior=0.01), Array)
    assert_type(jimb.one_vs_all_bias_init(key, (2,), counts=[4, 2], num_examples=6), Array)
    assert_type(jimb.label_density_weights(LOGITS[:, 0], num_bins=10), Array)
    gradient = jax.grad(loss)(LOGITS, LABELS, class_weights, jnp.ones(6, bool))
    assert gradient.shape == LOGITS.shape

    def of_gamma(gamma: Array) -> Array:
        return jimb.weighted_mean(jimb.softmax_focal_loss(LOGITS, LABELS, gamma=gamma))

    grid: Callable[..., Any] = jimb.sweep(of_gamma, {"gamma": jnp.array([0.0, 2.0])})
    assert grid().shape == (2,)


def losses_that_adapt() -> None:
    assert_type(jimb.seesaw_loss(LOGITS, LABELS, [4, 2]), Array)
    questions = jnp.eye(2)[LABELS]
    state = assert_type(jimb.gradient_ratio.init(2), GradientRatioState)
    ratio = assert_type(jimb.gradient_ratio.compute(state), Array)
    losses = assert_type(jimb.equalization_loss(LOGITS, questions, ratio), Array)
    assert losses.shape == LOGITS.shape
    assert_type(jimb.equalized_focal_loss(LOGITS, questions, ratio), Array)
    state = jimb.gradient_ratio.update(state, LOGITS, questions, loss=jimb.equalization_loss)
    assert_type(state, GradientRatioState)


def difficulty_and_sampling() -> None:
    state = assert_type(jimb.difficulty.init(6, 2), DifficultyState)
    state = assert_type(jimb.difficulty.update(state, LOGITS, LABELS), DifficultyState)
    weights = assert_type(jimb.difficulty.sampling_weights(state), Array)
    plan = assert_type(jimb.sampling.epoch_plan(jax.random.key(0), weights, 8), Array)
    assert plan.shape == (8,)
    losses = jimb.difficulty.last_loss.update(jimb.difficulty.last_loss.init(6, 2), LOGITS, LABELS)
    assert_type(losses.losses, Array)
    assert_type(jimb.sampling.class_power(LABELS, [4, 2], power=0.5), Array)
    key = jax.random.key(0)
    assert_type(jimb.sampling.repeat_factors(jnp.eye(2)[LABELS], threshold=0.5), Array)
    assert_type(jimb.sampling.subset_plan(key, weights, 3), Array)
    assert_type(jimb.sampling.inclusion_probabilities(weights, 3), Array)
    assert_type(jimb.sampling.stratified_batches(key, LABELS, 2, per_class=[2, 1]), Array)
    assert_type(jimb.sampling.undersample_plan(key, LABELS, 2, replacement=True), Array)
    assert_type(jimb.mining.hard_example_weights(losses.losses, keep=0.5), Array)


def calibrated() -> None:
    t = assert_type(jimb.posthoc.fit_temperature(LOGITS, LABELS), Array)
    fit = assert_type(jimb.posthoc.fit_vector_scaling(LOGITS, LABELS), VectorScaling)
    scaled = jimb.posthoc.scale_logits(LOGITS / t, fit.scales, biases=fit.biases)
    probabilities = jax.nn.softmax(assert_type(scaled, Array))
    state = assert_type(calibration.init(3000), calibration.CalibrationState)
    state = calibration.update(state, probabilities, LABELS)
    state = assert_type(calibration.merge(state, state), calibration.CalibrationState)
    found = assert_type(calibration.compute(state), calibration.CalibrationMeasures)
    assert_type(found.equal_mass_ece, Array)
    points = calibration.reliability(state, equal_mass=True)
    assert_type(assert_type(points, calibration.Reliability).accuracy, Array)


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
    losses_that_adapt()
    difficulty_and_sampling()
    calibrated()
    measures()
