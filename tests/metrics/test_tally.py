"""Three counts per class against NumPy, and what is read of them against exact integers."""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.metrics import f1_score, recall_score

from jimb import counting, metrics
from jimb.counting import CountState
from tests.metrics.test_measures import (
    ATOL,
    KINDS,
    PER_CLASS,
    SCALARS,
    TRAIN,
    compute,
    exact,
    matrices,
    of_all_sizes,
    plain,
    state_of,
)

K = 7
RNG = np.random.default_rng(0)
LABELS = np.minimum(RNG.geometric(0.4, 400) - 1, K - 2).astype(np.int32)
PREDICTIONS = np.where(RNG.random(400) < 0.6, LABELS, RNG.integers(0, K, 400)).astype(np.int32)
MASK = RNG.random(400) < 0.8

update = jax.jit(metrics.update)


def bincounts(predictions, labels, k=K):
    """Hits, examples and predictions, `[3, K]`."""
    of = labels[predictions == labels], labels, predictions
    return np.stack([np.bincount(x, minlength=k) for x in of])


def tally_of(hits, examples, predictions):
    return metrics.TallyState(*map(CountState, (hits, examples, predictions)))


def sums_of(confusion):
    return tally_of(np.diagonal(confusion), confusion.sum(1), confusion.sum(0))


def numbers(state):
    return np.stack([counting.to_numpy(counts) for counts in state])


# Counts.


def test_counts_are_those_of_numpy():
    state = update(metrics.init_tally(K), PREDICTIONS, LABELS)
    np.testing.assert_array_equal(numbers(state), bincounts(PREDICTIONS, LABELS))
    np.testing.assert_array_equal(counting.compute(state.hits), numbers(state)[0])
    assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, metrics.init_tally(K))


@pytest.mark.parametrize(
    "count", [update, pytest.param(metrics.update, marks=pytest.mark.slow)], ids=["jit", "host"]
)
def test_where_leaves_examples_out_whatever_they_are(count):
    predictions = np.where(MASK, PREDICTIONS, 99).reshape(4, 100)
    labels = np.where(MASK, LABELS, -1).reshape(4, 100)
    state = count(metrics.init_tally(K), predictions, labels, where=MASK.reshape(4, 100))
    np.testing.assert_array_equal(numbers(state), bincounts(PREDICTIONS[MASK], LABELS[MASK]))


def test_an_example_of_which_one_is_out_of_range_counts_nowhere():
    predictions, labels = jnp.array([0, 2, 1, -1, 1]), jnp.array([0, 0, 5, 1, -1])
    check = jax.jit(checkify.checkify(metrics.update))
    error, state = check(metrics.init_tally(2), predictions, labels)
    np.testing.assert_array_equal(numbers(state), [[1, 0]] * 3)
    assert "must lie in [0, 2)" in error.get()
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\).*got 2"):
        metrics.update(metrics.init_tally(2), [0, 1], [0, 2])


STARTS = np.array([[2**31 - 1, 7, 0], [5_300_000_000, 2**32 - 2, 1], [2**53 - 9, 2**31, 3]])


def test_counts_go_on_beyond_int32_in_a_scan_and_a_merge():
    labels, predictions = RNG.integers(0, 3, (2, 4, 50)).astype(np.int32)
    step = functools.partial(jax.lax.scan, lambda s, b: (metrics.update(s, *b), None))
    state, _ = jax.jit(step)(tally_of(*STARTS), (jnp.asarray(predictions), jnp.asarray(labels)))
    more = bincounts(predictions.ravel(), labels.ravel(), 3)
    np.testing.assert_array_equal(numbers(state), STARTS + more)
    merged = metrics.merge(tally_of(*(STARTS // 2)), tally_of(*(STARTS // 3)))
    np.testing.assert_array_equal(numbers(merged), STARTS // 2 + STARTS // 3)


@pytest.mark.slow
def test_a_count_beyond_the_end_is_lost_for_good_and_the_measures_are_nan():
    last, more = tally_of([3, 5], [2**53, 5], [3, 2**53]), tally_of([0, 0], [2**31, 0], [0, 2**31])
    error, lost = checkify.checkify(metrics.merge)(last, more)
    assert "a count went beyond 2**53" in error.get()
    for value in compute(lost):
        assert np.isnan(value).all()


def test_a_state_may_be_donated():
    count = jax.jit(metrics.update, donate_argnums=0)
    state = count(metrics.init_tally(K), jnp.asarray(PREDICTIONS), jnp.asarray(LABELS))
    np.testing.assert_array_equal(numbers(state), bincounts(PREDICTIONS, LABELS))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_a_sharded_batch_and_the_sum_of_its_shares_are_counted_as_a_whole(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))

    def shares(*batch):
        share = metrics.update(metrics.init_tally(K), *batch[:2], where=batch[2])
        return jax.lax.psum(share, "data")

    def count(*batch):
        whole = metrics.update(metrics.init_tally(K), *batch[:2], where=batch[2])
        return whole, jax.shard_map(shares, mesh=mesh, in_specs=P("data"), out_specs=P())(*batch)

    with jax.set_mesh(mesh):
        rows = jax.device_put((PREDICTIONS, LABELS, MASK), NamedSharding(mesh, P("data")))
        states = jax.jit(count)(*rows)
    for state in states:
        np.testing.assert_array_equal(numbers(state), bincounts(PREDICTIONS[MASK], LABELS[MASK]))
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))


# Measures.


@pytest.mark.parametrize("k", [10, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 1000))])
def test_measures_are_those_of_exact_integers_and_the_bits_of_the_confusion(k):
    for kind in KINDS:
        for counts in matrices(kind, k)[:3]:
            got, of_matrix = compute(sums_of(counts)), compute(state_of(counts))
            for name, expected in exact(counts)._asdict().items():
                value = getattr(got, name)
                np.testing.assert_allclose(value, expected, rtol=0, atol=ATOL, err_msg=name)
                np.testing.assert_array_equal(value, getattr(of_matrix, name), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALARS + PER_CLASS)
def test_each_function_gives_the_bits_of_the_confusion(name):
    counts = plain(np.random.default_rng(1), 10)
    measure = jax.jit(getattr(metrics, name))
    np.testing.assert_array_equal(measure(sums_of(counts)), measure(state_of(counts)))


@pytest.mark.slow
def test_f1_of_a_class_and_shots_are_those_of_numpy():
    counts = of_all_sizes(np.random.default_rng(4), 10)
    hits, true, predicted = np.float64([np.diagonal(counts), counts.sum(1), counts.sum(0)])
    got = jax.vmap(lambda c: metrics.f1(sums_of(counts), positive=c))(jnp.arange(10))
    np.testing.assert_allclose(got, 2 * hits / (true + predicted), rtol=0, atol=ATOL)
    recall, groups = hits / true, (TRAIN > 100, (TRAIN >= 20) & (TRAIN <= 100), TRAIN < 20)
    shots = metrics.shot_accuracy(sums_of(counts), TRAIN)
    np.testing.assert_allclose(shots, [recall[g].mean() for g in groups], rtol=0, atol=ATOL)
    np.testing.assert_array_equal(shots, metrics.shot_accuracy(state_of(counts), TRAIN))


@pytest.mark.slow
def test_measures_of_a_million_classes_seen_in_batches_are_those_of_scikit_learn():
    k, rng = 1_000_000, np.random.default_rng(5)
    labels = np.minimum(rng.pareto(0.5, 300_000) * 50, k - 1).astype(np.int32)
    predictions = np.where(rng.random(labels.size) < 0.7, labels, rng.permutation(labels))
    state = metrics.init_tally(k)
    for batch in np.split(np.stack([predictions, labels]), 3, axis=1):
        state = update(state, *batch)
    hits, true, predicted = bincounts(predictions, labels, k).astype(object)
    total = labels.size
    covariance = hits.sum() * total - (true * predicted).sum()
    variances = (total**2 - (true**2).sum()) * (total**2 - (predicted**2).sum())
    there = {"average": "macro", "labels": np.unique(labels), "zero_division": 0}
    expected = {
        "accuracy": np.mean(predictions == labels),
        "balanced_accuracy": recall_score(labels, predictions, **there),
        "macro_f1": f1_score(labels, predictions, **there),
        "matthews_correlation": covariance / math.sqrt(variances),
    }
    got = compute(state)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(got, name), value, rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("of", [3, 7])
@pytest.mark.parametrize("scale", [1, 10_000])
def test_a_million_equal_recalls_have_their_value_as_mean(of, scale):
    """Which drifts by 5e-5 where each addition rounds to the same side; 2.1e11 examples in all."""
    ones = np.full(1_000_000, scale)
    got = compute(tally_of(ones, of * ones, of * ones))
    for name in ("accuracy", "balanced_accuracy", "geometric_mean", "macro_f1"):
        np.testing.assert_allclose(getattr(got, name), 1 / of, rtol=0, atol=ATOL, err_msg=name)
    k = len(ones)
    correlation = (1 / of - 1 / k) / (1 - 1 / k)  # of equal classes
    np.testing.assert_allclose(got.matthews_correlation, correlation, rtol=0, atol=ATOL)


# Mistakes.


def test_what_does_not_fit_is_named_and_what_to_do():
    tally, confusion = metrics.init_tally(3), metrics.init(3)
    refused = {
        r"right must be a TallyState as left is, got a ConfusionState; .*init_tally\(K\)": (
            lambda: metrics.merge(tally, confusion)
        ),
        "right must be of the 3 classes of left, got 2": (
            lambda: metrics.merge(tally, metrics.init_tally(2))
        ),
        r"got a TallyState, .*metrics\.update\(metrics\.init\(K\)": (
            lambda: inspect.unwrap(metrics.expected_cost)(tally, np.eye(3))
        ),
        "predictions must be integers, got a TallyState, which comes first": (
            lambda: inspect.unwrap(metrics.update)(tally, tally, [1])
        ),
        r"state\.examples must be a CountState, got int64\[3\]; CountState\(counts\)": (
            lambda: metrics.accuracy(tally._replace(examples=np.arange(3)))
        ),
        r"state must have one count per class three times, got \[2, 3, 3\]": (
            lambda: metrics.accuracy(tally._replace(hits=CountState([1, 2])))
        ),
        "state must be a CountState, got TallyState": (
            lambda: inspect.unwrap(counting.to_numpy)(tally)
        ),
        r"num_classes must lie in \[1, 2\*\*31\)": lambda: metrics.init_tally(0),
    }
    for sentence, call in refused.items():
        with pytest.raises((TypeError, ValueError), match=sentence):
            call()
