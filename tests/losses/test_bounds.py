"""Bounds of their own: soft labels, prior-shift losses, asymmetric loss; value and gradient."""

import functools

import ml_dtypes
import numpy as np
import pytest

import jimb
from tests.helpers.exact import (
    SMALLEST,
    sigmoid_inputs,
    sigmoid_reference,
    softmax_inputs,
    softmax_reference,
    ulps,
    values_and_gradients,
    worst_ratio,
)
from tests.helpers.losses_table import jit

CLASSES = 10
COUNTS = np.round(5000 * 100 ** (-np.arange(CLASSES) / (CLASSES - 1)))
PRIOR = COUNTS / COUNTS.sum()
MARGINS = 0.5 * (COUNTS / COUNTS.min()) ** -0.25
SCALES = (COUNTS / COUNTS.max()) ** np.float64(np.float32(0.2))
TAU = np.float64(np.float32(1.3))


def relative_error(actual, expected, above=SMALLEST, in_units_of=1.0):
    """The largest, where the exact number is larger than `above`."""
    counted = np.abs(expected) > above
    error = np.abs(np.float64(actual) - expected) / np.where(counted, np.abs(expected), 1)
    return np.max(np.where(counted, error / in_units_of, 0))


# Soft labels. The gradient is a difference, so its error is measured against the sum of its terms'
# magnitudes; with sigmoid focal below 1e-33 a factor of a term is no longer a normal float32.


def soft_labels(rng, batch):
    y = rng.dirichlet(np.full(CLASSES, 0.3), batch)
    y[::5] = rng.dirichlet(np.full(CLASSES, 30.0), len(y[::5]))
    return y.astype(np.float32)


@pytest.mark.parametrize("focal", [False, True])
def test_softmax_with_soft_labels(focal):
    z, _, gamma = softmax_inputs(CLASSES, rows=200, seed=2)
    y = soft_labels(np.random.default_rng(2), len(z))
    gamma = gamma if focal else np.zeros_like(gamma)

    def loss(z, y, gamma):
        if focal:
            return jimb.softmax_focal_loss(z, y, gamma=gamma)
        return jimb.softmax_cross_entropy_loss(z, y)

    value, gradient = values_and_gradients({"": loss}, z, y, gamma)[""]
    wide = np.float64(y)
    of_class = [softmax_reference(z, np.full(len(z), c), np.float64(gamma)) for c in range(CLASSES)]
    exact_value = sum(wide[:, c] * of_class[c][0] for c in range(CLASSES))
    exact = sum(wide[:, c, None] * of_class[c][1] for c in range(CLASSES))
    terms = sum(wide[:, c, None] * np.abs(of_class[c][1]) for c in range(CLASSES))
    depth = np.ptp(np.float64(z), axis=-1)
    assert worst_ratio(value, exact_value, depth, gamma) <= 0.1
    assert worst_ratio(gradient - exact + terms, terms, depth[:, None], gamma[:, None]) <= 0.15


@pytest.mark.parametrize("focal", [False, True])
def test_sigmoid_with_soft_labels(focal):
    z, _, gamma = sigmoid_inputs(300, seed=2)
    gamma = gamma if focal else np.zeros_like(gamma)
    rng = np.random.default_rng(3)
    y = np.where(rng.uniform(size=z.shape) < 0.2, 10.0 ** rng.uniform(-30, 0, z.shape), 0)
    y = np.where(y > 0, y, rng.uniform(size=z.shape)).astype(np.float32)

    def loss(z, y, gamma):
        if focal:
            return jimb.sigmoid_focal_loss(z, y, gamma=gamma)
        return jimb.sigmoid_cross_entropy_loss(z, y)

    value, gradient = values_and_gradients({"": loss}, z, y, gamma)[""]
    log_p, log_q = -np.logaddexp(0, -np.float64(z)), -np.logaddexp(0, np.float64(z))
    positive, negative, g = np.float64(y), 1 - np.float64(y), np.float64(gamma)
    log_wrong = np.logaddexp(np.log(positive) + log_q, np.log(negative) + log_p)
    entropy = -positive * log_p - negative * log_q
    power = np.exp(g * log_wrong)
    slope = g * np.exp((g - 1) * log_wrong + log_p + log_q) * entropy  # times 1 - 2y
    exact = slope * (negative - positive)
    exact += power * (negative * np.exp(log_p) - positive * np.exp(log_q))
    terms = slope + power * (negative * np.exp(log_p) + positive * np.exp(log_q))
    assert worst_ratio(value, power * entropy, np.abs(z), gamma) <= 0.4
    terms, gradient = np.where(terms > 1e-33, [terms, gradient - exact + terms], 0)
    assert worst_ratio(gradient, terms, np.abs(z), gamma) <= 0.45


# Prior-shift losses: `CE(z')` of logits z' that are an affine function of z, within the bound of
# cross-entropy at z'. VS scales each class by its own factor, and rounds that product.

PRIOR_SHIFT = {
    "balanced": (
        lambda z, y, g: jimb.balanced_softmax_loss(z, y, COUNTS),
        lambda z, is_label: (z + np.log(COUNTS), 1.0),
    ),
    "logit_adjusted": (
        lambda z, y, g: jimb.logit_adjusted_loss(z, y, PRIOR, tau=1.3),
        lambda z, is_label: (z + TAU * np.log(PRIOR), 1.0),
    ),
    "ldam": (
        lambda z, y, g: jimb.ldam_loss(z, y, COUNTS, scale=3.0),
        lambda z, is_label: (3 * (z - MARGINS * is_label), 3.0),
    ),
    "vs_without_scaling": (
        lambda z, y, g: jimb.vs_loss(z, y, COUNTS, gamma=0.0, tau=1.3),
        lambda z, is_label: (z + TAU * np.log(PRIOR), 1.0),
    ),
    "vs": (
        lambda z, y, g: jimb.vs_loss(z, y, COUNTS, gamma=0.2, tau=1.3),
        lambda z, is_label: (SCALES * z + TAU * np.log(PRIOR), SCALES),
    ),
}


def prior_shift_inputs():
    z, y, gamma = softmax_inputs(CLASSES, rows=300, seed=5)
    return z, y, np.zeros_like(gamma)


def prior_shift_reference(name, z, y, gamma=0.0):
    is_label = np.eye(CLASSES, dtype=bool)[y]
    shifted, factor = PRIOR_SHIFT[name][1](np.float64(z), is_label)
    value, gradient, exponent, gradient_exponent = softmax_reference(shifted, y, 0.0)
    return value, gradient * factor, exponent, gradient_exponent


@pytest.mark.parametrize("name", PRIOR_SHIFT)
def test_prior_shift(name):
    z, y, gamma = prior_shift_inputs()
    losses = {name: PRIOR_SHIFT[name][0]}
    value, gradient = values_and_gradients(losses, z, y, gamma)[name]
    exact, exact_gradient, exponent, gradient_exponent = prior_shift_reference(name, z, y)
    rounded = np.max(np.abs(np.float64(z)), axis=-1) if name == "vs" else 0 * exponent
    in_units_of = 4e-6 + 1.2e-7 * (np.minimum(exponent, 120) + rounded)
    assert relative_error(value, exact, in_units_of=in_units_of) <= 1
    in_units_of = 4e-6 + 1.2e-7 * (np.minimum(gradient_exponent, 120) + rounded[:, None])
    assert relative_error(gradient, exact_gradient, in_units_of=in_units_of) <= 1


def sigmoid(z):
    return np.exp(-np.logaddexp(0, -np.float64(z)))


def asymmetric_negative(z, gamma, clip):
    """`-p_m^γ log(1 - p_m)` and its derivative in float64, without loss of digits."""
    log_p, log_q = -np.logaddexp(0, -z), -np.logaddexp(0, z)
    log_rest = np.logaddexp(log_q, np.log(clip) if clip > 0 else -np.inf)
    shifted = np.maximum(sigmoid(z) - clip, 0)
    inside = shifted > 0
    safe = np.where(inside, shifted, 1)
    rest = np.where(shifted < 0.5, np.log1p(-np.minimum(shifted, 0.5)), log_rest)
    slope = safe**gamma * np.exp(log_p + log_q - log_rest)
    slope -= gamma * rest * np.exp((gamma - 1) * np.log(safe) + log_p + log_q)
    return np.where(inside, -(safe**gamma) * rest, 0), np.where(inside, slope, 0)


def asymmetric_reference(z, y, gamma, clip):
    z = np.float64(z)
    value, gradient = asymmetric_negative(z, gamma, clip)
    positive, positive_gradient, _, _ = sigmoid_reference(z, y, np.float64(gamma))
    return np.where(y > 0, positive, value), np.where(y > 0, positive_gradient, gradient)


# The asymmetric loss: near the shift p - clip loses digits, which γ₋ multiplies, so a hundredth
# of it is left out; there the loss is below (clip / 100)^γ₋.


def asymmetric_inputs(clip, dtype=np.float32):
    z, y, gamma = sigmoid_inputs(500, seed=3)
    z = z.astype(dtype).astype(np.float32)
    z = np.where(np.abs(sigmoid(z) - clip) < 0.01 * clip, np.float32(1), z)
    return z, y, gamma


def asymmetric_loss(clip):
    def loss(z, y, gamma):
        return jimb.sigmoid_asymmetric_loss(z, y, gamma_pos=gamma, gamma_neg=gamma, clip=clip)

    return loss


@pytest.mark.parametrize("clip", [0.0, 0.05, 0.4])
def test_asymmetric(clip):
    z, y, gamma = asymmetric_inputs(clip)
    value, gradient = values_and_gradients({"": asymmetric_loss(clip)}, z, y, gamma)[""]
    exact = asymmetric_reference(z, y, np.float64(gamma), np.float64(np.float32(clip)))
    assert relative_error(value, exact[0], above=1e-36) <= 2.6e-5
    assert relative_error(gradient, exact[1], above=1e-34) <= 2.3e-5


# Half precision: computed in float32, rounded once.


HALF = {
    name: (loss, prior_shift_inputs, functools.partial(prior_shift_reference, name))
    for name, (loss, _) in PRIOR_SHIFT.items()
} | {
    "asymmetric": (
        asymmetric_loss(0.05),
        functools.partial(asymmetric_inputs, 0.05, ml_dtypes.bfloat16),
        functools.partial(asymmetric_reference, clip=np.float64(np.float32(0.05))),
    )
}


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("name", HALF)
def test_half_precision_is_correctly_rounded(name, dtype):
    loss, inputs, reference = HALF[name]
    z, y, gamma = inputs()
    z = z.astype(dtype)
    results = values_and_gradients({name: loss}, z, y, gamma, jit=jit)[name]
    expected = reference(np.float64(z), y, np.float64(gamma))[:2]
    for actual, exact in zip(results, expected, strict=True):
        apart = ulps(actual, exact.astype(dtype))[np.abs(exact) > 1e-36]
        assert np.max(apart) <= 1
        assert np.mean(apart == 0) >= 0.997
