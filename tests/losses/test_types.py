"""Dtypes of logits and labels, lowering for every platform, and equality with Optax."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb
from tests.helpers.losses_table import BCE, CE, LOSSES, SIGMOID_FOCAL, call, inputs_of
from tests.helpers.over_losses import all_losses, few_losses


@all_losses
def test_the_dtype_of_the_logits_is_kept(loss):
    inputs = inputs_of(loss)
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        half = {name: value.astype(dtype) for name, value in inputs.variables.items()}
        for variables in (half, inputs.variables | {"logits": half["logits"]}):
            out = jax.eval_shape(
                functools.partial(call, loss), variables, inputs.labels, inputs.where
            )
            assert out == jax.ShapeDtypeStruct(inputs.where.shape, dtype)


@all_losses
def test_float64_stays_float64(loss):
    inputs = inputs_of(loss)
    with jax.enable_x64(True):
        wide = {name: value.astype(np.float64) for name, value in inputs.variables.items()}
        out = jax.eval_shape(functools.partial(call, loss), wide, inputs.labels, inputs.where)
        mean = jax.eval_shape(jimb.weighted_mean, out)
    assert out.dtype == np.float64
    assert mean.dtype == np.float64


@functools.cache
def losses_of_labels(dtype):
    kinds = ("binary",) if dtype == np.bool_ else ("binary", "class")
    losses = {loss.name: loss for loss in LOSSES if loss.labels in kinds}
    labels = {name: inputs_of(loss).labels.astype(dtype) for name, loss in losses.items()}

    @jax.jit
    def values(labels):
        return {
            name: call(losses[name], inputs_of(losses[name]).variables, y)
            for name, y in labels.items()
        }

    return values(labels)


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.bool_, np.uint32),
        *(pytest.param(t, marks=pytest.mark.slow) for t in (np.uint8, np.int8, np.int16)),
    ],
)
def test_labels_of_every_integer_dtype_give_the_same_losses(dtype):
    expected = losses_of_labels(np.int32)
    for name, value in losses_of_labels(dtype).items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-6, err_msg=name)


@few_losses
def test_the_gradient_of_a_mean_lowers_for_cpu_gpu_and_tpu(loss):
    inputs = inputs_of(loss)

    def mean(variables, labels, where):
        return jimb.weighted_mean(call(loss, variables, labels, where), where=where)

    platforms = ("cpu", "cuda", "tpu")
    exported = jax.export.export(jax.jit(jax.value_and_grad(mean)), platforms=platforms)(
        inputs.variables, inputs.labels, inputs.where
    )
    assert exported.platforms == platforms


# Optax.


def optax_pairs():
    class_inputs, binary = inputs_of(LOSSES[0]), inputs_of(LOSSES[10])
    soft, partial = inputs_of(LOSSES[4]).variables["labels"], inputs_of(LOSSES[11])
    classes, labels = class_inputs.labels, binary.labels.astype(np.float32)
    fractions = partial.variables["labels"]
    return {
        "softmax": (
            lambda z: CE(z, classes),
            lambda z: optax.softmax_cross_entropy_with_integer_labels(z, classes),
        ),
        "softmax_soft": (lambda z: CE(z, soft), lambda z: optax.softmax_cross_entropy(z, soft)),
        "sigmoid": (
            lambda z: BCE(z, fractions),
            lambda z: optax.sigmoid_binary_cross_entropy(z, fractions),
        ),
        "sigmoid_focal": (
            lambda z: SIGMOID_FOCAL(z, labels, gamma=2.0),
            lambda z: optax.sigmoid_focal_loss(z, labels, gamma=2.0),
        ),
        "sigmoid_focal_alpha": (
            lambda z: SIGMOID_FOCAL(z, labels, alpha=0.25, gamma=1.5),
            lambda z: optax.sigmoid_focal_loss(z, labels, alpha=0.25, gamma=1.5),
        ),
        "sigmoid_focal_soft": (
            lambda z: SIGMOID_FOCAL(z, fractions, alpha=0.25, gamma=2.0),
            lambda z: optax.sigmoid_focal_loss(z, fractions, alpha=0.25, gamma=2.0),
        ),
    }


def test_values_and_gradients_equal_those_of_optax():
    pairs = optax_pairs()
    logits = inputs_of(LOSSES[0]).variables["logits"]

    @jax.jit
    def values_and_gradients(logits):
        def both(function):
            values, pullback = jax.vjp(function, logits)
            return values, pullback(jnp.ones_like(values))

        return {name: (both(ours), both(theirs)) for name, (ours, theirs) in pairs.items()}

    for name, (ours, theirs) in values_and_gradients(logits).items():
        chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-6, custom_message=name)
