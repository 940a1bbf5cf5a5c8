"""The benchmark's calibration: by the training frequencies, corrected without a look at itself."""

import types

import numpy as np
import pytest
from scipy import optimize, special

from examples.benchmark import calibration, calibration_page, measures, tasks
from examples.benchmark.results import Result

COUNTS = np.array([60, 30, 10])
RNG = np.random.default_rng(0)
LABELS = RNG.permuted(np.repeat([[0, 1, 2]] * 2, 30, axis=1), axis=1)  # [2, 90]
LOGITS = (RNG.normal(size=(2, 90, 3)) + 2 * np.eye(3)[LABELS]).astype(np.float32)


def task_of(labels, counts):
    """A task whose test examples are the whole pool, trial after trial."""
    return types.SimpleNamespace(
        counts=counts,
        class_of_group=np.arange(len(counts)),
        groups=labels.ravel(),
        tested=np.arange(labels.size).reshape(labels.shape),
    )


def figures_by_hand(p, y, w):
    """ECE of 15 bins of the largest probability, and the Brier score."""
    confidence, right = p.max(-1), p.argmax(-1) == y
    bins = np.minimum((15 * confidence).astype(int), 14)
    gaps = np.bincount(bins, w * (right - confidence), 15)
    brier = np.sum((p - np.eye(p.shape[-1])[y]) ** 2, -1)
    return np.abs(gaps).sum() / w.sum(), (w * brier).sum() / w.sum()


def scaled_by_hand(z, y, w, others):
    def loss(log_t):
        return (w * -special.log_softmax(z / np.exp(log_t), -1)[np.arange(len(y)), y]).sum()

    found = optimize.minimize_scalar(
        loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9}
    )
    return others / np.exp(found.x)


@pytest.fixture(scope="module")
def found():
    return calibration.calibration_of(task_of(LABELS, COUNTS), LOGITS)


def test_each_class_weighs_as_in_the_training_set():
    weights = calibration.weights_of(LABELS[:, :80], COUNTS)
    for w, y in zip(weights, LABELS[:, :80], strict=True):
        np.testing.assert_allclose(np.bincount(y, w) / w.sum(), COUNTS / 100, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("trial", [0, 1])
def test_the_figures_are_those_of_a_calculation_by_hand(found, trial):
    z, y = LOGITS[trial].astype(np.float64), LABELS[trial]
    w = (COUNTS / 100 * 3)[y]
    raw = figures_by_hand(special.softmax(z, -1), y, w)
    order = np.argsort(y, kind="stable")
    corrected = z.copy()
    for fit, rest in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        corrected[rest] = scaled_by_hand(z[fit], y[fit], w[fit], z[rest])
    after = figures_by_hand(special.softmax(corrected, -1), y, w)
    np.testing.assert_allclose(found[trial, 0, [0, 2]], raw, rtol=2e-6)
    np.testing.assert_allclose(found[trial, 1, [0, 2]], after, rtol=2e-5)


@pytest.mark.slow
def test_biases_bring_back_frequencies_that_were_shifted(found):
    shifted = (LOGITS - np.log(COUNTS / 100)).astype(np.float32)
    moved = calibration.calibration_of(task_of(LABELS, COUNTS), shifted)
    assert (moved[:, 0, 2] > found[:, 0, 2] + 0.18).all()  # Brier, as trained
    np.testing.assert_allclose(moved[:, 2, 2], found[:, 2, 2], atol=0.015)  # l2 holds them apart


@pytest.mark.slow
def test_of_two_classes_it_is_the_probability_of_the_event():
    labels, counts = LABELS[:, :60] % 2, np.array([99, 1])
    logits = LOGITS[:, :60, :2]
    found = calibration.calibration_of(task_of(labels, counts), logits)
    for trial in (0, 1):
        y = labels[trial]
        w = (counts / 100 * 60 / np.bincount(y))[y]
        p = special.softmax(logits[trial].astype(np.float64), -1)[:, 1]
        np.testing.assert_allclose(
            found[trial, 0, 2], (w * (p - y) ** 2).sum() / w.sum(), rtol=2e-6
        )


def test_the_page_has_what_was_found_in_hundredths():
    numbers = np.zeros((2, 3, 3))
    numbers[:, 0], numbers[:, 1], numbers[:, 2] = 0.2, 0.05, 0.005
    other = numbers + np.array([0.02, 0.03])[:, None, None]
    spec = tasks.TASKS["digits"]
    results = {
        name: Result(np.zeros((2, 3, 3), int), each, 1.0)
        for name, each in (("cross-entropy (CE)", numbers), ("label smoothing", other))
    }
    outcome = measures.Outcome("digits", spec, COUNTS, np.arange(3), results, {}, 0)
    page = calibration_page.calibration_page([outcome])
    assert page.count("| cross-entropy (CE) | 20.0→5.0→0.50 |") == 2
    assert page.count("| label smoothing | 22.5→7.5→3.0 |") == 2
    assert page.count("| *largest standard error* | 0.50 |") == 2
    assert page.count("| label smoothing | +2.5 ± 0.5 → +2.5 ± 0.5 |") == 1
    words = " ".join(page.split())
    assert "as trained CE has 20.00, 0 of 1 others have less and 1 more" in words
