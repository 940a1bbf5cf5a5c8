"""Cross-entropy and focal losses against exact values, in float32 and half precision."""

import jax
import jax.numpy as jnp
import numpy as np

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
from tests.helpers.figures import Figure

# The losses: (logits, labels, gamma) -> losses, with soft labels equal to the hard ones.


def soft(labels, logits):
    return (labels[:, None] == jnp.arange(logits.shape[-1])[None]).astype(jnp.float32)


SOFTMAX = {
    "ce": lambda z, y, g: jimb.softmax_cross_entropy_loss(z, y),
    "ce_soft": lambda z, y, g: jimb.softmax_cross_entropy_loss(z, soft(y, z)),
    "focal": lambda z, y, g: jimb.softmax_focal_loss(z, y, gamma=g),
    "focal_soft": lambda z, y, g: jimb.softmax_focal_loss(z, soft(y, z), gamma=g),
}
SIGMOID = {
    "ce": lambda z, y, g: jimb.sigmoid_cross_entropy_loss(z, y),
    "focal": lambda z, y, g: jimb.sigmoid_focal_loss(z, y, gamma=g),
    "focal_soft": lambda z, y, g: jimb.sigmoid_focal_loss(z, y.astype(jnp.float32), gamma=g),
}


def gamma_of(name, gamma):
    return np.zeros_like(gamma) if name.startswith("ce") else gamma


def relative(losses, reference, z, y, gamma, *, jit=jax.jit):
    """Of the value and of the gradient of each loss, in units of the bound."""
    figures = []
    for name, (value, gradient) in values_and_gradients(losses, z, y, gamma, jit=jit).items():
        g = gamma_of(name, gamma)
        exact, exact_gradient, exponent, gradient_exponent = reference(z, y, np.float64(g))
        per_element = g.reshape(g.shape + (1,) * (z.ndim - g.ndim))
        ratio = worst_ratio(value, exact, exponent, g)
        figures.append(Figure(f"{name}: value, in units of its bound", ratio, 1))
        ratio = worst_ratio(gradient, exact_gradient, gradient_exponent, per_element)
        figures.append(Figure(f"{name}: gradient, in units of its bound", ratio, 1))
    return figures


def softmax(num_classes, *, rows=None, jit=jax.jit):
    rows = rows or (30 if num_classes == 1000 else 300)
    return relative(SOFTMAX, softmax_reference, *softmax_inputs(num_classes, rows), jit=jit)


def sigmoid(*, rows=500, jit=jax.jit):
    return relative(SIGMOID, sigmoid_reference, *sigmoid_inputs(rows), jit=jit)


# Half precision: computed in float32, rounded once.


def rounded_once(name, results, expected, dtype, *, above=SMALLEST, inexact=0.01):
    """At most one number beyond the rounded exact one, and that for few."""
    figures = []
    for part, actual, exact in zip(("value", "gradient"), results, expected, strict=True):
        assert actual.dtype == dtype, actual.dtype
        apart = ulps(actual, exact.astype(dtype))[np.abs(exact) > above]
        figures.append(Figure(f"{name}: {part}, numbers away", np.max(apart), 1))
        share = np.mean(apart != 0)
        figures.append(Figure(f"{name}: {part}, share not the nearest", share, inexact))
    return figures


def half(family, dtype, *, rows=None, jit=jax.jit):
    if family == "softmax":
        table, reference, inputs = SOFTMAX, softmax_reference, softmax_inputs(10, rows or 300)
    else:
        table, reference, inputs = SIGMOID, sigmoid_reference, sigmoid_inputs(rows or 500)
    z, y, gamma = inputs
    z, figures = z.astype(dtype), []
    for name, results in values_and_gradients(table, z, y, gamma, jit=jit).items():
        expected = reference(z, y, np.float64(gamma_of(name, gamma)))[:2]
        figures += rounded_once(name, results, expected, dtype)
    return figures
