"""Integers of 64 bits in two of 32, against Python's."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb.metrics import _integers

RNG = np.random.default_rng(0)
A = 1 + (RNG.integers(0, 2**62, 1000) >> RNG.integers(0, 62, 1000))
B = RNG.integers(0, 2**62, 1000) >> RNG.integers(0, 62, 1000)


def wide(x):
    return jnp.asarray(x >> 32, jnp.uint32), jnp.asarray(x & 0xFFFFFFFF, jnp.uint32)


def ints(x):
    return np.asarray(x[0], np.int64) * 2**32 + np.asarray(x[1], np.int64)


def test_sums_and_differences_are_exact():
    np.testing.assert_array_equal(ints(jax.jit(_integers.add)(wide(A), wide(B))), A + B)
    larger, smaller = np.maximum(A, B), np.minimum(A, B)
    got = jax.jit(_integers.subtract)(wide(larger), wide(smaller))
    np.testing.assert_array_equal(ints(got), larger - smaller)


def test_totals_are_exact():
    table = (A >> 8).reshape(50, 20)  # up to 2**54
    for axis in (0, 1):
        got = jax.jit(_integers.total, static_argnums=1)(wide(table), axis)
        np.testing.assert_array_equal(ints(got), table.sum(axis))


def test_totals_of_many_are_exact():
    many = 2**48 + np.arange(2**17).reshape(2, 2**16) % 1000 << 5
    many[0] += 2**32 - 1  # whose low halves alone sum up to 2**48
    got = jax.jit(_integers.total, static_argnums=1)(wide(many.reshape(1, -1)), 1)
    np.testing.assert_array_equal(ints(got), [many.sum()])


def test_a_pair_of_floats_holds_48_bits():
    counts = 1 + (A >> 6)  # up to 2**56
    high, low = jax.jit(_integers.to_pair)(wide(counts))
    got = np.int64(high) + np.int64(low)  # each of 24 bits
    np.testing.assert_allclose(np.float64(got - counts) / counts, 0, atol=2.0**-48)
    np.testing.assert_array_equal(got[counts < 2**48], counts[counts < 2**48])
    assert np.any(counts < 2**24)
    assert np.any(counts > 2**52)


def test_numbers_are_stacked():
    got = _integers.stack(wide(A), wide(B))
    np.testing.assert_array_equal(ints(got), [A, B])
