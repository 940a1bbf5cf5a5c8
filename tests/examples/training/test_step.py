"""What class weights, their schedule and mining do to a training step of `examples.train`."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples import training

K, BATCH, STEPS = 3, 8, 10
RECIPE = training.Recipe(5, K, "ce", hidden=4, batch_size=BATCH, steps=STEPS, learning_rate=0.1)
COUNTS = np.array([100, 10, 1])
RNG = np.random.default_rng(0)
DATA = training.Data(
    jnp.asarray(RNG.normal(size=(STEPS * BATCH, 5)), jnp.float32),
    jnp.asarray(RNG.integers(0, K, STEPS * BATCH), jnp.int32),
)
PLAN = jnp.arange(STEPS * BATCH)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def trained(hyper, steps=STEPS, **changes):
    """Parameters after these steps, and the loss of each."""
    recipe = dataclasses.replace(RECIPE, **changes)
    state = training.init_state(jax.random.key(1), recipe, STEPS * BATCH)
    state, losses = training.run_epoch(state, DATA, PLAN[: steps * BATCH], hyper, recipe=recipe)
    return np.concatenate([x.ravel() for x in jax.tree.leaves(state.params)]), np.asarray(losses)


@pytest.mark.parametrize(
    ("rebalance", "expected"),
    [
        ("always", np.ones(STEPS)),
        ("deferred", np.arange(STEPS) >= 0.8 * STEPS),
        ("progressive", np.arange(STEPS) / STEPS),
    ],
)
def test_the_share_of_the_re_balancing_at_each_step(rebalance, expected):
    share = dataclasses.replace(RECIPE, rebalance=rebalance).share
    np.testing.assert_allclose([float(share(t)) for t in range(STEPS)], expected, rtol=1e-6)


def test_deferred_weights_act_from_four_fifths_of_the_training_on():
    plain, weighted = training.hyper_of(COUNTS), training.hyper_of(COUNTS, weights="inverse")
    before, after = (slice(0, 8), slice(8, None))
    _, deferred = trained(weighted, rebalance="deferred")
    _, without = trained(plain)
    np.testing.assert_array_equal(deferred[before], without[before])
    assert np.all(deferred[after] != without[after])


@pytest.mark.slow
def test_progressive_weights_are_the_mix_of_two_arrays():
    """The first two losses: shares 0 and 1/10, with the step without weights between them."""
    table = np.asarray(training.hyper_of(COUNTS, weights="inverse").class_weights, np.float64)
    _, losses = trained(training.hyper_of(COUNTS, weights="inverse"), rebalance="progressive")
    mixed = training.hyper_of(COUNTS)._replace(
        class_weights=jnp.asarray(0.9 + 0.1 * table, jnp.float32)
    )
    state = training.init_state(jax.random.key(1), RECIPE, STEPS * BATCH)
    first, second = PLAN.reshape(STEPS, BATCH)[:2]
    state, loss, _ = training.train_step(
        state, DATA.inputs[first], DATA.labels[first], training.hyper_of(COUNTS), recipe=RECIPE
    )
    _, loss_of_mix, _ = training.train_step(
        state, DATA.inputs[second], DATA.labels[second], mixed, recipe=RECIPE
    )
    np.testing.assert_allclose(losses[:2], [loss, loss_of_mix], rtol=1e-6)


def test_mining_everything_is_training_on_everything():
    everything, losses = trained(training.hyper_of(COUNTS, keep=1.0), mining=True)
    plain, plain_losses = trained(training.hyper_of(COUNTS))
    np.testing.assert_allclose(losses, plain_losses, rtol=1e-6)
    np.testing.assert_allclose(everything, plain, rtol=1e-5, atol=1e-6)


def test_mining_trains_on_the_hardest_of_a_batch():
    hyper = training.hyper_of(COUNTS, keep=0.25)
    recipe = dataclasses.replace(RECIPE, mining=True)
    state = training.init_state(jax.random.key(1), recipe, STEPS * BATCH)
    _, loss, losses = training.train_step(
        state, DATA.inputs[:BATCH], DATA.labels[:BATCH], hyper, recipe=recipe
    )
    np.testing.assert_allclose(loss, np.sort(np.asarray(losses))[-2:].mean(), rtol=1e-6)


def test_cosines_are_the_logits_of_ldam():
    recipe = dataclasses.replace(RECIPE, loss="ldam")
    state = training.init_state(jax.random.key(1), recipe, STEPS * BATCH)
    logits = recipe.apply(state.params, DATA.inputs)
    features = np.maximum(
        DATA.inputs @ state.params["hidden"]["kernel"][...] + state.params["hidden"]["bias"][...], 0
    )
    kernel = np.asarray(state.params["output"]["kernel"][...], np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True) * np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(logits, features @ kernel / lengths, atol=1e-6)


@pytest.mark.parametrize("loss", ["seesaw", "equalization", "equalized-focal"])
def test_a_loss_that_learns_sees_every_batch(loss):
    """Two steps of the library, by hand, on the logits that the model has."""
    recipe = dataclasses.replace(RECIPE, loss=loss)
    hyper = training.hyper_of(COUNTS, gamma=1.5)
    state = training.init_state(jax.random.key(1), recipe, STEPS * BATCH)
    functions = {
        "equalization": jimb.equalization_loss,
        "equalized-focal": functools.partial(jimb.equalized_focal_loss, alpha=None, gamma=1.5),
    }
    expected = jimb.counting.init(K) if loss == "seesaw" else jimb.gradient_ratio.init(K)
    for positions in PLAN.reshape(STEPS, BATCH)[:2]:
        inputs, labels = DATA.inputs[positions], DATA.labels[positions]
        logits = recipe.apply(state.params, inputs)
        if loss == "seesaw":
            expected = jimb.counting.update(expected, labels)
            losses = jimb.seesaw_loss(logits, labels, jimb.counting.compute(expected))
        else:
            function, asked = functions[loss], jax.nn.one_hot(labels, K)
            ratio = jimb.gradient_ratio.compute(expected)
            losses = function(logits, asked, ratio).sum(-1)
            expected = jimb.gradient_ratio.update(expected, logits, asked, loss=function)
        state, _, of_step = training.train_step(state, inputs, labels, hyper, recipe=recipe)
        np.testing.assert_allclose(of_step, losses, rtol=1e-6)
    for seen, wanted in zip(state.loss, expected, strict=True):
        np.testing.assert_allclose(seen, wanted, rtol=1e-5, atol=1e-7)
    assert np.abs(np.asarray(state.loss[0])).sum() > 0
