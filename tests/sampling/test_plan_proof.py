"""Epoch plans of the sizes people train on: no example is lost, whatever the random offset.

What every single plan promises of small and odd weights is in test_epoch_plan.py; here are plans of
these sizes, means over all plans there can be, and eight devices.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import sampling
from proofs import samplers

LARGE = pytest.param(1_280_000, marks=pytest.mark.slow)
each_kind = pytest.mark.parametrize("kind", samplers.KINDS)
SLOW_KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in samplers.KINDS[1:]]
one_kind = pytest.mark.parametrize("kind", [samplers.KINDS[0], *SLOW_KINDS])
each_size = pytest.mark.parametrize("num", [100_000, LARGE])


@functools.cache
def case(kind, num):
    """float32 weights, their float64 expectations, and the plan's fixed-point ones."""
    weights = samplers.weights_of(kind, num, seed=1)
    expected = num * samplers.probabilities(weights)
    return weights, expected, samplers.fixed_point(weights, num)


@each_size
@each_kind
def test_a_plan_visits_what_its_one_offset_says(kind, num):
    """So that means over offsets are means over plans."""
    weights, expected, counts = case(kind, num)
    for seed in range(2):
        key = jax.random.key(seed)
        visits = np.bincount(sampling.epoch_plan(key, jnp.asarray(weights), num), minlength=num)
        np.testing.assert_array_equal(visits, samplers.visits_at(counts, samplers.offset_of(key)))
        assert visits.sum() == num
        assert np.abs(visits - expected).max() < 1


@each_size
@each_kind
def test_the_mean_over_all_offsets_is_that_of_float64(kind, num):
    _, expected, counts = case(kind, num)
    mean = samplers.plan_means(counts)
    rare = samplers.rarest_tenth(expected)
    assert abs(mean[rare].sum() / expected[rare].sum() - 1) < 2e-8  # measured 5.4e-9
    np.testing.assert_allclose(mean, expected, rtol=1e-5)  # measured 8.7e-6
    assert np.all(mean[expected > 1e-3] > 0)


@each_size
@each_kind
def test_the_mean_over_a_grid_of_a_million_offsets_is_that_of_float64(kind, num):
    _, expected, counts = case(kind, num)
    mean = samplers.plan_means(counts, offsets=2**20)
    rare = samplers.rarest_tenth(expected)
    assert abs(mean[rare].sum() / expected[rare].sum() - 1) < 1e-3  # measured 9.9e-5
    assert np.all(mean[expected > 1e-3] > 0)


@each_kind
def test_the_mean_over_a_grid_is_that_of_its_visits(kind):
    counts = samplers.fixed_point(samplers.weights_of(kind, 1000, seed=1), 1000)
    visits = [samplers.visits_at(counts, offset) for offset in range(0, 2**32, 2**22)]
    np.testing.assert_array_equal(
        samplers.plan_means(counts, offsets=2**10), np.mean(visits, axis=0)
    )


@each_size
@each_kind
def test_at_no_offset_is_an_example_visited_a_whole_time_too_often_or_too_rarely(kind, num):
    _, expected, counts = case(kind, num)
    assert np.max(expected - counts.whole) < 1
    assert np.max(np.where(counts.fraction > 0, counts.whole + 1 - expected, 0)) < 1
    assert counts.whole.sum() * 2**32 + counts.fraction.sum() == num * 2**32


@pytest.mark.slow
def test_eight_devices_draw_the_plan_of_one():
    """Large plans take other sums and orders than the small ones in test_sharding.py."""
    num = 100_000
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    for kind in samplers.KINDS:
        weights, _, _ = case(kind, num)
        one = sampling.epoch_plan(jax.random.key(3), jnp.asarray(weights), num)
        assert len(one.devices()) == 1
        with jax.set_mesh(mesh):
            split = jax.device_put(weights, NamedSharding(mesh, P("data")))
            eight = sampling.epoch_plan(jax.random.key(3), split, num)
        assert len(eight.devices()) == 8
        np.testing.assert_array_equal(eight, one)


# ------------------------------------------------------------- what the plans are compared with


@one_kind
def test_jax_choice_draws_what_its_table_says(kind):
    num = 5000
    p = samplers.probabilities(samplers.weights_of(kind, num, seed=1))
    table = samplers.choice_table(p)
    for seed in range(3):
        key = jax.random.key(seed)
        drawn = jax.random.choice(key, num, (num,), p=jnp.asarray(p, jnp.float32))
        np.testing.assert_array_equal(drawn, samplers.choice_from(table, key, num))
    assert samplers.choice_means(table, num, num).sum() == num


def test_numpy_means_are_counts_of_its_random_numbers():
    np.testing.assert_array_equal(samplers.numpy_means(np.array([0.5, 0.25, 0.25]), 8), [4, 2, 2])
    # 2⁻⁵⁴ lies between two random numbers: it is lost after 0.5, but not before.
    lost = np.array([0.5, 2.0**-54, 0.5])
    np.testing.assert_array_equal(samplers.numpy_means(lost, 2), [1, 0, 1])
    np.testing.assert_array_equal(samplers.numpy_means(lost[[1, 0, 2]], 2**53)[0], 1)
