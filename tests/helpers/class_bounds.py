"""Bounds of the losses that know the class counts: prior-shift and class-balanced."""

import jax
import numpy as np

import jimb
from tests.helpers.accuracy import rounded_once
from tests.helpers.exact import (
    focal,
    relative_error,
    sigmoid_reference,
    softmax_inputs,
    softmax_reference,
    values_and_gradients,
)
from tests.helpers.figures import Figure

CLASSES = 10
COUNTS = np.round(5000 * 100 ** (-np.arange(CLASSES) / (CLASSES - 1)))
PRIOR = COUNTS / COUNTS.sum()
MARGINS = 0.5 * (COUNTS / COUNTS.min()) ** -0.25
SCALES = (COUNTS / COUNTS.max()) ** np.float64(np.float32(0.2))
TAU = np.float64(np.float32(1.3))


def seesaw_logits(z, is_label):
    """Of the label and of all other classes, with the mitigation and compensation of each."""
    p, least = np.float64(np.float32(0.8)), np.float64(np.float32(0.01))
    log = z - z.max(-1, keepdims=True)
    log = log - np.log(np.sum(np.exp(log), axis=-1, keepdims=True))
    of_label, n = log[is_label][:, None], COUNTS / np.sum(COUNTS * is_label, axis=-1)[:, None]
    compensation = 2 * np.maximum(log - np.maximum(of_label, np.log(least)), 0)
    return z + p * np.minimum(np.log(n), 0) + compensation, 1.0


# Prior-shift losses: `CE(z')` of logits z' that are an affine function of z, or, in Seesaw, z and
# what is taken for a constant, within the bound of
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
    "seesaw": (lambda z, y, g: jimb.seesaw_loss(z, y, COUNTS), seesaw_logits),
}


def prior_shift_inputs(rows=300):
    z, y, gamma = softmax_inputs(CLASSES, rows=rows, seed=5)
    return z, y, np.zeros_like(gamma)


def prior_shift_reference(name, z, y, gamma=0.0):
    is_label = np.eye(CLASSES, dtype=bool)[y]
    shifted, factor = PRIOR_SHIFT[name][1](np.float64(z), is_label)
    value, gradient, exponent, gradient_exponent = softmax_reference(shifted, y, 0.0)
    return value, gradient * factor, exponent, gradient_exponent


def prior_shift(names=tuple(PRIOR_SHIFT), *, rows=300, jit=jax.jit):
    z, y, gamma = prior_shift_inputs(rows)
    losses, figures = {name: PRIOR_SHIFT[name][0] for name in names}, []
    for name, (value, gradient) in values_and_gradients(losses, z, y, gamma, jit=jit).items():
        exact, exact_gradient, exponent, gradient_exponent = prior_shift_reference(name, z, y)
        rounded = np.max(np.abs(np.float64(z)), axis=-1) if name == "vs" else 0 * exponent
        unit = 4e-6 + 1.2e-7 * (np.minimum(exponent, 120) + rounded)
        error = relative_error(value, exact, in_units_of=unit)
        figures.append(Figure(f"{name}: value, in units of its bound", error, 1))
        unit = 4e-6 + 1.2e-7 * (np.minimum(gradient_exponent, 120) + rounded[:, None])
        error = relative_error(gradient, exact_gradient, in_units_of=unit)
        figures.append(Figure(f"{name}: gradient, in units of its bound", error, 1))
    return figures


def prior_shift_half(names, dtype, *, rows=300, jit=jax.jit):
    """Computed in float32, rounded once."""
    z, y, gamma = prior_shift_inputs(rows)
    losses = {name: PRIOR_SHIFT[name][0] for name in names}
    z, figures = z.astype(dtype), []
    for name, results in values_and_gradients(losses, z, y, gamma, jit=jit).items():
        expected = prior_shift_reference(name, np.float64(z), y)[:2]
        figures += rounded_once(name, results, expected, dtype, above=1e-36, inexact=0.003)
    return figures


# The class-balanced trio: the weight of the label's class times the loss, within the loss's bound.


BETA = 0.9999
BALANCED = {
    "cb_softmax": lambda z, y, g: jimb.class_balanced_softmax_loss(z, y, COUNTS, beta=BETA),
    "cb_sigmoid": lambda z, y, g: jimb.class_balanced_sigmoid_loss(z, y, COUNTS, beta=BETA),
    "cb_focal": lambda z, y, g: jimb.class_balanced_focal_loss(z, y, COUNTS, beta=BETA, gamma=g),
}


def class_balanced_reference(name, z, y, gamma):
    """Value, gradient, and how far the exponents of each are from 0."""
    inverse = (1 - BETA) / (1 - BETA**COUNTS)
    weight = (inverse / inverse.sum() * CLASSES)[y]
    if name == "cb_softmax":
        value, gradient, *exponents = softmax_reference(z, y, 0 * gamma)
    else:
        sign = np.where(np.eye(CLASSES, dtype=bool)[y], -1, 1)
        u = sign * np.float64(z)
        values, slopes = focal(u, gamma[:, None] if name == "cb_focal" else 0.0)
        value, gradient = values.sum(-1), sign * slopes
        exponents = [np.max(np.abs(u), axis=-1), np.abs(u) * 2]
    return weight * value, weight[:, None] * gradient, *exponents


def class_balanced(*, rows=300, jit=jax.jit):
    z, y, gamma = softmax_inputs(CLASSES, rows=rows, seed=6)
    figures = []
    for name, (value, gradient) in values_and_gradients(BALANCED, z, y, gamma, jit=jit).items():
        g = np.float64(gamma) if name == "cb_focal" else np.zeros(len(y))
        exact, exact_gradient, exponent, gradient_exponent = class_balanced_reference(name, z, y, g)
        unit = 4e-6 + 1.2e-7 * (1 + g) * np.minimum(exponent, 120)
        error = relative_error(value, exact, above=1e-36, in_units_of=unit)
        figures.append(Figure(f"{name}: value, in units of its bound", error, 1))
        unit = 4e-6 + 1.2e-7 * (1 + g[:, None]) * np.minimum(gradient_exponent, 120)
        error = relative_error(gradient, exact_gradient, above=1e-36, in_units_of=unit)
        figures.append(Figure(f"{name}: gradient, in units of its bound", error, 1))
    return figures


# One-vs-all losses with weights, and with a γ, of each class.


RATIOS = np.linspace(0, 1.5, CLASSES, dtype=np.float32)
OF_RATIOS = np.float64(RATIOS)
EQUALIZED = {
    "equalization": lambda z, y, g: jimb.equalization_loss(z, y, RATIOS),
    "equalized_focal": lambda z, y, g: jimb.equalized_focal_loss(z, y, RATIOS, alpha=None),
}


def equalized_reference(name, z, y):
    """Value, gradient, how far the exponent is from 0, and γ."""
    gamma = np.zeros(z.shape)
    if name == "equalization":
        x = 12 * (OF_RATIOS - np.float64(np.float32(0.8)))
        weight = np.where(y > 0, 1 + 4 / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))
    else:
        gamma = 2 + 8 * (1 - np.minimum(OF_RATIOS, 1)) + gamma
        weight = gamma / 2
    value, gradient, exponent, gradient_exponent = sigmoid_reference(z, y, gamma)
    return weight * value, weight * gradient, exponent, gradient_exponent, gamma


def equalized(*, rows=300, jit=jax.jit):
    z, _, gamma = softmax_inputs(CLASSES, rows=rows, seed=7)
    y = np.random.default_rng(7).integers(0, 2, z.shape).astype(np.int32)
    figures = []
    for name, (value, gradient) in values_and_gradients(EQUALIZED, z, y, gamma, jit=jit).items():
        exact, exact_gradient, exponent, gradient_exponent, g = equalized_reference(name, z, y)
        for what, got, expected, size in (
            ("value", value, exact, exponent),
            ("gradient", gradient, exact_gradient, gradient_exponent),
        ):
            unit = 4e-6 + 1.2e-7 * (1 + g) * np.minimum(size, 120)
            error = relative_error(got, expected, above=1e-36, in_units_of=unit)
            figures.append(Figure(f"{name}: {what}, in units of its bound", error, 1))
    return figures
