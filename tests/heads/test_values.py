"""Logits that are not stored: values and gradients against float64 formulas of stored ones."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jimb
from jimb import LinearLogits
from tests.helpers import accuracy
from tests.helpers.compilation import as_users
from tests.helpers.exact import softmax_inputs, softmax_reference
from tests.helpers.figures import hold
from tests.helpers.losses_table import COUNTS, LOSSES

ROWS, WIDTH, CLASSES = 6, 3, len(COUNTS)
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(0, 1, (ROWS, WIDTH))
KERNEL = RNG.normal(0, 2, (WIDTH, CLASSES))
BIAS = RNG.normal(0, 1, CLASSES)
LABELS = np.array([0, 1, 2, 3, 3, 0], np.int32)  # the last block of 3 classes holds one
WEIGHTS = RNG.normal(0, 1, ROWS)  # of the losses, after they are computed
TAKEN = [loss for loss in LOSSES if loss.name.startswith(("softmax", "class_balanced_softmax"))]
TAKEN = [loss for loss in TAKEN if loss.labels == "class"]
TAKEN = [loss for loss in TAKEN if loss.name != "softmax_focal_smoothing"]  # of stored logits alone


# Products with the unit matrix are exact, so that the stored losses' own bound is to be held.


def of_rows(loss):
    def unstored(z, y, *hyper):
        rows = jnp.eye(z.shape[0], dtype=z.dtype)
        return loss(LinearLogits(rows, z, block_size=7, precision="highest"), y, *hyper)

    return unstored


UNSTORED = {name: of_rows(loss) for name, loss in accuracy.SOFTMAX.items() if "soft" not in name}


@pytest.mark.parametrize("num_classes", [2, 10, pytest.param(1000, marks=pytest.mark.slow)])
def test_they_are_as_exact_as_stored_ones(num_classes):
    inputs = softmax_inputs(num_classes, 30)
    hold(accuracy.relative(UNSTORED, softmax_reference, *inputs, jit=as_users))


# Any features.


def of_arrays(loss, features, kernel, bias):
    logits = LinearLogits(features, kernel, bias, block_size=3)
    hyper = {
        name: np.float32(value) if isinstance(value, float) else np.asarray(value, np.float32)
        for name, value in loss.hyper.items()
    }
    return loss.function(logits, LABELS, **hyper)


@functools.cache
def values_and_gradients():
    @as_users
    def run(*arrays):  # one program for all
        def weighted(loss, *arrays):
            losses = of_arrays(loss, *arrays)
            return jnp.sum(losses * np.float32(WEIGHTS)), losses

        gradient = {
            loss.name: jax.grad(functools.partial(weighted, loss), (0, 1, 2), has_aux=True)
            for loss in TAKEN
        }
        return {name: run(*arrays) for name, run in gradient.items()}

    return run(*map(np.float32, (FEATURES, KERNEL, BIAS)))


def oracle(loss, features, kernel, bias):
    hyper = {name: np.asarray(value, np.float64) for name, value in loss.hyper.items()}
    return loss.oracle(features @ kernel + bias, LABELS, **hyper)


@pytest.mark.parametrize("loss", TAKEN, ids=lambda loss: loss.name)
def test_each_loss_is_its_formula(loss):
    arrays = [np.float64(np.float32(x)) for x in (FEATURES, KERNEL, BIAS)]
    gradients, losses = values_and_gradients()[loss.name]
    np.testing.assert_allclose(losses, oracle(loss, *arrays), rtol=4e-7)
    # The derivative along a random direction, by central differences of the formula.
    step, rng = 1e-5, np.random.default_rng(1)
    for place, gradient in enumerate(gradients):
        direction = rng.normal(0, 1, gradient.shape)

        def moved(by, place=place, direction=direction):
            those = [x + by * direction if i == place else x for i, x in enumerate(arrays)]
            return np.sum(oracle(loss, *those) * WEIGHTS)

        expected = (moved(step) - moved(-step)) / (2 * step)
        size = np.sum(np.abs(gradient * direction))
        assert abs(np.sum(np.float64(gradient) * direction) - expected) < 3e-7 * size


def test_the_table_has_every_softmax_loss():
    assert len(TAKEN) == 11


def test_cosines_are_those_of_the_stored_head():
    x, w = np.float32(FEATURES), np.float32(KERNEL)
    x[1] = 0  # a zero vector has cosine 0
    cosines = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)) @ (
        w / np.linalg.norm(w, axis=0)
    )
    ldam = next(loss for loss in TAKEN if loss.name == "softmax_ldam")

    @jax.jit
    def run(x, w):
        logits = LinearLogits.cosines(x, w)
        return logits.to_array(), ldam.function(logits, LABELS, scale=30.0)

    stored, losses = run(x, w)
    np.testing.assert_allclose(stored, cosines, atol=2e-7)
    expected = ldam.oracle(np.float64(cosines), LABELS, scale=30.0)
    np.testing.assert_allclose(losses, expected, rtol=4e-6)


# Half precision.


def test_bfloat16_is_summed_in_float32_and_the_kernel_keeps_its_own_precision():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (512, 8)).astype(ml_dtypes.bfloat16)
    w = rng.normal(0, 1, (8, 300)).astype(np.float32)
    y = rng.integers(0, 300, 512)

    def total(x, w):
        losses = jimb.softmax_cross_entropy_loss(LinearLogits(x, w, block_size=128), y)
        assert losses.dtype == x.dtype
        return jimb.weighted_mean(losses)

    gradient_x, gradient_w = jax.jit(jax.grad(total, (0, 1)))(x, w)
    assert gradient_x.dtype == x.dtype
    assert gradient_w.dtype == np.float32
    low, wide = np.float64(w.astype(x.dtype)), np.float64(x)
    p = np.exp(wide @ low)
    p /= p.sum(1, keepdims=True)
    p[np.arange(512), y] -= 1
    expected = wide.T @ p / 512
    # The slopes are rounded to eight bits; a sum in bfloat16 would be off by a hundredth.
    error = np.abs(gradient_w - expected).max() / np.abs(expected).max()
    assert error < 6e-4, error


# Derivatives.


def total(logits):
    losses = jimb.softmax_focal_loss(logits, LABELS, gamma=2.0)
    smoothed = jimb.softmax_cross_entropy_loss(logits, LABELS, label_smoothing=0.1)
    return jnp.sum((losses + smoothed) * np.float32(WEIGHTS))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_curvature(mode):
    arrays = tuple(map(np.float32, (FEATURES, KERNEL, BIAS)))
    directions = tuple(RNG.normal(0, 1, x.shape).astype(np.float32) for x in arrays)

    def unstored(arrays):
        return total(LinearLogits(*arrays, block_size=3))

    def along(arrays):
        if mode == "forward":
            return jax.jvp(jax.grad(unstored), (arrays,), (directions,))[1]
        product = jax.vjp(jax.grad(unstored), arrays)[1]
        return product(directions)[0]

    got = jax.jit(along)(arrays)

    def gradient(by):
        """Of the float64 formula, by central differences of each entry."""
        point = [np.float64(x) + by * d for x, d in zip(arrays, directions, strict=True)]
        return [_gradient(point, place) for place in range(3)]

    step = 1e-4
    for one, ahead, behind in zip(got, gradient(step), gradient(-step), strict=True):
        expected = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(one, expected, atol=3e-5 * np.abs(expected).max())


def _gradient(point, place, step=1e-5):
    focal = next(loss for loss in TAKEN if loss.name == "softmax_focal")

    def value(x):
        z = np.matmul(*(x if i == place else p for i, p in enumerate(point[:2]))) + (
            x if place == 2 else point[2]
        )
        losses = focal.oracle(z, LABELS, gamma=2.0) + focal.oracle(z, LABELS, label_smoothing=0.1)
        return np.sum(losses * WEIGHTS)

    found = np.zeros_like(point[place])
    for index in np.ndindex(found.shape):
        x = point[place].copy()
        x[index] += step
        above = value(x)
        x[index] -= 2 * step
        found[index] = (above - value(x)) / (2 * step)
    return found


def test_forward_mode_of_the_loss_itself_is_refused():
    arrays = tuple(map(np.float32, (FEATURES, KERNEL, BIAS)))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda *arrays: total(LinearLogits(*arrays)), arrays, arrays)


def test_vmap_over_hyper_parameters_is_a_loop_of_calls():
    arrays = tuple(map(np.float32, (FEATURES, KERNEL, BIAS)))
    prior = COUNTS / COUNTS.sum()

    def losses(gamma, tau):
        logits = LinearLogits(*arrays, block_size=3)
        adjusted = jimb.logit_adjusted_loss(logits, LABELS, prior, tau=tau)
        return jimb.softmax_focal_loss(logits, LABELS, gamma=gamma) + adjusted

    grid = np.float32([0.0, 1.0, 2.5])
    z = np.float64(FEATURES.astype(np.float32)) @ np.float32(KERNEL) + np.float32(BIAS)
    focal, adjusted = (
        next(loss.oracle for loss in TAKEN if loss.name == name)
        for name in ("softmax_focal", "softmax_logit_adjusted")
    )
    expected = [focal(z, LABELS, gamma=g) + adjusted(z, LABELS, tau=g) for g in grid]
    np.testing.assert_allclose(jax.jit(jax.vmap(losses))(grid, grid), expected, rtol=2e-6)
