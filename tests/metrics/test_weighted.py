"""States of weighted examples against sums in float64, and the measures against scikit-learn."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import metrics
from tests.metrics.test_measures import ATOL, scikit_learn

K = 7
INITS = (metrics.init_weighted, metrics.init_weighted_tally)
kinds = pytest.mark.parametrize("init", INITS, ids=lambda f: f.__name__)
update = jax.jit(metrics.update)
compute = jax.jit(metrics.compute)


def examples(n, spread=3.0, seed=0):
    """Predictions, labels and weights over several orders of magnitude; a few weigh nothing."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.4, n) - 1, K - 2).astype(np.int32)
    predictions = np.where(rng.random(n) < 0.6, labels, rng.integers(0, K, n)).astype(np.int32)
    weights = np.exp(rng.normal(0, spread, n)).astype(np.float32)
    return predictions, labels, np.where(rng.random(n) < 0.1, 0, weights).astype(np.float32)


def confusion(predictions, labels, weights):
    sums = np.zeros((K, K))
    np.add.at(sums, (labels, predictions), weights.astype(np.float64))
    return sums


def sums_of(confusion):
    return np.stack([np.diagonal(confusion), confusion.sum(1), confusion.sum(0)])


def numbers(state):
    return np.asarray(state.high, np.float64) + np.asarray(state.low, np.float64)


def assert_measures(state, sums):
    got = compute(state)
    for name, expected in scikit_learn(sums).items():
        value = np.nan_to_num(getattr(got, name))
        np.testing.assert_allclose(value, expected, rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.slow
@kinds
def test_sums_and_measures_of_batches_are_those_of_float64(init):
    predictions, labels, weights = examples(600)
    of = np.where(weights == 0, -9, labels)  # what weighs nothing may be anything
    state = init(K)
    for i in range(0, 600, 200):
        part = slice(i, i + 200)
        state = update(state, predictions[part], of[part], weights=weights[part])
    expected = confusion(predictions, labels, weights)
    sums = expected if init is metrics.init_weighted else sums_of(expected)
    np.testing.assert_allclose(numbers(state), sums, rtol=1e-12, atol=1e-12 * sums.max())
    assert_measures(state, expected)


@pytest.mark.parametrize(
    "init", [pytest.param(INITS[0], marks=pytest.mark.slow), INITS[1]], ids=lambda f: f.__name__
)
def test_without_weights_each_example_counts_one(init):
    predictions, labels, weights = examples(200)
    mask = weights > 1
    state = update(init(K), predictions, labels, where=mask)
    expected = confusion(predictions, labels, mask)
    sums = expected if init is metrics.init_weighted else sums_of(expected)
    np.testing.assert_array_equal(numbers(state), sums)


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("spread", [0.0, 3.0, 8.0])
def test_a_million_weights_do_not_drift(init, spread):
    batch = examples(2**20, spread)
    state = update(init(K), *batch[:2], weights=batch[2])
    expected = confusion(*batch)
    sums = expected if init is metrics.init_weighted else sums_of(expected)
    np.testing.assert_allclose(numbers(state), sums, rtol=1e-11, atol=1e-11 * sums.max())
    assert_measures(state, expected)


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_measures_do_not_depend_on_the_unit_of_weights(init, scale):
    predictions, labels, weights = examples(500, 2.0)
    weights = (weights * np.float32(scale)).astype(np.float32)
    state = update(init(K), predictions, labels, weights=weights)
    assert_measures(state, confusion(predictions, labels, weights))


@pytest.mark.slow
@kinds
def test_one_class_nothing_and_weights_of_zero(init):
    ones = jnp.ones(4, jnp.int32)
    assert metrics.accuracy(update(init(K), ones, ones, weights=jnp.full(4, 0.3))) == 1
    assert metrics.matthews_correlation(update(init(K), ones, ones, weights=jnp.ones(4))) == 0
    for state in (init(K), update(init(K), ones, ones, weights=jnp.zeros(4))):
        for value in compute(state):
            assert np.isnan(value).all()


@pytest.mark.slow
@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
@kinds
def test_a_sharded_batch_has_the_bits_of_the_whole(init, axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    batch = examples(800)
    expected = update(init(K), *batch[:2], weights=batch[2])
    with jax.set_mesh(mesh):
        p, y, w = jax.device_put(batch, NamedSharding(mesh, P("data")))
        got = jax.jit(lambda p, y, w: metrics.update(init(K), p, y, weights=w))(p, y, w)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_expected_cost_of_weights():
    batch = examples(500)
    state = update(metrics.init_weighted(K), *batch[:2], weights=batch[2])
    costs = np.random.default_rng(1).random((K, K)).astype(np.float32)
    expected = np.average(costs.astype(np.float64), weights=confusion(*batch))
    np.testing.assert_allclose(metrics.expected_cost(state, costs), expected, rtol=0, atol=ATOL)


@pytest.mark.slow
def test_over_a_scan_and_a_vmap():
    predictions, labels, weights = examples(400)
    batches = tuple(x.reshape(4, 100) for x in (predictions, labels, weights))
    step = lambda s, b: (metrics.update(s, b[0], b[1], weights=b[2]), None)  # noqa: E731
    state, _ = jax.jit(lambda b: jax.lax.scan(step, metrics.init_weighted(K), b))(batches)
    each = jax.vmap(lambda p, y, w: metrics.update(metrics.init_weighted(K), p, y, weights=w))
    states = each(*batches)
    assert_measures(state, confusion(predictions, labels, weights))
    np.testing.assert_allclose(numbers(states).sum(0), numbers(state), rtol=1e-12)


def test_mistakes_are_named():
    weighted, whole = metrics.init_weighted(3), metrics.init(3)
    refused = {
        r"state must be weighted to take weights, got a ConfusionState.*init_weighted\(K\)": (
            lambda: metrics.update(whole, [1], [1], weights=[0.5])
        ),
        r"weights must lie in \[0, 3\.4\d+e\+38\], got -1": (
            lambda: metrics.update(weighted, [1], [1], weights=np.array([-1.0]))
        ),
        r"weights must have the shape \[1\] of labels": (
            lambda: metrics.update(weighted, [1], [1], weights=np.ones(2))
        ),
        "weights must be floating point": (
            lambda: metrics.update(weighted, [1], [1], weights=np.array([1]))
        ),
        r"labels must lie in \[0, 3\)": (
            lambda: metrics.update(weighted, [1], [3], weights=np.ones(1))
        ),
        "right must be a WeightedConfusionState as left is": (
            lambda: metrics.merge(weighted, whole)
        ),
        r"state must hold sums \[K, K\] twice": (
            lambda: metrics.accuracy(metrics.WeightedConfusionState(np.ones((2, 3)), np.ones(2)))
        ),
        "got a WeightedTallyState": (
            lambda: inspect.unwrap(metrics.expected_cost)(metrics.init_weighted_tally(3), np.eye(3))
        ),
    }
    for sentence, call in refused.items():
        with pytest.raises((TypeError, ValueError), match=sentence):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_wrong_traced_weight_makes_all_nan_unless_it_is_masked(bad):
    check = jax.jit(checkify.checkify(metrics.update))
    ids, weights = jnp.array([0, 1]), jnp.array([1.0, bad])
    error, state = check(metrics.init_weighted(2), ids, ids, weights=weights)
    assert np.isnan(metrics.accuracy(state))
    assert "weights must lie in" in error.get()
    where = jnp.array([True, False])
    error, state = check(metrics.init_weighted(2), ids, ids, weights=weights, where=where)
    assert error.get() is None
    assert metrics.accuracy(state) == 1
