"""What the prior-shift and asymmetric losses promise beyond the contract table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb

Z = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0]], np.float32)
Y = np.array([0, 2], np.int32)


def test_a_class_without_prior_gets_no_probability_and_no_gradient_unless_tau_is_0():
    prior = np.array([0.75, 0.0, 0.25])

    @jax.jit
    def loss(tau, logits):
        return jimb.logit_adjusted_loss(logits, Y, prior, tau=tau)

    kept = np.float64(Z[:, [0, 2]]) + np.log([0.75, 0.25])
    expected = np.log(np.exp(kept).sum(1)) - kept[[0, 1], [0, 1]]
    np.testing.assert_allclose(loss(1.0, Z), expected, rtol=7e-7)
    plain = np.log(np.exp(np.float64(Z)).sum(1)) - Z[[0, 1], Y]
    np.testing.assert_allclose(loss(0.0, Z), plain, rtol=7e-7)

    gradient = jax.jit(jax.grad(lambda tau, logits: loss(tau, logits).sum(), argnums=(0, 1)))
    by_tau, by_logits = gradient(1.0, Z)
    assert np.isfinite(by_tau)
    np.testing.assert_array_equal(by_logits[:, 1], 0)
    assert np.isfinite(gradient(0.0, Z)[0])


def test_a_label_of_an_empty_class_is_an_infinite_loss_not_a_wrong_one():
    losses = jimb.balanced_softmax_loss(Z, np.array([1, 2]), [3, 0, 1])
    assert losses[0] == np.inf
    assert np.isfinite(losses[1])


def test_an_empty_class_has_the_largest_ldam_margin():
    with_empty = jimb.ldam_loss(Z, Y, [16, 0, 1], scale=1.0)
    with_one = jimb.ldam_loss(Z, Y, [16, 1, 1], scale=1.0)
    np.testing.assert_array_equal(with_empty, with_one)
    moved = np.float64(Z) - [[0, 0.5, 0]]  # its own example: the margin is the largest, 1/2
    expected = np.log(np.exp(moved).sum(1)) - moved[:, 1]
    losses = jimb.ldam_loss(Z, np.array([1, 1]), [16, 0, 1], scale=1.0)
    np.testing.assert_allclose(losses, expected, rtol=3e-7)


@pytest.mark.parametrize("clip", [0.0, 1e-6, 0.05, 1.0])
def test_asymmetric_derivatives_are_finite_everywhere(clip):
    z = jnp.array([-1e4, -100.0, -88.0, -2.9444, -2.944439, 0.0, 3.0, 88.0, 100.0, 1e4])

    def loss(z, gamma, y):
        return jimb.sigmoid_asymmetric_loss(z, y, gamma_pos=gamma, gamma_neg=gamma, clip=clip)

    def derivatives(*at):
        orders = loss, jax.grad(loss), jax.grad(jax.grad(loss)), jax.grad(loss, argnums=1)
        return [order(*at) for order in orders]

    over = jax.vmap(jax.vmap(derivatives, (0, None, None)), (None, 0, None))
    over = jax.jit(jax.vmap(over, (None, None, 0)))
    for values in over(z, jnp.array([0.0, 0.5, 1.0, 4.0]), jnp.array([0.0, 0.3, 1.0])):
        assert np.isfinite(values).all()


def test_the_asymmetric_loss_at_infinite_logits_is_its_limit_without_derivatives():
    z = np.array([-np.inf, np.inf, np.nan], np.float32)

    @jax.jit
    def losses_and_gradients(clip, labels):
        def losses(gamma, clip):
            return jimb.sigmoid_asymmetric_loss(z, labels, gamma_neg=gamma, clip=clip)

        values, pullback = jax.vjp(losses, jnp.float32(4), clip)
        return values, pullback(jnp.ones_like(values))

    for clip in (0.0, 0.05):
        flattened = np.inf if clip == 0 else (1 - clip) ** 4 * -np.log(clip)
        for label, limits in ((0, [0, flattened, np.nan]), (1, [np.inf, 0, np.nan])):
            values, gradients = losses_and_gradients(np.float32(clip), np.full(3, label))
            np.testing.assert_allclose(values, limits, rtol=3e-7)
            np.testing.assert_array_equal(gradients, [0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jimb.logit_adjusted_loss(Z, Y, [0.5, 0.5, 0.5]), "prior must sum to 1"),
        (lambda: jimb.logit_adjusted_loss(Z, Y, [0.5, 0.5]), r"prior must have the shape \[3\]"),
        (lambda: jimb.logit_adjusted_loss(Z, Y, np.ones(3) / 3, tau=-1), "tau must lie in"),
        (lambda: jimb.logit_adjusted_loss(Z, Y, np.ones(3) / 3, tau=[1.0]), "tau must be a scalar"),
        (lambda: jimb.balanced_softmax_loss(Z, Y, [1, -1, 1]), "counts must lie in"),
        (lambda: jimb.ldam_loss(Z, Y, [1, 1, 1], scale=0.0), "scale must lie in"),
        (lambda: jimb.vs_loss(Z, Y, [1, 1, 1], gamma=-0.1, tau=0.0), "gamma must lie in"),
        (lambda: jimb.sigmoid_asymmetric_loss(Z, Z > 0, clip=2.0), "clip must lie in"),
        (lambda: jimb.sigmoid_asymmetric_loss(Z, Z > 0, gamma_neg=-1.0), "gamma_neg must lie in"),
        (lambda: jimb.one_vs_all_bias_init(jax.random.key(0), ()), "number of classes"),
    ],
)
def test_wrong_numbers_are_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_ldam_needs_class_ids():
    with pytest.raises(TypeError, match="labels must be integers"):
        jimb.ldam_loss(Z, np.eye(3, dtype=np.float32)[Y], [1, 1, 1], scale=1.0)


def test_a_traced_prior_that_is_no_distribution_gives_nan_and_a_checkify_error():
    checked = checkify.checkify(jax.jit(lambda prior: jimb.logit_adjusted_loss(Z, Y, prior)))
    error, losses = checked(jnp.array([0.5, 0.5, 0.5]))
    assert np.isnan(losses).all()
    with pytest.raises(checkify.JaxRuntimeError, match="prior must sum to 1"):
        error.throw()


@pytest.mark.parametrize(("scale", "margin"), [(1.0, 2e4), (1.0, 256.0), (30.0, 0.5)])
def test_a_margin_counts_where_all_other_classes_vanish(scale, margin):
    z = np.float32([[300, 0, 10], [1e4, 0, 10], [0, -200, 1]])
    moved = scale * (np.float64(z) - margin * np.eye(3)[[0, 0, 0]])
    expected = np.logaddexp.reduce(moved, 1) - moved[:, 0]
    labels, counts = np.array([0, 0, 0]), np.array([5, 5, 5])
    heads = jnp.asarray(z), jimb.LinearLogits(np.eye(3, dtype=np.float32), z, block_size=2)
    for head in heads:
        losses = jimb.ldam_loss(head, labels, counts, scale=scale, max_margin=margin)
        np.testing.assert_allclose(losses, expected, rtol=2e-7, atol=1e-14)
