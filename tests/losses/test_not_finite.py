"""A loss that is not finite has a gradient that is not finite, unless the example is excluded."""

import functools

import flax.training.dynamic_scale
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb
from tests.helpers.losses_table import CLASSES, evaluate, inputs_of, plain
from tests.helpers.over_losses import few_losses
from tests.losses.test_contract import with_bad_labels


def with_rubbish(loss, rubbish):
    """A row of rubbish, and one number of it at, and one beside, the label of another row."""
    inputs = inputs_of(loss)
    logits = inputs.variables["logits"].copy()
    logits[2], logits[5, 5 % CLASSES], logits[6, (6 + 1) % CLASSES] = rubbish, rubbish, rubbish
    return inputs.set(logits=logits)


def finite_together(loss, result):
    """Where the losses are finite; asserts that the gradients are just there."""
    finite = np.isfinite(result.losses)
    gradient = np.isfinite(result.gradient["logits"])
    np.testing.assert_array_equal(gradient if loss.elementwise else gradient.all(-1), finite)
    return finite


@few_losses
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
def test_the_gradient_is_finite_just_where_the_loss_is(loss, rubbish):
    result = evaluate(loss, with_rubbish(loss, rubbish))
    finite = finite_together(loss, result)
    untouched = [0, 1, 3, 4, 7]
    assert finite[untouched].all()
    np.testing.assert_allclose(
        result.gradient["logits"][untouched], plain(loss).gradient["logits"][untouched], rtol=1e-6
    )
    if np.isnan(rubbish):
        assert not finite[[2, 5, 6]].all(-1).any() if loss.elementwise else not finite[2]


@few_losses
def test_a_bad_label_has_no_finite_gradient(loss):
    inputs, bad = with_bad_labels(loss)
    finite = finite_together(loss, evaluate(loss, inputs))
    np.testing.assert_array_equal(finite, ~bad)


def losses_of(dtype):
    """Values and gradients where the loss is beyond the dtype, and where it is not."""
    logits = jnp.asarray([[6e4, -6e4], [3e4, 1e4]], dtype)
    labels = jnp.array([1, 1])

    @jax.jit
    def run(logits):
        return jax.vjp(lambda z: jimb.softmax_cross_entropy_loss(z, labels), logits)

    losses, pullback = run(logits)
    return losses, pullback(jnp.ones_like(losses))[0]


def test_a_loss_beyond_float16_counts_as_infinite():
    losses, gradient = losses_of(jnp.float16)
    np.testing.assert_array_equal(np.isfinite(losses), [False, True])
    np.testing.assert_array_equal(np.isfinite(gradient).all(-1), [False, True])
    losses, gradient = losses_of(jnp.bfloat16)
    assert np.isfinite(losses.astype(jnp.float32)).all()
    np.testing.assert_array_equal(gradient.astype(jnp.float32), [[1, -1], [1, -1]])


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_who_looks_at_gradients_leaves_out_a_step_of_an_infinite_loss(weight):
    """Flax's loss scale and Optax's `apply_if_finite`; a weight of 0 makes the step a good one."""
    logits, labels = jnp.array([[jnp.inf, 0.0], [1.0, 2.0]]), jnp.array([1, 0])

    def mean(scale, logits):
        losses = jimb.softmax_cross_entropy_loss(scale * logits, labels)
        return jimb.weighted_mean(losses, jnp.array([weight, 1.0]))

    scaler = flax.training.dynamic_scale.DynamicScale()
    _, finite, _, gradient = jax.jit(
        lambda scale: scaler.value_and_grad(functools.partial(mean, scale))(logits)
    )(jnp.float32(1))
    assert finite == (weight == 0)
    optimizer = optax.apply_if_finite(optax.sgd(1.0), max_consecutive_errors=3)
    update, _ = optimizer.update(gradient, optimizer.init(logits))
    assert np.any(np.asarray(update) != 0) == (weight == 0)
