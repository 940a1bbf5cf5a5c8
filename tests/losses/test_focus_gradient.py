"""The asymmetric loss with its focusing weights taken for constants, as its authors train it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb

LOSS = jimb.sigmoid_asymmetric_loss
Z = np.linspace(-6, 6, 25).astype(np.float32)


def authors(z, y, gamma_pos, gamma_neg, clip):
    """Value and gradient in float64, by the steps of their code: the weight has no derivative."""
    z = np.float64(z)
    p = 1 / (1 + np.exp(-z))
    slope = p * (1 - p)
    rest = np.minimum(1 - p + clip, 1)
    weight = y * (1 - p) ** gamma_pos + (1 - y) * (1 - rest) ** gamma_neg
    value = -weight * (y * np.log(p) + (1 - y) * np.log(rest))
    by_p = y / p - (1 - y) * (rest < 1) / rest
    return value, -weight * by_p * slope


@pytest.mark.parametrize(("gamma_pos", "gamma_neg", "clip"), [(1.0, 4.0, 0.05), (0.0, 2.5, 0.2)])
@pytest.mark.parametrize("y", [0, 1])
def test_the_gradient_is_that_of_the_authors_and_the_value_that_of_the_formula(
    y, gamma_pos, gamma_neg, clip
):
    options = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "clip": clip}
    labels = np.full(Z.shape, y)

    def total(z, through):
        losses = LOSS(z, labels, focus_gradient=through, **options)
        return losses.sum(), losses

    gradient, losses = jax.jit(jax.grad(lambda z: total(z, False), has_aux=True))(Z)
    value, expected = authors(Z, y, gamma_pos, gamma_neg, clip)
    np.testing.assert_allclose(losses, total(Z, True)[1], rtol=5e-7, atol=1e-30)
    np.testing.assert_allclose(losses, value, rtol=2e-5, atol=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=1e-12)


def test_the_gradient_through_the_weight_is_about_twice_as_large_for_a_positive():
    """-0.0537 and -0.1007 where p = 0.7682."""
    z = float(np.log(0.7682 / 0.2318))
    through, constant = (
        jax.grad(lambda z, f=f: LOSS(z, 1, focus_gradient=f))(z) for f in (True, False)
    )
    np.testing.assert_allclose([constant, through], [-0.0537, -0.1007], atol=5e-5)


@pytest.mark.slow
def test_second_derivatives_take_the_weight_for_a_constant_too():
    p = 1 / (1 + np.exp(-np.float64(Z)))
    slope, shifted = p * (1 - p), np.maximum(p - 0.05, 0)
    of_negative = slope * (1 - 2 * p) / (1 - shifted) + slope**2 / (1 - shifted) ** 2
    for y, expected in ((1, (1 - p) * slope), (0, shifted**4 * of_negative)):
        by_z = jax.vmap(jax.grad(jax.grad(lambda z, y=y: LOSS(z, y, focus_gradient=False))))(Z)
        np.testing.assert_allclose(by_z, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_the_weights_exponents_have_no_gradient_and_extremes_stay_visible():
    def total(gammas, z):
        both = {"gamma_pos": gammas[0], "gamma_neg": gammas[1], "focus_gradient": False}
        return LOSS(z, jnp.array([1, 0, 1]), **both).sum()

    gradient = jax.grad(total)(jnp.array([1.0, 4.0]), jnp.array([0.5, 1.0, -2.0]))
    np.testing.assert_array_equal(gradient, [0, 0])
    z = jnp.array([jnp.inf, -jnp.inf, -jnp.inf, jnp.nan])
    labels = jnp.array([1, 0, 1, 0])
    for gamma in (0.0, 1.0):
        losses, pullback = jax.vjp(
            lambda z, g=gamma: LOSS(z, labels, gamma_pos=g, gamma_neg=g, focus_gradient=False), z
        )
        (slopes,) = pullback(jnp.ones(4))
        np.testing.assert_array_equal(losses, [0, 0, np.inf, np.nan])
        np.testing.assert_array_equal(slopes[:2], [0, 0])
        assert not np.isfinite(slopes[2:]).any()
    masked = LOSS(z, labels, where=jnp.array([True, True, False, False]), focus_gradient=False)
    np.testing.assert_array_equal(masked, np.zeros(4))
