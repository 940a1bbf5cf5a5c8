"""Bounds of the losses with soft labels and of the asymmetric loss; half precision."""

import jax
import jax.numpy as jnp
import numpy as np

import jimb
from tests.helpers.accuracy import rounded_once
from tests.helpers.class_bounds import CLASSES
from tests.helpers.exact import (
    relative_error,
    sigmoid_inputs,
    sigmoid_reference,
    softmax_inputs,
    softmax_reference,
    values_and_gradients,
    worst_ratio,
)
from tests.helpers.figures import Figure


def value_and_gradient(loss, z, y, gamma, jit):
    return values_and_gradients({"": loss}, z, y, gamma, jit=jit)[""]


# Soft labels. The gradient is a difference, so its error is measured against the sum of its terms'
# magnitudes; with sigmoid focal below 1e-33 a factor of a term is no longer a normal float32.


def soft_labels(rng, batch):
    y = rng.dirichlet(np.full(CLASSES, 0.3), batch)
    y[::5] = rng.dirichlet(np.full(CLASSES, 30.0), len(y[::5]))
    return y.astype(np.float32)


def softmax_soft(is_focal, *, rows=200, jit=jax.jit):
    z, _, gamma = softmax_inputs(CLASSES, rows=rows, seed=2)
    y = soft_labels(np.random.default_rng(2), len(z))
    gamma = gamma if is_focal else np.zeros_like(gamma)

    def loss(z, y, gamma):
        if is_focal:
            return jimb.softmax_focal_loss(z, y, gamma=gamma)
        return jimb.softmax_cross_entropy_loss(z, y)

    return of_targets(value_and_gradient(loss, z, y, gamma, jit), z, np.float64(y), gamma)


def of_targets(result, z, targets, gamma, bounds=(0.28, 0.28)):
    """Of `Σ_c t_c (1 - p_c)^γ (-log p_c)` and its gradient."""
    value, gradient = result
    of_class = [softmax_reference(z, np.full(len(z), c), np.float64(gamma)) for c in range(CLASSES)]
    exact_value = sum(targets[:, c] * of_class[c][0] for c in range(CLASSES))
    exact = sum(targets[:, c, None] * of_class[c][1] for c in range(CLASSES))
    terms = sum(targets[:, c, None] * np.abs(of_class[c][1]) for c in range(CLASSES))
    depth = np.ptp(np.float64(z), axis=-1)
    of_terms = worst_ratio(gradient - exact + terms, terms, depth[:, None], gamma[:, None])
    return [
        Figure("value", worst_ratio(value, exact_value, depth, gamma), bounds[0]),
        Figure("gradient, of its terms", of_terms, bounds[1]),
    ]


def smoothed(weighted, *, rows=200, jit=jax.jit):
    """Smoothing of four sizes, and class weights that differ by a factor of up to 10⁶."""
    z, y, _ = softmax_inputs(CLASSES, rows=rows, seed=4)
    weights = np.float32(10.0 ** np.linspace(-6, 0, CLASSES) if weighted else np.ones(CLASSES))
    figures = []
    for smoothing in np.float32([0, 1e-6, 0.1, 1]):

        def loss(z, y, smoothing):
            kwargs = {"class_weights": weights} if weighted else {}
            return jimb.softmax_cross_entropy_loss(z, y, label_smoothing=smoothing, **kwargs)

        result = value_and_gradient(loss, z, y, smoothing, jit)
        targets = (1 - np.float64(smoothing)) * np.eye(CLASSES)[y] + smoothing / CLASSES
        targets *= np.float64(weights)
        of = of_targets(result, z, targets, np.zeros(len(z)), bounds=(0.25, 0.33))
        figures += [Figure(f"ε = {smoothing:g}: {what}", *rest) for what, *rest in of]
    return figures


def sigmoid_soft_exact(z, y, gamma):
    """Value, gradient, and the sum of the magnitudes of the gradient's terms."""
    log_p, log_q = -np.logaddexp(0, -np.float64(z)), -np.logaddexp(0, np.float64(z))
    positive, negative, g = np.float64(y), 1 - np.float64(y), np.float64(gamma)
    log_wrong = np.logaddexp(np.log(positive) + log_q, np.log(negative) + log_p)
    entropy = -positive * log_p - negative * log_q
    power = np.exp(g * log_wrong)
    slope = g * np.exp((g - 1) * log_wrong + log_p + log_q) * entropy  # times 1 - 2y
    exact = slope * (negative - positive)
    exact += power * (negative * np.exp(log_p) - positive * np.exp(log_q))
    terms = slope + power * (negative * np.exp(log_p) + positive * np.exp(log_q))
    return power * entropy, exact, terms


def sigmoid_soft(is_focal, *, rows=300, jit=jax.jit):
    z, _, gamma = sigmoid_inputs(rows, seed=2)
    gamma = gamma if is_focal else np.zeros_like(gamma)
    rng = np.random.default_rng(3)
    y = np.where(rng.uniform(size=z.shape) < 0.2, 10.0 ** rng.uniform(-30, 0, z.shape), 0)
    y = np.where(y > 0, y, rng.uniform(size=z.shape)).astype(np.float32)

    def loss(z, y, gamma):
        if is_focal:
            return jimb.sigmoid_focal_loss(z, y, gamma=gamma)
        return jimb.sigmoid_cross_entropy_loss(z, y)

    value, gradient = value_and_gradient(loss, z, y, gamma, jit)
    exact_value, exact, terms = sigmoid_soft_exact(z, y, gamma)
    figure = Figure("value", worst_ratio(value, exact_value, np.abs(z), gamma), 0.4)
    terms, gradient = np.where(terms > 1e-33, [terms, gradient - exact + terms], 0)
    of_terms = worst_ratio(gradient, terms, np.abs(z), gamma)
    return [figure, Figure("gradient, of its terms", of_terms, 0.45)]


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


def asymmetric_inputs(clip, dtype=np.float32, rows=500):
    z, y, gamma = sigmoid_inputs(rows, seed=3)
    z = z.astype(dtype).astype(np.float32)
    z = np.where(np.abs(sigmoid(z) - clip) < 0.01 * clip, np.float32(1), z)
    return z, y, gamma


def asymmetric_loss(clip):
    def loss(z, y, gamma):
        return jimb.sigmoid_asymmetric_loss(z, y, gamma_pos=gamma, gamma_neg=gamma, clip=clip)

    return loss


def asymmetric(clip, *, rows=500, jit=jax.jit):
    z, y, gamma = asymmetric_inputs(clip, rows=rows)
    value, gradient = value_and_gradient(asymmetric_loss(clip), z, y, gamma, jit)
    exact = asymmetric_reference(z, y, np.float64(gamma), np.float64(np.float32(clip)))
    units = 1 if jax.default_backend() == "cpu" else 2.5  # the rounding of others' exponentials
    return [
        Figure("value", relative_error(value, exact[0], above=1e-36), units * 2.6e-5),
        Figure("gradient", relative_error(gradient, exact[1], above=1e-34), units * 2.3e-5),
    ]


# Half precision: computed in float32, rounded once.


def asymmetric_half(dtype, *, rows=500, jit=jax.jit):
    z, y, gamma = asymmetric_inputs(0.05, jnp.bfloat16, rows)
    z, clip = z.astype(dtype), np.float64(np.float32(0.05))
    results = value_and_gradient(asymmetric_loss(0.05), z, y, gamma, jit)
    expected = asymmetric_reference(np.float64(z), y, np.float64(gamma), clip)
    return rounded_once("asymmetric", results, expected, dtype, above=1e-36, inexact=0.003)
