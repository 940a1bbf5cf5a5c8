"""The promises that each loss of the table keeps, through one compiled evaluator per loss."""

import functools
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers import losses_table
from tests.helpers.losses_table import (
    BATCH,
    CLASSES,
    COUNTS,
    LOSSES,
    assert_close,
    assert_finite,
    call,
    direction_of,
    evaluate,
    half_masked,
    inputs_of,
    oracle,
    oracle_gradient,
    plain,
)
from tests.helpers.over_losses import (
    all_losses,
    few_losses,
    few_swept_losses,
    swept_losses,
)


def test_the_table_has_every_loss():
    rows = inspect.getsource(losses_table)
    losses = {name for name in vars(jimb.losses) if name.endswith("_loss")}
    losses -= {"dice_loss", "tversky_loss", "lovasz_softmax_loss"}  # of regions: test_regions.py
    assert len(losses) > 10
    assert {name for name in losses if f"jimb.{name}" not in rows} == set()


# Values and derivatives.


def oracle_curvature(loss, inputs, step=1e-3):
    direction = direction_of(inputs)
    ends = []
    for sign in (1, -1):
        moved = {
            name: np.float64(value) + sign * step * direction[name]
            for name, value in inputs.variables.items()
        }
        ends.append(oracle_gradient(loss, inputs._replace(variables=moved)))
    return jax.tree.map(lambda a, b: (a - b) / (2 * step), *ends)


@all_losses
def test_value_is_the_formula(loss):
    inputs = inputs_of(loss)
    np.testing.assert_allclose(plain(loss).losses, oracle(loss, inputs), rtol=2e-6, atol=1e-7)


@all_losses
def test_reverse_derivatives_are_those_of_the_formula(loss):
    expected = oracle_gradient(loss, inputs_of(loss))
    assert_close(plain(loss).gradient, expected, rtol=1e-5, atol=1e-5)


@all_losses
def test_forward_derivatives_equal_reverse(loss):
    direction = direction_of(inputs_of(loss))
    result = plain(loss)
    along = sum(np.sum(result.gradient[name] * direction[name]) for name in direction)
    np.testing.assert_allclose(np.sum(result.tangent), along, rtol=1e-5, atol=1e-5)


@all_losses
def test_second_derivatives_are_those_of_the_formula(loss):
    expected = oracle_curvature(loss, inputs_of(loss))
    assert_close(plain(loss).curvature, expected, rtol=1e-4, atol=1e-4)


@few_losses
def test_eager_without_mask_equals_jit_with_an_open_mask(loss):
    inputs = inputs_of(loss)
    variables = jax.tree.map(jnp.asarray, inputs.variables)
    assert_close(call(loss, variables, inputs.labels), plain(loss).losses, atol=1e-7)


@few_losses
def test_vmap_over_the_batch_equals_the_batch(loss):
    inputs = inputs_of(loss)
    axes = {name: 0 if name in ("logits", "labels") else None for name in inputs.variables}
    label_axis = None if inputs.labels is None else 0
    mapped = jax.jit(jax.vmap(functools.partial(call, loss), in_axes=(axes, label_axis, 0)))
    values = mapped(inputs.variables, inputs.labels, inputs.where)
    assert_close(values, plain(loss).losses, atol=1e-7)


@few_losses
def test_scan_with_checkpoint_accumulates_the_same_gradient(loss):
    inputs = inputs_of(loss)
    hyper = {name: inputs.variables[name] for name in loss.hyper}
    soft = {"labels": inputs.variables["labels"]} if loss.soft else {}
    batch = {"logits": inputs.variables["logits"]} | soft

    @jax.checkpoint
    def step(total, micro_batch):
        variables, labels = micro_batch
        losses = call(loss, variables | hyper, labels)
        return total + jimb.weighted_mean(losses, normalizer=1), None

    @jax.jit
    @jax.grad
    def gradient(batch):
        micro_batches = jax.tree.map(
            lambda x: x.reshape(4, BATCH // 4, *x.shape[1:]), (batch, inputs.labels)
        )
        return jax.lax.scan(step, jnp.float32(0), micro_batches)[0]

    expected = {name: plain(loss).gradient[name] for name in batch}
    assert_close(gradient(batch), expected)


@few_swept_losses
def test_a_sweep_over_every_hyper_parameter_is_one_vmap_and_one_trace(loss):
    inputs = inputs_of(loss)
    factors = np.array([0.0, 0.5, 1.0], np.float32)
    grid = {name: np.multiply.outer(factors, inputs.variables[name]) for name in loss.hyper}

    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def sweep(grid):
        return jax.vmap(lambda point: call(loss, inputs.variables | point, inputs.labels))(grid)

    swept = [sweep(grid), sweep(jax.tree.map(lambda x: x[::-1].copy(), grid))[::-1]]
    for i in range(len(factors)):
        point = {name: values[i] for name, values in grid.items()}
        expected = evaluate(loss, inputs.set(**point)).losses
        assert_close([values[i] for values in swept], [expected] * 2)


def test_beta_is_swept_by_one_vmap_and_traced_counts_equal_host_counts():
    inputs = inputs_of(LOSSES[0])
    logits, betas = inputs.variables["logits"], np.array([0.0, 0.9, 0.99, 1.0], np.float32)

    @jax.jit
    def sweep(betas, counts):
        return jax.vmap(
            lambda beta: jimb.class_balanced_focal_loss(logits, inputs.labels, counts, beta=beta)
        )(betas)

    swept = sweep(betas, jnp.asarray(COUNTS, jnp.int32))
    for beta, values in zip(betas, swept, strict=True):
        expected = jimb.class_balanced_focal_loss(logits, inputs.labels, COUNTS, beta=float(beta))
        np.testing.assert_allclose(values, expected, rtol=1e-5)


# Extremes.


@all_losses
def test_extreme_logits_are_finite_to_the_second_derivative(loss):
    extremes = [-1e4, -104.0, 0.0, 88.8, 1e4]
    logits = np.random.default_rng(2).choice(extremes, (BATCH, CLASSES))
    logits[0], logits[1], logits[2] = 1e4, -1e4, 0
    logits[3], logits[4] = -1e4, 1e4
    logits[3, 3], logits[4, 0] = 1e4, -1e4  # the true class on top, and at the bottom
    inputs = inputs_of(loss).set(logits=logits)
    gammas = [0.0, 0.5, 2.0, 8.0] if "gamma" in loss.hyper else [None]
    for gamma in gammas:
        point = inputs if gamma is None else inputs.set(gamma=gamma)
        result = evaluate(loss, point)
        assert_finite(result, f"gamma={gamma}")
        assert np.all(result.losses >= 0)


@swept_losses
def test_bounds_of_the_hyper_parameters_are_finite_to_the_second_derivative(loss):
    bounds = {"gamma": (0, 64), "alpha": (0, 1), "label_smoothing": (0, 1)}
    weights = (np.zeros(CLASSES), np.eye(CLASSES)[0])
    bounds |= {"class_weights": weights, "pos_weight": weights, "tau": (0, 4)}
    bounds |= {"beta": (0, 64), "p": (0, 4), "mu": (0, 4)}
    bounds |= {"gamma_pos": (0, 64), "gamma_neg": (0, 64), "max_margin": (0, 4), "scale": (1, 64)}
    for side in (0, 1):
        point = {name: bounds[name][side] for name in loss.hyper}
        inputs = inputs_of(loss).set(**point)
        result = evaluate(loss, inputs)
        assert_finite(result, str(point))
        np.testing.assert_allclose(result.losses, oracle(loss, inputs), rtol=2e-5, atol=1e-7)


@all_losses
def test_minus_infinity_on_other_classes_removes_them(loss):
    inputs = inputs_of(loss)
    removed = np.zeros((BATCH, CLASSES), bool)
    removed[np.arange(BATCH), (np.arange(BATCH) + 1) % CLASSES] = True  # never the true class
    removed[0, 1:] = True  # only the true class is left
    if loss.soft:
        labels = np.where(removed, 0, inputs.variables["labels"])
        inputs = inputs.set(labels=labels)
    elif loss.elementwise:
        inputs = inputs._replace(labels=np.where(removed, 0, inputs.labels))
    if "label_smoothing" in loss.hyper:  # which puts a label on every class
        inputs = inputs.set(label_smoothing=0.0)
    logits = inputs.variables["logits"]
    result = evaluate(loss, inputs.set(logits=np.where(removed, -np.inf, logits)))
    expected = oracle(loss, inputs.set(logits=np.where(removed, -200, logits)))
    np.testing.assert_allclose(result.losses, expected, rtol=2e-6, atol=1e-7)
    assert_finite((result.gradient["logits"], result.curvature["logits"]))
    np.testing.assert_array_equal(result.gradient["logits"][removed], 0)


# Masks, bad labels, NaN.


@all_losses
def test_where_equals_the_subset(loss):
    clean, _ = half_masked(loss)
    result = evaluate(loss, clean)
    np.testing.assert_array_equal(result.losses, np.where(clean.where, plain(loss).losses, 0))
    kept = clean.where if loss.elementwise else clean.where[:, None]
    expected = np.where(kept, plain(loss).gradient["logits"], 0)
    np.testing.assert_array_equal(result.gradient["logits"], expected)


@all_losses
def test_rubbish_behind_the_mask_changes_no_value_and_no_derivative(loss):
    clean, rubbish = half_masked(loss)
    jax.tree.map(np.testing.assert_array_equal, evaluate(loss, rubbish), evaluate(loss, clean))


def with_bad_labels(loss):
    """The row's data with two labels out of range, and where they are."""
    inputs = inputs_of(loss)
    bad = np.zeros_like(inputs.where)
    bad[2], bad[5] = True, True
    if loss.soft:
        labels = inputs.variables["labels"].copy()
        labels[2, 1], labels[5, 1] = -0.5, 1.5
        if loss.elementwise:
            bad[:] = (labels < 0) | (labels > 1)
        return inputs.set(labels=labels), bad
    labels = inputs.labels.copy()
    labels[2], labels[5] = -1, 2 if loss.elementwise else CLASSES
    return inputs._replace(labels=labels), bad


@all_losses
def test_a_bad_label_is_nan_there_and_in_a_mean_that_includes_it(loss):
    inputs, bad = with_bad_labels(loss)
    result = evaluate(loss, inputs)
    np.testing.assert_array_equal(result.losses, np.where(bad, np.nan, plain(loss).losses))
    assert np.isnan(result.total)


@few_losses
def test_checkify_hears_of_a_bad_label_that_is_not_masked_and_of_no_other(loss):
    inputs, bad = with_bad_labels(loss)

    def of(variables, labels, where):
        return call(loss, variables, labels, where)

    checked = jax.jit(checkify.checkify(of))
    error, losses = checked(*inputs[:3])
    assert "labels must be class ids in [0, K), or soft labels in [0, 1]" in error.get()
    np.testing.assert_array_equal(np.isnan(losses), bad)
    error, losses = checked(*inputs._replace(where=~bad)[:3])
    assert error.get() is None
    assert_close(losses, np.where(bad, 0, plain(loss).losses))


@all_losses
def test_a_mean_that_excludes_a_bad_label_is_clean(loss):
    inputs, bad = with_bad_labels(loss)
    weights = np.where(bad, np.float32(0), inputs.weights)
    result = evaluate(loss, inputs._replace(weights=weights))
    expected = evaluate(loss, inputs_of(loss)._replace(weights=weights))
    assert_close(
        (result.total, result.gradient, result.curvature),
        (expected.total, expected.gradient, expected.curvature),
    )


@all_losses
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
def test_a_mean_that_excludes_rubbish_logits_is_clean(loss, rubbish):
    inputs = inputs_of(loss)
    logits = inputs.variables["logits"].copy()
    logits[2], logits[5, 0], logits[6, 2] = rubbish, rubbish, rubbish
    weights = inputs.weights.copy()
    weights[[2, 5, 6]] = 0
    result = evaluate(loss, inputs.set(logits=logits)._replace(weights=weights))
    expected = evaluate(loss, inputs._replace(weights=weights))
    assert_close(
        (result.total, result.gradient, result.curvature),
        (expected.total, expected.gradient, expected.curvature),
    )


@pytest.mark.parametrize("loss", [LOSSES[6], LOSSES[13]], ids=lambda loss: loss.name)
def test_where_in_the_mean_alone_excludes_bad_labels_and_nan(loss):
    inputs, bad = with_bad_labels(loss)
    wide = bad if loss.elementwise else bad[:, None]
    logits = np.where(wide, np.float32(np.nan), inputs.variables["logits"])

    @jax.jit
    @jax.value_and_grad
    def mean(logits):
        losses = call(loss, inputs.variables | {"logits": logits}, inputs.labels)
        return jimb.weighted_mean(losses, where=~bad)

    value, gradient = mean(logits)
    np.testing.assert_allclose(value, np.mean(plain(loss).losses[~bad]), rtol=1e-6)
    expected = np.where(wide, 0, plain(loss).gradient["logits"]) / np.sum(~bad)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES[4:6] + LOSSES[8:10], ids=lambda loss: loss.name)
def test_soft_labels_with_nan_are_nan_there_only(loss):
    inputs = inputs_of(loss)
    labels = inputs.variables["labels"].copy()
    labels[3, 1] = np.nan
    nan = np.isnan(evaluate(loss, inputs.set(labels=labels)).losses)
    np.testing.assert_array_equal(nan, np.arange(BATCH) == 3)
