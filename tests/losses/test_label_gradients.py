"""Labels of the sigmoid losses at the ends of [0, 1]: derivatives there, and what rounds beyond."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from tests.helpers.losses_table import sigmoid_oracle

LOGITS = np.array([-300, -100, -85, -20, -1, 0, 1, 20, 85, 100, 300], np.float32)


def formulas(label, gamma):
    """The derivatives of `(1 - p_t)^γ CE` by the label and by γ, in float64."""
    z = np.float64(LOGITS)
    positive, negative = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    wrong = label * negative + (1 - label) * positive
    right = label * positive + (1 - label) * negative
    log_wrong = np.where(right < 0.5, np.log1p(-np.minimum(right, 0.5)), np.log(wrong))
    entropy = label * np.logaddexp(0, -z) + (1 - label) * np.logaddexp(0, z)
    by_label = gamma * wrong ** (gamma - 1) * (negative - positive) * entropy - wrong**gamma * z
    return by_label, wrong**gamma * log_wrong * entropy


@jax.jit
def gradients(labels, gamma):
    def total(labels, gamma):
        return jnp.sum(jimb.sigmoid_focal_loss(LOGITS, labels, gamma=gamma))

    return jax.grad(total, argnums=(0, 1))(labels, gamma)


@pytest.mark.parametrize("label", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_focal_loss_has_derivatives_by_its_label_and_by_gamma(label, gamma):
    """Measured 2e-7; by the label 6e-3 where it is below 1e-16."""
    slope, expected = formulas(label, gamma)
    by_label, by_gamma = gradients(np.full_like(LOGITS, label), np.full_like(LOGITS, gamma))
    np.testing.assert_allclose(by_gamma, expected, rtol=2.5e-7, atol=1e-37)
    near = np.abs(slope) > 1e-16
    np.testing.assert_allclose(by_label[near], slope[near], rtol=2.5e-7)
    np.testing.assert_allclose(by_label, slope, rtol=1e-2, atol=1e-37)


def test_labels_that_rounding_took_out_of_0_to_1_count_as_the_ends():
    z, labels = np.float32([-3, 2, -3, 2]), np.float32([-0.008, -0.008, 1.008, 1.008])
    ends = np.array([0.0, 0.0, 1.0, 1.0])
    for gamma, loss in ((0, jimb.sigmoid_cross_entropy_loss), (2, jimb.sigmoid_focal_loss)):
        expected = sigmoid_oracle(np.float64(z), ends, gamma=gamma)
        np.testing.assert_allclose(jax.jit(loss)(z, labels), expected, rtol=3e-7)
