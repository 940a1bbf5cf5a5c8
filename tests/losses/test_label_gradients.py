"""Derivatives of the focal loss by its label and by γ where rounding leaves nothing of one term."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from tests.helpers.losses_table import jit

LOGITS = np.array([-300, -100, -85, -20, -1, 0, 1, 20, 85, 100, 300], np.float32)


@jit
def gradients(labels, gamma):
    def total(labels, gamma):
        return jnp.sum(jimb.sigmoid_focal_loss(LOGITS, labels, gamma=gamma))

    return jax.grad(total, argnums=(0, 1))(labels, gamma)


@pytest.mark.parametrize("label", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_derivatives_by_the_label_and_by_gamma(label, gamma):
    """Of (1 - p_t)^γ CE. Measured 2e-7; where both are below 1e-16, 6e-3."""
    z = np.float64(LOGITS)
    positive, negative = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    wrong = label * negative + (1 - label) * positive
    right = label * positive + (1 - label) * negative
    log_wrong = np.where(right < 0.5, np.log1p(-np.minimum(right, 0.5)), np.log(wrong))
    entropy = label * np.logaddexp(0, -z) + (1 - label) * np.logaddexp(0, z)
    slope = gamma * wrong ** (gamma - 1) * (negative - positive) * entropy - wrong**gamma * z
    by_label, by_gamma = gradients(np.full_like(LOGITS, label), np.full_like(LOGITS, gamma))
    expected = wrong**gamma * log_wrong * entropy
    np.testing.assert_allclose(by_gamma, expected, rtol=2.5e-7, atol=1e-37)
    near = np.abs(slope) > 1e-16
    np.testing.assert_allclose(by_label[near], slope[near], rtol=2.5e-7)
    np.testing.assert_allclose(by_label, slope, rtol=1e-2, atol=1e-37)
