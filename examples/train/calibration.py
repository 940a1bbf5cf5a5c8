"""The report: how far probabilities are frequencies on the test set, as trained and after it.

There is no validation part. So a temperature is fitted on each half of the test set, and the other
half is measured at it: no example is measured at what was fitted to it.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.train import mesh
from examples.train.arrays import TestSet
from examples.train.settings import Settings
from jimb import posthoc
from jimb.metrics import calibration

FINE_BINS = 30_000  # most confidences of a trained network lie close to 1
CLASSES_ALIKE = ("ce", "smoothed", "focal", "sigmoid", "sigmoid-focal", "asymmetric")
CROSS_FITTED = (
    "The temperature is fitted on each half of the test set and measured on the other half: no "
    "example is measured at what was fitted to it."
)
REBALANCED = (
    "The probabilities are those of the re-balanced stream, which no temperature changes: "
    "`jimb.posthoc.adjust_logits` or `fit_vector_scaling` brings those of the data back."
)


class Tested(NamedTuple):
    """The test set by bins of confidence."""

    temperatures: Array  # [2], fitted on its even examples, and on its odd ones
    before: calibration.CalibrationState
    after: calibration.CalibrationState  # each half at the temperature of the other


class Measured(NamedTuple):
    """Errors, and the points of a reliability diagram of 15 bins of one weight."""

    errors: calibration.CalibrationMeasures
    points: calibration.Reliability


class Calibration(NamedTuple):
    """What is read of it."""

    temperatures: np.ndarray
    before: Measured
    after: Measured


def rebalances(settings: Settings) -> bool:
    """Whether the training shifted classes against each other, by weights, draws or its loss."""
    shifts = (settings.loss or "ce") not in CLASSES_ALIKE
    weighs = settings.weights not in (None, "none")
    return shifts or weighs or settings.sampler not in (None, "uniform")


def notes(settings: Settings) -> list[str]:
    """What the numbers are of."""
    return [CROSS_FITTED, REBALANCED] if rebalances(settings) else [CROSS_FITTED]


@functools.partial(jax.jit, static_argnames="recipe")
def calibrate(state: training.TrainState, test: TestSet, *, recipe: training.Recipe) -> Tested:
    """Both halves, each at the temperature of the other."""
    outputs = training.predict(state, test.data.inputs, recipe=recipe)
    logits = training.as_logits(recipe.loss, outputs)
    even = jnp.arange(len(test.real)) % 2 == 0
    of_even, of_odd = (
        posthoc.fit_temperature(logits, test.data.labels, where=test.real & half)
        for half in (even, ~even)
    )
    other = jnp.expand_dims(jnp.where(even, of_odd, of_even), -1)
    return Tested(
        jnp.stack([of_even, of_odd]),
        binned(logits, test),
        binned(logits / other, test),
    )


def binned(logits: Array, test: TestSet) -> calibration.CalibrationState:
    """Counted, without the padding."""
    empty, probabilities = calibration.init(FINE_BINS), jax.nn.softmax(logits)
    return calibration.update(empty, probabilities, test.data.labels, where=test.real)


def read(tested: Tested) -> Calibration:
    """In this process alone, of what is on the host."""
    with mesh.alone():
        before, after = (
            Measured(calibration.compute(x), calibration.reliability(x, equal_mass=True))
            for x in (tested.before, tested.after)
        )
        measured = jax.tree.map(np.asarray, (before, after))
    return Calibration(np.asarray(tested.temperatures), *measured)
