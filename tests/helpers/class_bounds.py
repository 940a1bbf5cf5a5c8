"""Bounds of the losses that know the class counts: prior-shift and class-balanced."""

import jax
import numpy as np

import jimb
from tests.helpers.accuracy import rounded_once
from tests.helpers.exact import (
    focal,
    relative_error,
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
