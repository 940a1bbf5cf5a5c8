"""How far probabilities are from frequencies, as trained and after two corrections.

Frequencies are those of the training set: each test example weighs its class's share of the
training examples over that of the test examples. A correction is fitted on one half of the test
examples and measured on the other, and the other way round.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples.benchmark.task import Task
from jimb import posthoc
from jimb.metrics import calibration

READINGS = ("as trained", "with a temperature", "with vector scaling")
FIGURES = ("ECE", "ECE of equal mass", "Brier")
FINE_BINS = 1500


def calibration_of(task: Task, logits: Array) -> np.ndarray:
    """Shares of 1, `[S, readings, figures]`, of the logits of the test examples `[S, T, K]`."""
    labels = task.class_of_group[task.groups[task.tested]]
    weights = weights_of(labels, task.counts)
    order = np.argsort(labels, axis=-1, kind="stable")  # every second of each class
    halves = order[:, 0::2], order[:, 1::2]
    found = figures(logits, labels.astype(np.int32), weights, *halves)
    return np.asarray(found, np.float64)


def weights_of(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of test examples, `[S, T]`: with them each class is as frequent as in the training set."""
    tested = np.stack([np.bincount(row, minlength=len(counts)) for row in labels])
    ratio = (counts / counts.sum()) * labels.shape[-1] / np.maximum(tested, 1)
    return np.take_along_axis(ratio, labels, -1).astype(np.float32)


@jax.jit
def figures(logits: Array, labels: Array, weights: Array, first: Array, second: Array) -> Array:
    """All readings of all trials; the positions of the halves are `first` and `second`."""

    def of_trial(trial: tuple[Array, ...]) -> Array:
        z, y, w, *halves = trial
        states = [calibration.init(FINE_BINS)] * len(READINGS)
        for fit, rest in (halves, halves[::-1]):
            read = readings(z[fit], y[fit], w[fit], z[rest])
            states = [
                added(state, z, y[rest], w[rest]) for state, z in zip(states, read, strict=True)
            ]
        measures = [calibration.compute(state) for state in states]
        return jnp.stack([jnp.stack([m.ece, m.equal_mass_ece, m.brier]) for m in measures])

    found: Array = jax.lax.map(of_trial, (logits, labels, weights, first, second))
    return found


def readings(z: Array, y: Array, w: Array, others: Array) -> tuple[Array, Array, Array]:
    """Other logits, and what a temperature and a vector scaling fitted here make of them."""
    temperature = posthoc.fit_temperature(z, y, weights=w)
    scaling = posthoc.fit_vector_scaling(z, y, weights=w)
    scaled = posthoc.scale_logits(others, scaling.scales, biases=scaling.biases)
    return others, others / temperature, scaled


def added(
    state: calibration.CalibrationState, z: Array, y: Array, w: Array
) -> calibration.CalibrationState:
    """Of two classes the confidence is that of the event, of more that of the largest."""
    p = jax.nn.softmax(z)
    if z.shape[-1] == 2:
        return calibration.update(state, p[..., 1], y, binary=True, weights=w)
    return calibration.update(state, p, y, weights=w)
