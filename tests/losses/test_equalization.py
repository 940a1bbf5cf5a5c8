"""Equalization v2 and equalized focal loss, with their state, against their authors' steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from jimb import gradient_ratio
from tests.helpers.gradient_oracle import (
    LABELS,
    LOGITS,
    LOSSES,
    ORACLES,
    B,
    K,
    jitted,
    step,
    sums,
)

both = pytest.mark.parametrize("name", LOSSES)


@both
def test_three_batches_are_the_authors(name):
    state, there = gradient_ratio.init(K), ORACLES[name]()
    for z, y in zip(LOGITS, LABELS, strict=True):
        state, losses, gradient = jitted(name)(state, z, y)
        value, slope = there.step(z, y)
        np.testing.assert_allclose(losses, value, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(sums(state), (there.positive, there.negative), rtol=3e-6)
        np.testing.assert_allclose(gradient_ratio.compute(state), there.ratio, rtol=3e-6)
    assert np.ptp(there.ratio) > 0.5  # the classes' weights differ


def test_equalization_v2_by_hand():
    """All logits 0 and three, one and no example of the classes: p = 1/2 everywhere."""
    z, y = np.zeros((4, 3), np.float32), np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
    state, first, _ = jitted("eqlv2")(gradient_ratio.init(3), z, y)
    np.testing.assert_allclose(first, np.full((4, 3), np.log(2)), rtol=1e-6)  # all weights are 1
    np.testing.assert_allclose(sums(state), ([1.5, 0.5, 0], [0.5, 1.5, 2]), rtol=1e-6)
    np.testing.assert_allclose(gradient_ratio.compute(state), [3, 1 / 3, 0], rtol=1e-6)
    # f(3) = 1 / (1 + e^-26.4), f(1/3) = 1 / (1 + e^5.6), f(0) = 1 / (1 + e^9.6)
    negative = np.array([1.0, 0.00368424, 6.7724e-5])  # less of them for the rare
    positive = np.array([1.0, 4.9852630, 4.9997291])  # 1 + 4 (1 - f), more of these
    state, second, gradient = jitted("eqlv2")(state, z, y)
    weight = np.where(y > 0, positive, negative)
    np.testing.assert_allclose(second, np.log(2) * weight, rtol=1e-5)
    np.testing.assert_allclose(gradient, (0.5 - y) * weight, rtol=1e-5)
    pulled = [1.5 + 1.5, 0.5 + 0.5 * 4.9852630, 0]
    pushed = [0.5 + 0.5, 1.5 + 1.5 * 0.00368424, 2 + 2 * 6.7724e-5]  # the weights are in it
    np.testing.assert_allclose(sums(state), (pulled, pushed), rtol=1e-6)


@pytest.mark.slow
def test_balanced_classes_have_the_focal_loss_and_one_without_is_as_the_authors_start():
    for ratio in (np.ones(K), np.full(K, 7.0), np.full(K, np.inf)):
        got = jimb.equalized_focal_loss(LOGITS[0], LABELS[0], ratio)
        expected = jimb.sigmoid_focal_loss(LOGITS[0], LABELS[0], alpha=0.25)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    got = jimb.equalization_loss(LOGITS[0], LABELS[0], np.full(K, np.inf))
    expected = jimb.sigmoid_cross_entropy_loss(LOGITS[0], LABELS[0])
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [
    ("eqlv2", ({"alpha": 2.0, "gamma": 5.0, "mu": 0.3}, {"alpha": 0.0, "gamma": 30.0, "mu": 0.0})),
    ("efl", ({"alpha": 0.6, "gamma": 0.5, "scale": 3.0}, {"alpha": 0.1, "gamma": 4.0, "scale": 0})),
])  # fmt: skip
def test_vmap_over_the_options_of_loss_and_state(name, options):
    names = list(options[0])

    def train(values):
        loss = functools.partial(LOSSES[name], **dict(zip(names, values, strict=True)))
        state = gradient_ratio.init(K)
        for z, y in zip(LOGITS, LABELS, strict=True):
            state, losses, _ = step(loss, state, z, y)
        return gradient_ratio.compute(state), losses

    grid = np.float32([list(o.values()) for o in options])
    for ratio, losses, o in zip(*jax.jit(jax.vmap(train))(grid), options, strict=True):
        there = ORACLES[name](**o)
        for z, y in zip(LOGITS, LABELS, strict=True):
            value, _ = there.step(z, y)
        np.testing.assert_allclose(ratio, there.ratio, rtol=1e-5)
        np.testing.assert_allclose(losses, value, rtol=4e-5, atol=1e-12)


@pytest.mark.slow
@both
def test_masks_and_rubbish_behind_them(name):
    state, there = gradient_ratio.init(K), ORACLES[name]()
    for i, (z, y) in enumerate(zip(LOGITS, LABELS, strict=True)):
        where = np.random.default_rng(i).random((B, K)) < 0.7
        rubbish = np.where(where, z, np.nan), np.where(where, y, -1)
        state, losses, gradient = jitted(name)(state, *rubbish, where)
        value, slope = there.step(z, y, where)
        np.testing.assert_allclose(losses, value, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(sums(state), (there.positive, there.negative), rtol=3e-6)


@pytest.mark.slow
@both
def test_extreme_logits_and_second_derivatives_are_finite(name):
    z = jnp.array([[1e4, -1e4], [-1e4, 1e4], [0.0, 80.0], [-200.0, 3.0]])

    @jax.jit
    def of(z, y, ratio):
        def total(z):
            return LOSSES[name](z, y, ratio).sum()

        return jax.value_and_grad(total)(z), jax.jvp(jax.grad(total), (z,), (z * 0 + 1,))

    for ratio in ([0.0, 1.0], [0.5, np.inf], [1e-30, 1e30]):
        for y in (jnp.zeros((4, 2), int), jnp.ones((4, 2), int), jnp.full((4, 2), 0.3)):
            everything = of(z, y, jnp.array(ratio))
            assert all(np.isfinite(x).all() for x in jax.tree.leaves(everything))
    options = ("alpha", "gamma", "mu" if name == "eqlv2" else "scale")

    def by_options(values):
        given = dict(zip(options, values, strict=True))
        return LOSSES[name](
            z, jnp.eye(2)[jnp.array([0, 1, 1, 0])], jnp.array([0.2, jnp.inf]), **given
        ).sum()

    values = jnp.array([0.4, 2.0, 0.8])
    for derivative in (jax.grad, jax.hessian):
        assert np.isfinite(jax.jit(derivative(by_options))(values)).all()


@pytest.mark.slow
@both
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_in_float32(name, dtype):
    z = jnp.asarray(LOGITS[0], dtype)
    state, losses, gradient = jitted(name)(gradient_ratio.init(K), z, LABELS[0])
    wide, wide_losses, _ = jitted(name)(gradient_ratio.init(K), z.astype(jnp.float32), LABELS[0])
    assert losses.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(losses, wide_losses.astype(dtype))
    assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, wide)
    np.testing.assert_allclose(sums(state), sums(wide), rtol=1e-6)
