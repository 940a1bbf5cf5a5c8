"""Calibration in the report: a half of the test set at the temperature of the other."""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, log_softmax, softmax

from examples import training
from examples.train import arrays, calibration, figure, mesh
from examples.train.settings import Settings

ROWS, PADDED, CLASSES, BINS = 200, 208, 3, 15


def task():
    """Logits that are too sure in the even rows and not sure enough in the odd ones."""
    rng = np.random.default_rng(0)
    truth = 2 * rng.normal(size=(ROWS, CLASSES))
    labels = (truth + rng.gumbel(size=truth.shape)).argmax(1).astype(np.int32)
    logits = np.where(np.arange(ROWS)[:, None] % 2 == 0, 3, 0.5) * truth
    return logits.astype(np.float32), labels


def calibrated(monkeypatch, devices, loss, scale=1.0):
    """Of a model that has these logits, with eight rows of padding."""
    logits, labels = task()
    index = np.arange(PADDED) % ROWS
    recipe = training.Recipe(1, CLASSES, loss)
    monkeypatch.setattr(training, "predict", lambda state, inputs, *, recipe: inputs)
    with jax.set_mesh(jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])):
        data = training.Data(scale * logits[index], labels[index])
        given = mesh.laid_out((data, np.arange(PADDED) < ROWS), P("data"))
        # Compiled anew: in the cache it may be with another `predict`.
        calibrate = jax.jit(calibration.calibrate.__wrapped__, static_argnames="recipe")
        found = calibrate(None, arrays.TestSet(*given), recipe=recipe)
        return calibration.read(mesh.to_host(found))


def expected(one_vs_all):
    """Temperatures, and ECE and Brier score before and after, in float64."""
    logits, labels = task()
    logits = log_expit(logits.astype(float)) if one_vs_all else logits.astype(float)
    even = np.arange(ROWS) % 2 == 0

    def loss(half, t):
        return -log_softmax(logits / t, axis=1)[np.arange(ROWS), labels][half].sum()

    fitted = [
        np.exp(minimize_scalar(lambda x, half=half: loss(half, np.exp(x)), tol=1e-10).x)
        for half in (even, ~even)
    ]
    other = np.where(even, fitted[1], fitted[0])[:, None]
    return fitted, *(errors(softmax(z, axis=1), labels) for z in (logits, logits / other))


def errors(p, labels):
    confidence, right = p.max(1), p.argmax(1) == labels
    place = np.minimum((BINS * confidence).astype(int), BINS - 1)
    gaps = [np.sum((right - confidence)[place == k]) for k in range(BINS)]
    return np.abs(gaps).sum() / ROWS, ((p - np.eye(CLASSES)[labels]) ** 2).sum(1).mean()


@pytest.mark.slow  # a few seconds each to compile
@pytest.mark.parametrize(
    ("devices", "loss", "scale"),
    [
        *((8, "ce", 1.0), (1, "ce", 1.0), (8, "cb-focal", 1.0)),
        (1, "ldam", 1 / 30),  # its logits are cosines
    ],
)
def test_each_half_is_measured_at_the_temperature_of_the_other(monkeypatch, devices, loss, scale):
    found = calibrated(monkeypatch, devices, loss, scale)
    temperatures, *measures = expected(one_vs_all=loss == "cb-focal")
    assert temperatures[0] > 1 > temperatures[1]
    np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-5)
    for (seen, points), (ece, brier) in zip(found[1:], measures, strict=True):
        np.testing.assert_allclose((seen.ece, seen.brier), (ece, brier), rtol=2e-5)
        apart = np.abs(points.accuracy - points.confidence).mean()
        np.testing.assert_allclose(seen.equal_mass_ece, apart, rtol=1e-5)
        np.testing.assert_allclose(points.weight, np.full(BINS, ROWS / BINS), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "shifts"),
    [
        ({}, False),
        ({"loss": "focal", "sampler": "uniform", "weights": "none"}, False),
        ({"loss": "ce", "weights": "sqrt-inverse"}, True),
        ({"sampler": "class-balanced"}, True),
        *(({"loss": loss}, True) for loss in ("balanced-softmax", "cb-sigmoid", "vs")),
    ],
)
def test_what_shifts_the_classes_is_said(options, shifts):
    assert (calibration.REBALANCED in calibration.notes(Settings(**options))) is shifts


def some(before, after):
    """A calibration with these points, `(confidence, accuracy)` each."""
    measured = [
        calibration.Measured(
            calibration.calibration.CalibrationMeasures(*np.float32([0.1, 0.3, 0.2, 0.01, 0.5])),
            calibration.calibration.Reliability(*np.array(points), np.ones(len(points[0]))),
        )
        for points in (before, after)
    ]
    return calibration.Calibration(np.array([1.25, 0.5]), *measured)


def test_what_the_reliability_shows():
    before, after = ([0.5, 1.0], [0.25, 0.75]), ([0.3, 0.8], [0.25, 0.75])
    whole, axes = plt.subplots()
    figure.draw_reliability(axes, some(before, after))
    _, *drawn = axes.lines  # the first is the diagonal
    for line, (x, y) in zip(drawn, (before, after), strict=True):
        np.testing.assert_allclose(line.get_xydata().T, 100 * np.array([x, y]))
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [
        "as trained: ECE 20.0 %, Brier 0.500",
        "at T = 1.25 and 0.50: ECE 20.0 %, Brier 0.500",
    ]
    plt.close(whole)
