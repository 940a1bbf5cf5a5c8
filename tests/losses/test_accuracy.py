"""Losses in float32 against exact values: full relative accuracy, in both tails, for every γ."""

import functools

import jax
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jimb
from tests.helpers import accuracy
from tests.helpers.compilation import as_users
from tests.helpers.digits import by_60_digits
from tests.helpers.exact import (
    SMALLEST,
    softmax_inputs,
    softmax_reference,
    values_and_gradients,
)
from tests.helpers.figures import hold


@pytest.mark.parametrize(
    "num_classes", [10, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 1000))]
)
def test_softmax_value_and_gradient_are_accurate(num_classes):
    hold(accuracy.softmax(num_classes, jit=as_users))


def test_sigmoid_value_and_gradient_are_accurate():
    hold(accuracy.sigmoid(jit=as_users))


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
    focal = {"": accuracy.SOFTMAX["focal"]}
    values, gradients = values_and_gradients(focal, *batch, jit=as_users)[""]
    for i, gamma in enumerate(gammas):
        exact, exact_gradient = by_60_digits(z, 7, gamma)
        np.testing.assert_allclose(values[i], exact, rtol=8e-6)
        np.testing.assert_allclose(gradients[i], exact_gradient, rtol=1.5e-5)


# Half precision: computed in float32, rounded once.


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("family", ["softmax", "sigmoid"])
def test_half_precision_is_correctly_rounded(family, dtype):
    hold(accuracy.half(family, dtype))


# Any shape, any dtype, any finite logits.


@functools.cache
def every_loss(shape, dtype):
    @jax.jit
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
