"""Arithmetic in pairs of float32 against float64, which holds both halves of a pair."""

import jax.numpy as jnp
import numpy as np
import pytest

from jimb import _pairs
from tests.helpers.compilation import as_users

RNG = np.random.default_rng(0)


def wide(pair):
    return np.asarray(pair[0], np.float64) + np.asarray(pair[1], np.float64)


def random_pair(size, low=-1.0, high=1.0):
    value = RNG.uniform(low, high, size) * 2.0 ** RNG.integers(-20, 20, size).astype(np.float64)
    high_part = value.astype(np.float32)
    return high_part, (value - high_part).astype(np.float32)


A, B = random_pair(20_000), random_pair(20_000)


@pytest.mark.parametrize(
    ("fn", "expected", "bound"),
    [
        (_pairs.add, np.add, 2.0**-44),
        (_pairs.subtract, np.subtract, 2.0**-44),
        (_pairs.multiply, np.multiply, 2.0**-44),
    ],
)
def test_arithmetic_keeps_44_bits(fn, expected, bound):
    got = wide(as_users(fn)(A, B))
    exact = expected(wide(A), wide(B))
    size = np.abs(exact) if fn is _pairs.multiply else np.abs(wide(A)) + np.abs(wide(B))
    assert np.max(np.abs(got - exact) / size) <= bound


def test_a_square_root_keeps_44_bits():
    positive = jnp.where(A[0] < 0, -A[0], A[0]), jnp.where(A[0] < 0, -A[1], A[1])
    expected = np.sqrt(wide(positive))
    assert np.max(np.abs(wide(as_users(_pairs.sqrt)(positive)) / expected - 1)) <= 2.0**-44
    np.testing.assert_array_equal(_pairs.sqrt((jnp.zeros(1), jnp.zeros(1))), [[0], [0]])


def test_exp_is_right_to_half_of_float32s_rounding():
    x = -RNG.uniform(0, 70, 100_000) / 2.0 ** RNG.integers(0, 30, 100_000)
    high = x.astype(np.float32)
    got = wide(as_users(_pairs.exp)((high, (x - high).astype(np.float32))))
    assert np.max(np.abs(got / np.exp(x) - 1)) <= 3.5e-8  # measured 3.3e-8


def test_exp_of_what_float32_cannot_hold_is_zero():
    high = jnp.array([-88.0, -1e3, -65504.0, 0.0])
    np.testing.assert_array_equal(wide(_pairs.exp((high, 0 * high))), [0, 0, 0, 1])


@pytest.mark.parametrize("value", [0.7, 1 / 7])
def test_sums_of_a_million_equal_numbers_do_not_drift(value):
    values = np.full(1_000_000, value, np.float32)
    (got,) = as_users(lambda x: _pairs.sums((x, 0 * x)))(values)
    np.testing.assert_allclose(wide(got), 1_000_000 * np.float64(values[0]), rtol=2e-9)


@pytest.mark.parametrize("size", [1, 2, 1000, 4097])
def test_sums_do_not_depend_on_the_order(size):
    values = RNG.uniform(0, 1, (5, size)).astype(np.float32)
    order = RNG.permutation(size)
    sums = as_users(lambda x, y: _pairs.sums((x, 0 * x), (y, 0 * y)))
    (first, second), (again, _) = sums(values, -values), sums(values[:, order], -values)
    assert np.max(np.abs(wide(first) / values.astype(np.float64).sum(-1) - 1)) <= 2.0**-40
    np.testing.assert_array_equal(first[0], -second[0])
    np.testing.assert_array_equal(first[0], again[0])
