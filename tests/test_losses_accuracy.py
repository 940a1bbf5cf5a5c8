"""Losses in float32 against exact values: full relative accuracy, in both tails, for every γ."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_losses_contract import jit

import jimb

GAMMAS = [0.0, 0.5, 1.0, 2.0, 3.7, 8.0]
SMALLEST = 1e-37  # below lie the subnormal float32, of less precision


# The reference: float64 and without any difference of near numbers (itself tested by 60 digits).


def margin(z, y):
    """`u = logsumexp_{j≠y} z_j - z_y`, and the shares of the other classes in that sum."""
    is_label = np.eye(z.shape[-1], dtype=bool)[y]
    others = np.where(is_label, -np.inf, z)
    largest = others.max(-1, keepdims=True)
    exps = np.exp(others - largest)
    total = exps.sum(-1, keepdims=True)
    u = (largest - z[is_label][:, None] + np.log(total))[:, 0]
    return u, np.where(is_label, -1, exps / total)


def focal(u, gamma):
    """`q^γ·softplus(u)` and its derivative `q^γ·(γ·p·softplus(u) + q)`; p = σ(-u), q = σ(u)."""
    entropy = np.logaddexp(0, u)
    log_q, log_p = -np.logaddexp(0, -u), -entropy
    q_gamma = np.exp(gamma * log_q)
    return q_gamma * entropy, q_gamma * (gamma * np.exp(log_p) * entropy + np.exp(log_q))


def softmax_reference(z, y, gamma):
    """Value `[B]` and gradient `[B, K]`, and how far the exponents of each are from 0."""
    z = np.float64(z)
    u, shares = margin(z, y)
    value, slope = focal(u, gamma)
    depth = z.max(-1, keepdims=True) - z
    return value, slope[:, None] * shares, abs(u), abs(u)[:, None] + depth


def sigmoid_reference(z, y, gamma):
    sign = np.where(y > 0, -1, 1)
    u = sign * np.float64(z)
    value, slope = focal(u, gamma)
    return value, sign * slope, abs(u), abs(u) * 2


def by_60_digits(z, y, gamma):
    """Value and gradient from the definition `-(1 - p)^γ log p`, as it stands."""
    with mpmath.workdps(60):
        exps = [mpmath.exp(mpmath.mpf(float(x))) for x in z]
        total = mpmath.fsum(exps)
        shares = [e / total for e in exps]
        p, g = shares[y], mpmath.mpf(float(gamma))
        value = -((1 - p) ** g) * mpmath.log(p)
        slope = -((1 - p) ** g) / p + g * (1 - p) ** (g - 1) * mpmath.log(p)
        gradient = [slope * p * ((j == y) - share) for j, share in enumerate(shares)]
        return float(value), np.array([float(x) for x in gradient])


# The inputs.


def softmax_inputs(num_classes, rows, seed=0):
    """float32 logits of many kinds, labels, and one γ per row."""
    rng = np.random.default_rng(seed)
    kinds = []
    for scale in (0.1, 1, 3, 10, 100, 3000):
        kinds.append(rng.normal(0, scale, (rows, num_classes)))
    kinds.append(rng.integers(-3, 4, (rows, num_classes)) * 1e-6 + 1.5)  # near-ties
    kinds.append(np.repeat(rng.choice([-1e4, 0, 5.3, 1e4], (rows, 1)), num_classes, 1))  # all equal
    kinds.append(rng.normal(0, 1, (rows, num_classes)) + rng.choice([-1e4, 1e4], (rows, 1)))
    dominated = rng.normal(0, 1, (rows, num_classes))
    dominated[:, 0] = rng.uniform(5, 1e4, rows)
    kinds.append(dominated)
    labels = rng.integers(0, num_classes, (len(kinds), rows))
    labels[-1, ::2] = 0
    logits, labels = np.concatenate(kinds), labels.ravel()

    z, y = rng.normal(0, 2, (3 * rows, num_classes)), rng.integers(0, num_classes, 3 * rows)
    u, _ = margin(z, y)  # and margins of given sizes, of both signs
    wanted = rng.uniform(5, 100, 3 * rows) * rng.choice([-1, 1], 3 * rows)
    z[np.arange(3 * rows), y] += u - wanted
    logits, labels = np.concatenate([logits, z]), np.concatenate([labels, y])
    gamma = np.resize(np.array(GAMMAS, np.float32), len(labels))
    return np.clip(logits, -1e4, 1e4).astype(np.float32), labels.astype(np.int32), gamma


def sigmoid_inputs(rows, seed=0):
    rng = np.random.default_rng(seed)
    tails = rng.uniform(5, 100, 2 * rows) * rng.choice([-1, 1], 2 * rows)
    spread = [rng.normal(0, scale, rows) for scale in (1e-3, 0.1, 1, 3, 10, 3000)]
    logits = np.concatenate([tails, *spread, [0, 1e4, -1e4]])
    logits, gamma = np.meshgrid(logits, np.array(GAMMAS))
    y = rng.integers(0, 2, logits.shape).astype(np.int32)
    return np.clip(logits, -1e4, 1e4).astype(np.float32), y, gamma.astype(np.float32)


# The losses: (logits, labels, gamma) -> losses, with soft labels equal to the hard ones.


def soft(labels, logits):
    return (labels[:, None] == jnp.arange(logits.shape[-1])[None]).astype(jnp.float32)


SOFTMAX = {
    "ce": lambda z, y, g: jimb.softmax_cross_entropy_loss(z, y),
    "ce_soft": lambda z, y, g: jimb.softmax_cross_entropy_loss(z, soft(y, z)),
    "focal": lambda z, y, g: jimb.softmax_focal_loss(z, y, gamma=g),
    "focal_soft": lambda z, y, g: jimb.softmax_focal_loss(z, soft(y, z), gamma=g),
}
SIGMOID = {
    "ce": lambda z, y, g: jimb.sigmoid_cross_entropy_loss(z, y),
    "focal": lambda z, y, g: jimb.sigmoid_focal_loss(z, y, gamma=g),
    "focal_soft": lambda z, y, g: jimb.sigmoid_focal_loss(z, y.astype(jnp.float32), gamma=g),
}


def values_and_gradients(losses, *args, jit=jax.jit):
    """`{name: (value, gradient)}` of a table of losses."""

    @jit
    def run(logits, labels, gamma):
        def both(loss):
            values, pullback = jax.vjp(lambda z: loss(z, labels, gamma), logits)
            return values, pullback(jnp.ones_like(values))[0]

        return {name: both(loss) for name, loss in losses.items()}

    return jax.tree.map(np.asarray, run(*args))


def worst_ratio(actual, expected, exponent, gamma):
    """The largest relative error, in units of what the exponents' rounding permits."""
    assert np.all(np.isfinite(actual))
    counted = np.abs(expected) > SMALLEST
    error = np.abs(np.float64(actual) - expected) / np.where(counted, np.abs(expected), 1)
    bound = 4e-6 + 1.2e-7 * (1 + gamma) * np.minimum(exponent, 120)
    assert np.all(np.abs(actual[~counted]) <= 2 * SMALLEST)
    return np.max(np.where(counted, error / bound, 0))


def gamma_of(name, gamma):
    return np.zeros_like(gamma) if name.startswith("ce") else gamma


def worst_ratios(losses, reference, z, y, gamma):
    """Of the value and of the gradient of each loss."""
    ratios = {}
    for name, (value, gradient) in values_and_gradients(losses, z, y, gamma).items():
        g = gamma_of(name, gamma)
        exact, exact_gradient, exponent, gradient_exponent = reference(z, y, np.float64(g))
        per_element = g.reshape(g.shape + (1,) * (z.ndim - g.ndim))
        ratios[name] = (
            worst_ratio(value, exact, exponent, g),
            worst_ratio(gradient, exact_gradient, gradient_exponent, per_element),
        )
    return ratios


@pytest.mark.parametrize("num_classes", [2, 10, 1000])
def test_softmax_value_and_gradient_are_accurate(num_classes):
    inputs = softmax_inputs(num_classes, rows=30 if num_classes == 1000 else 300)
    ratios = worst_ratios(SOFTMAX, softmax_reference, *inputs)
    assert all(max(pair) <= 1 for pair in ratios.values()), ratios


def test_sigmoid_value_and_gradient_are_accurate():
    ratios = worst_ratios(SIGMOID, sigmoid_reference, *sigmoid_inputs(500))
    assert all(max(pair) <= 1 for pair in ratios.values()), ratios


@pytest.mark.parametrize("num_classes", [2, 10, 1000])
def test_the_reference_agrees_with_60_digits(num_classes):
    z, y, gamma = softmax_inputs(num_classes, rows=1 if num_classes == 1000 else 6, seed=1)
    value, gradient, _, _ = softmax_reference(z, y, np.float64(gamma))
    for i in range(len(y)):
        if value[i] > SMALLEST:  # below, the definition needs more digits
            exact, exact_gradient = by_60_digits(z[i], y[i], gamma[i])
            np.testing.assert_allclose(value[i], exact, rtol=1e-11)
            np.testing.assert_allclose(gradient[i], exact_gradient, rtol=1e-11, atol=1e-45)


def test_ten_thousand_classes_agree_with_60_digits():
    z = np.random.default_rng(4).normal(0, 3, 10_000).astype(np.float32)
    z[7] = 16
    gammas = np.array([0.5, 2.0], np.float32)
    batch = np.stack([z, z]), np.array([7, 7], np.int32), gammas
    values, gradients = values_and_gradients({"focal": SOFTMAX["focal"]}, *batch)["focal"]
    for i, gamma in enumerate(gammas):
        exact, exact_gradient = by_60_digits(z, 7, gamma)
        np.testing.assert_allclose(values[i], exact, rtol=8e-6)
        np.testing.assert_allclose(gradients[i], exact_gradient, rtol=1.5e-5)


# Truly soft labels: sums of positive terms, whose value (not the gradient, which crosses 0) keeps
# its relative accuracy.


def test_softmax_value_of_soft_labels_is_accurate():
    z, _, gamma = softmax_inputs(10, rows=100, seed=2)
    y = np.random.default_rng(2).dirichlet(np.full(10, 0.3), len(z)).astype(np.float32)
    each = [softmax_reference(z, np.full(len(z), c), np.float64(gamma))[0] for c in range(10)]
    expected = np.sum(np.float64(y) * np.stack(each, -1), -1)
    actual = np.asarray(jax.jit(jimb.softmax_focal_loss)(z, y, gamma=gamma))
    depth = np.ptp(np.float64(z), axis=-1)
    assert worst_ratio(actual, expected, depth, gamma) <= 1


def test_sigmoid_value_of_soft_labels_is_accurate():
    z, _, gamma = sigmoid_inputs(300, seed=2)
    rng = np.random.default_rng(3)
    y = np.where(rng.uniform(size=z.shape) < 0.2, 10.0 ** rng.uniform(-30, 0, z.shape), 0)
    y = np.where(y > 0, y, rng.uniform(size=z.shape)).astype(np.float32)
    wide_z, wide_y = np.float64(z), np.float64(y)
    entropy = wide_y * np.logaddexp(0, -wide_z) + (1 - wide_y) * np.logaddexp(0, wide_z)
    with np.errstate(divide="ignore"):
        log_q = np.logaddexp(
            np.log(wide_y) - np.logaddexp(0, wide_z), np.log1p(-wide_y) - np.logaddexp(0, -wide_z)
        )
    expected = np.exp(np.float64(gamma) * log_q) * entropy
    actual = np.asarray(jax.jit(jimb.sigmoid_focal_loss)(z, y, gamma=gamma))
    assert worst_ratio(actual, expected, np.abs(wide_z), gamma) <= 1


# Half precision: computed in float32, rounded once.


def ulps(actual, expected):
    """How many representable numbers lie between two arrays of 16-bit floats."""

    def ordered(array):
        bits = array.view(np.int16).astype(np.int32)
        return np.where(bits < 0, -(bits & 0x7FFF), bits)

    return np.abs(ordered(actual) - ordered(expected))


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("family", ["softmax", "sigmoid"])
def test_half_precision_is_correctly_rounded(family, dtype):
    table = SOFTMAX if family == "softmax" else SIGMOID
    reference = softmax_reference if family == "softmax" else sigmoid_reference
    z, y, gamma = softmax_inputs(10, rows=300) if family == "softmax" else sigmoid_inputs(500)
    z = z.astype(dtype)
    for name, results in values_and_gradients(table, z, y, gamma, jit=jit).items():
        expected = reference(z, y, np.float64(gamma_of(name, gamma)))[:2]
        for actual, exact in zip(results, expected, strict=True):
            assert actual.dtype == dtype
            apart = ulps(actual, exact.astype(dtype))[np.abs(exact) > SMALLEST]
            assert np.max(apart) <= 1, name
            assert np.mean(apart == 0) >= 0.99, name


# Any shape, any dtype, any finite logits.


@functools.cache
def every_loss(shape, dtype):
    @jit
    def run(logits, classes, binary, gamma):
        return {
            "softmax_ce": jimb.softmax_cross_entropy_loss(logits, classes),
            "softmax_focal": jimb.softmax_focal_loss(logits, classes, gamma=gamma),
            "sigmoid_ce": jimb.sigmoid_cross_entropy_loss(logits, binary),
            "sigmoid_focal": jimb.sigmoid_focal_loss(logits, binary, alpha=0.25, gamma=gamma),
        }

    return run


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    data=st.data(),
    shape=st.sampled_from([(1,), (5,), (2, 1, 3)]),
    dtype=st.sampled_from([ml_dtypes.bfloat16, np.float16, np.float32]),
    gamma=st.floats(0, 64, width=32),
)
def test_losses_are_finite_and_not_negative(data, shape, dtype, gamma):
    limit = 1e4 if dtype == np.float16 else 1e30
    numbers = st.floats(-limit, limit) | st.floats(-100, 100) | st.sampled_from([0.0, limit])
    logits = data.draw(hnp.arrays(np.float64, shape, elements=numbers)).astype(dtype)
    classes = data.draw(hnp.arrays(np.int32, shape[:-1], elements=st.integers(0, shape[-1] - 1)))
    binary = data.draw(hnp.arrays(np.int32, shape, elements=st.integers(0, 1)))
    for name, losses in every_loss(shape, dtype)(
        logits, classes, binary, np.float32(gamma)
    ).items():
        wide = np.asarray(losses).astype(np.float64)
        assert np.all(np.isfinite(wide)), name
        assert np.all(wide >= 0), name
