"""Lovász-softmax: the published algorithm, its gradient, ties, masks and classes not there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from tests.helpers import regions_oracle

B, N, K = 2, 12, 4
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 2, (B, N, K)).astype(np.float32)
IDS = RNG.integers(0, K, (B, N)).astype(np.int32)
IDS[1] %= 2  # two classes are not there
WHERE = RNG.uniform(size=(B, N)) < 0.7
WHERE[0, 0] = False
TOWARDS = RNG.uniform(0.2, 1, Z.shape).astype(np.float32)


@functools.cache
def evaluator(axis):
    @jax.jit
    def run(z, labels, where):
        def losses(z):
            return jimb.lovasz_softmax_loss(z, labels, axis=axis, where=where)

        values, pullback = jax.vjp(losses, z)
        return values, jax.vmap(pullback)(jnp.eye(values.size).reshape(-1, *values.shape))[0]

    return run


def expected(z, labels, where):
    """Losses `[B, K]`, and the gradient of each `[B·K, B, N, K]`, by the published algorithm."""
    losses, gradients = np.zeros((len(z), K)), np.zeros((len(z), K, *z.shape))
    p = regions_oracle.probabilities(z)
    for b in range(len(z)):
        losses[b], by_p = regions_oracle.lovasz(p[b], labels[b], where[b])
        for c in range(K):
            only = np.where(np.arange(K) == c, by_p, 0)
            gradients[b, c, b] = regions_oracle.by_logits(p[b], only)
    return losses, gradients.reshape(-1, *z.shape)


@pytest.mark.parametrize("masked", [False, True])
def test_value_and_gradient_are_those_of_the_algorithm(masked):
    """Measured 1.5e-7, and 8e-8 absolutely."""
    where = WHERE if masked else np.ones_like(WHERE)
    z, labels = Z, IDS
    if masked:
        z, labels = np.where(where[..., None], Z, np.nan), np.where(where, IDS, -1)
    values, gradient = evaluator(1)(z, labels, where)
    losses, gradients = expected(Z, IDS, where)
    np.testing.assert_allclose(values, losses, rtol=4e-7)
    np.testing.assert_allclose(gradient, gradients, atol=1.2e-7)


def test_a_hard_prediction_has_one_minus_its_iou():
    predicted = np.random.default_rng(1).integers(0, K, (B, N))
    values, _ = evaluator(1)(np.float32(200 * np.eye(K)[predicted]), IDS, np.ones_like(WHERE))
    for c in range(K):
        both = ((predicted == c) & (c == IDS)).sum(1)
        either = ((predicted == c) | (c == IDS)).sum(1)
        np.testing.assert_allclose(values[:, c], np.where(either, 1 - both / either, 0), rtol=2e-7)


def test_ties_have_the_value_of_any_order_and_the_gradient_of_the_first():
    z = np.round(Z / 2) * 0 + np.float32([1, 0, 0, -1])  # all errors of a class are one of two
    where = np.ones_like(WHERE)
    values, gradient = evaluator(1)(z, IDS, where)
    losses, gradients = expected(z, IDS, where)
    np.testing.assert_allclose(values, losses, rtol=4e-7)
    np.testing.assert_allclose(gradient, gradients, atol=1.2e-7)
    order = np.random.default_rng(2).permutation(N)
    np.testing.assert_allclose(evaluator(1)(z, IDS[:, order], where)[0], values, rtol=4e-7)


def test_classes_that_are_present():
    """Their mean is the paper's; the others have their largest probability as loss."""
    where = np.ones_like(WHERE)
    values, _ = evaluator(1)(Z, IDS, where)
    present = jax.jit(lambda: jimb.present_regions(Z, IDS, axis=1))()
    np.testing.assert_array_equal(
        present, [[(IDS[b] == c).any() for c in range(K)] for b in (0, 1)]
    )
    largest = regions_oracle.probabilities(Z).max(1)
    np.testing.assert_allclose(values[~present], largest[~present], rtol=4e-7)
    none, gradient = evaluator(1)(Z, IDS, ~where)
    np.testing.assert_array_equal(none, 0)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.slow
def test_over_the_batch_a_region_is_all_of_its_images():
    values, _ = evaluator((0, 1))(Z, IDS, WHERE)
    losses, _ = expected(*(x.reshape(1, B * N, *x.shape[2:]) for x in (Z, IDS, WHERE)))
    np.testing.assert_allclose(values, losses[0], rtol=4e-7)


@pytest.mark.slow
def test_a_label_or_logit_that_is_wrong_is_nan_in_its_image():
    for z, labels in (
        (Z, np.where(np.arange(N) == 3, K, IDS)),
        (np.where(Z[0, 0, 0] == Z, np.nan, Z), IDS),
    ):
        labels = np.where(np.arange(B)[:, None] == 0, labels, IDS)
        values, gradient = evaluator(1)(z, labels, np.ones_like(WHERE))
        np.testing.assert_array_equal(np.isnan(values), [[True] * K, [False] * K])
        assert np.all(np.isfinite(gradient[K:]))


@pytest.mark.slow
def test_many_pixels_keep_their_digits():
    """Measured 3e-8, and 8.4e-6 beside the largest; differences of J itself, in float32, 1.7e-2."""
    z = np.random.default_rng(3).normal(0, 2, (2**18, 2)).astype(np.float32)
    ids = np.zeros(2**18, np.int32)
    ids[::5] = 1

    def loss(z):
        return jimb.lovasz_softmax_loss(z, ids, axis=0)

    values, pullback = jax.jit(lambda z: jax.vjp(loss, z))(z)
    p = regions_oracle.probabilities(z)
    losses, by_p = regions_oracle.lovasz(p, ids)
    np.testing.assert_allclose(values, losses, rtol=4e-7)
    exact = regions_oracle.by_logits(p, by_p)
    (gradient,) = pullback(jnp.ones(2))
    assert np.abs(gradient - exact).max() < 2e-5 * np.abs(exact).max()


@pytest.mark.slow
def test_second_derivatives_are_those_of_a_fixed_order():
    where = np.ones_like(WHERE)

    def total(z):
        return jimb.lovasz_softmax_loss(z, IDS, axis=1).sum()

    _, curvature = jax.jit(lambda z: jax.jvp(jax.grad(total), (z,), (TOWARDS,)))(Z)
    step = 1e-6
    ends = [expected(np.float64(Z) + s * TOWARDS, IDS, where)[1].sum(0) for s in (step, -step)]
    np.testing.assert_allclose(curvature, (ends[0] - ends[1]) / (2 * step), atol=1e-6)
