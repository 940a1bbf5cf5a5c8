"""Classes without examples, β = 0 and β → 1, a single class, a single example, an empty batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers.losses_table import (
    BCE,
    CE,
    CLASS_BALANCED,
    FOCAL,
    LOSSES,
    SIGMOID_FOCAL,
    assert_finite,
    call,
    inputs_of,
    oracle,
    sigmoid_oracle,
    softmax_oracle,
)
from tests.helpers.over_losses import few_losses, few_softmax_losses
from tests.helpers.weights_oracle import effective_weights


def weighted_softmax_focal_loss(logits, labels, counts, *, beta=0.9999):
    weights = jimb.effective_number_weights(counts, beta=beta)
    return FOCAL(logits, labels, class_weights=weights)


BALANCED = [*CLASS_BALANCED, weighted_softmax_focal_loss]

COUNTS = np.array([10**8, 10**6, 12345, 700, 30, 1], np.int32)
LOGITS = np.random.default_rng(0).normal(0, 2, (6, 6)).astype(np.float32)
LABELS = np.arange(6, dtype=np.int32)
ONE_HOT = np.eye(6, dtype=np.float32)
WITH_EMPTY = np.where(LABELS == 2, 0, COUNTS)


# A class without examples.


def test_class_weights_of_host_counts_with_an_empty_class_name_it():
    with pytest.raises(ValueError, match=r"counts has no example of class 2 \(1 of 6 classes"):
        weighted_softmax_focal_loss(LOGITS, LABELS, WITH_EMPTY)


@pytest.mark.parametrize("function", CLASS_BALANCED, ids=lambda f: f.__name__)
def test_an_empty_class_has_weight_0_from_the_host_and_traced(function):
    """And the weights of the others are those without it; measured 2.4e-7."""
    losses = np.asarray(function(LOGITS, LABELS, WITH_EMPTY, beta=0.99))
    traced = jax.jit(lambda counts: function(LOGITS, LABELS, counts, beta=0.99))(WITH_EMPTY)
    np.testing.assert_allclose(traced, losses, rtol=4e-7)
    assert losses[2] == 0
    assert np.all(np.delete(losses, 2) > 0)
    kept = LABELS != 2
    weights = effective_weights(COUNTS[kept], [0.99] * 5)
    alone = function(LOGITS, LABELS, np.ones(6), beta=0.99)  # equal weights, of 1
    np.testing.assert_allclose(losses[kept], weights * np.float64(alone)[kept], rtol=4e-7)


@pytest.mark.parametrize("function", CLASS_BALANCED, ids=lambda f: f.__name__)
def test_a_label_of_an_empty_class_leaves_a_message_unless_masked(function):
    @jax.jit
    @checkify.checkify
    def checked(labels, where, counts):
        host = function(LOGITS[:2], labels, np.array([5, 0, 2, 1, 1, 1]), where=where)
        return host, function(LOGITS[:2], labels, counts, where=where)

    counts, both = np.array([5, 0, 2, 1, 1, 1], np.int32), np.array([True, True])
    for labels, where, said in (
        ([0, 1], both, True),
        ([0, 1], [True, False], False),
        ([0, 2], both, False),
        ([0, -1], both, False),
    ):
        error, _ = checked(np.array(labels, np.int32), np.array(where), counts)
        assert ("labels name an empty class" in str(error.get())) == said


def test_class_weights_of_an_empty_class_exclude_its_examples_only():
    """Measured 1e-7."""
    kept = LABELS != 2
    plain = softmax_oracle(np.float64(LOGITS), LABELS)[kept]
    for weigh in (
        jimb.inverse_frequency_weights,
        functools.partial(jimb.effective_number_weights, beta=0.99),
    ):
        losses = CE(LOGITS, LABELS, class_weights=weigh(WITH_EMPTY, allow_empty=True))
        assert losses[2] == 0
        expected = np.float64(weigh(COUNTS[kept])) * plain
        np.testing.assert_allclose(losses[kept], expected, rtol=1.5e-7)


def test_prior_shift_losses_remove_an_empty_class():
    """Probability 0 (the losses are those without it) and gradient 0. Measured 4.7e-7, and 6e-9."""
    functions = [
        jimb.balanced_softmax_loss,
        lambda z, y, n: jimb.logit_adjusted_loss(z, y, n / jnp.sum(n), tau=0.7),
        functools.partial(jimb.vs_loss, gamma=0.0, tau=0.7),
        functools.partial(jimb.vs_loss, gamma=0.2, tau=0.7),
    ]

    @jax.jit
    def losses_and_gradients(logits, labels, counts):
        def both(function):
            losses, pullback = jax.vjp(lambda z: function(z, labels, counts), logits)
            return losses, pullback(jnp.ones_like(losses))[0]

        return [both(function) for function in functions]

    kept = LABELS != 2
    counts = WITH_EMPTY.astype(np.float32)
    labels = np.where(kept, LABELS, 0)
    logits = LOGITS.copy()
    logits[:6, 2] = [0, -1e4, 1e4, np.inf, -np.inf, np.nan]  # what the removed class says is inert
    with_empty = losses_and_gradients(logits, labels, counts)
    without = losses_and_gradients(LOGITS[:, kept], labels - (labels > 2), counts[kept])
    for (losses, gradient), (expected, expected_gradient) in zip(with_empty, without, strict=True):
        np.testing.assert_allclose(losses, expected, rtol=7e-7)
        np.testing.assert_array_equal(gradient[:, 2], 0)
        np.testing.assert_allclose(gradient[:, kept], expected_gradient, rtol=7e-7, atol=3e-8)


# β = 0 and β → 1.


@jax.jit
def balanced_losses(beta, logits, labels, counts):
    return [function(logits, labels, counts, beta=beta) for function in BALANCED]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_beta_0_is_the_plain_loss(dtype):
    """Measured 0: one rounding is allowed."""

    @jax.jit
    def plain_losses(logits, labels, one_hot):
        return [
            CE(logits, labels),
            jnp.sum(BCE(logits, one_hot), axis=-1),
            jnp.sum(SIGMOID_FOCAL(logits, one_hot), axis=-1),
            FOCAL(logits, labels),
        ]

    balanced = balanced_losses(jnp.zeros((), dtype), LOGITS, LABELS, COUNTS)
    plain = plain_losses(LOGITS, LABELS, ONE_HOT)
    for function, losses, expected in zip(BALANCED, balanced, plain, strict=True):
        np.testing.assert_allclose(losses, expected, rtol=1.2e-7, err_msg=function.__name__)


@pytest.mark.parametrize(("dtype", "near_1"), [(jnp.float32, 1 - 1e-9), (jnp.bfloat16, 0.999)])
def test_beta_towards_1_weighs_by_the_beta_that_the_dtype_can_hold(dtype, near_1):
    """By 1/n where β rounds to 1. Measured 3.1e-7."""
    logits, counts = np.float64(LOGITS), np.float64(COUNTS)
    plain = [
        softmax_oracle(logits, LABELS),
        np.sum(sigmoid_oracle(logits, ONE_HOT), axis=-1),
        np.sum(sigmoid_oracle(logits, ONE_HOT, gamma=2.0), axis=-1),
        softmax_oracle(logits, LABELS, gamma=2.0),
    ]
    assert jnp.asarray(near_1, dtype) == 1
    below_1 = jnp.nextafter(jnp.ones((), dtype), jnp.zeros((), dtype))
    for beta in (jnp.asarray(near_1, dtype), below_1):
        rate = 1 - np.float64(beta)
        inverse = 1 / counts if rate == 0 else rate / -np.expm1(counts * np.log1p(-rate))
        weights = inverse / np.mean(inverse)
        balanced = balanced_losses(beta, LOGITS, LABELS, COUNTS)
        for function, losses, expected in zip(BALANCED, balanced, plain, strict=True):
            np.testing.assert_allclose(
                losses, weights * expected, rtol=3.5e-7, err_msg=function.__name__
            )


# One class, one example, none.


@few_softmax_losses
def test_a_single_class_has_no_loss_and_no_gradient(loss):
    inputs = inputs_of(loss, batch=2, num_classes=1)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradient_and_losses(logits):
        losses = call(loss, inputs.variables | {"logits": logits}, inputs.labels, inputs.where)
        return jnp.sum(losses), losses

    gradient, losses = gradient_and_losses(inputs.variables["logits"])
    np.testing.assert_array_equal(losses, 0)
    np.testing.assert_array_equal(gradient, 0)


def test_a_single_class_of_a_sigmoid_loss_is_one_binary_problem():
    """Measured 2e-7, and 4.4e-7 with smoothing, which rounds the label."""
    rows = {loss.name: loss for loss in LOSSES if "softmax" not in loss.name}
    inputs = {name: inputs_of(loss, num_classes=1) for name, loss in rows.items()}

    @jax.jit
    def losses_and_gradients(inputs):
        def both(name, variables, labels, where):
            losses, pullback = jax.vjp(lambda v: call(rows[name], v, labels, where), variables)
            return losses, pullback(jnp.ones_like(losses))[0]

        return {name: both(name, *row[:3]) for name, row in inputs.items()}

    for name, (losses, gradient) in losses_and_gradients(inputs).items():
        expected = oracle(rows[name], inputs[name])
        rtol = 5e-7 if "smoothing" in name else 2.5e-7
        np.testing.assert_allclose(losses, expected, rtol=rtol, err_msg=name)
        assert_finite(gradient, name)


@pytest.mark.slow
def test_a_single_example_has_the_loss_of_its_row_in_a_batch():
    """Measured 0: one rounding is allowed."""

    def first(loss, inputs):
        variables = {
            name: value[:1] if name in ("logits", "labels") else value
            for name, value in inputs.variables.items()
        }
        labels = None if inputs.labels is None else inputs.labels[:1]
        return inputs._replace(variables=variables, labels=labels, where=inputs.where[:1])

    @jax.jit
    def losses_of(batches):
        return [call(loss, *batch[:3]) for loss, batch in zip(LOSSES, batches, strict=True)]

    batches = [inputs_of(loss) for loss in LOSSES]
    singles = [first(loss, batch) for loss, batch in zip(LOSSES, batches, strict=True)]
    for loss, single, batch in zip(LOSSES, losses_of(singles), losses_of(batches), strict=True):
        np.testing.assert_allclose(single, batch[:1], rtol=1.2e-7, err_msg=loss.name)


@few_losses
def test_an_empty_batch_has_no_losses_and_a_mean_of_0(loss):
    inputs = inputs_of(loss, batch=0)

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def mean(variables):
        losses = call(loss, variables, inputs.labels, inputs.where)
        return jimb.weighted_mean(losses, inputs.weights), losses

    (value, losses), gradient = mean(inputs.variables)
    assert losses.shape == inputs.where.shape
    assert value == 0
    assert_finite(gradient)
