"""Ranking measures of histograms against their own bound, and scikit-learn's of the bins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb.metrics import ranking
from tests.metrics.test_ranking import assert_is, examples, of_scikit_learn

bins = jax.jit(ranking.update)
read = jax.jit(ranking.compute)


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 100_000])
def test_a_histogram_is_no_further_off_than_it_says(n):
    for seed, size in ((0, 10), (1, 200), *(() if n < 100 else ((2, 10_000),))):
        scores, labels, _ = examples(n, seed, positives=0.02 if n > 100 else 0.3)
        state = ranking.init(size)
        for part in np.array_split(np.arange(n), 2):
            state = bins(state, scores[part], labels[part], low=-3.0, high=4.0)
        got = read(state)
        expected = of_scikit_learn(scores, labels)
        assert abs(got.average_precision - expected[0]) <= got.average_precision_error
        assert abs(got.roc_auc - expected[1]) <= got.roc_auc_error
        if size == 10_000:
            assert got.roc_auc_error < 1e-4
            assert got.average_precision_error < 0.02


@pytest.mark.slow
def test_a_histogram_measures_as_if_a_bin_were_one_score():
    scores, labels, _ = examples(5000)
    state = ranking.update(ranking.init(64), scores, labels, low=-4.0, high=4.0)
    binned = np.clip(np.floor((np.asarray(scores) + 4) * 8), 0, 63)
    expected = of_scikit_learn(binned, labels)
    got = read(state)
    assert_is(got.average_precision, expected[0])
    assert_is(got.roc_auc, expected[1])


@pytest.mark.slow
def test_the_bound_is_met_by_the_order_inside_a_bin():
    labels = np.array([0, 1] * 50)
    state = ranking.update(ranking.init(1), jnp.full(100, 0.5), labels)
    got = read(state)
    assert got.roc_auc == 0.5
    np.testing.assert_allclose(got.roc_auc_error, 0.5, atol=1e-6)
    for order in (labels, 1 - labels):
        scores = jnp.where(order == 1, 0.6, 0.4)
        expected = of_scikit_learn(scores, labels)
        # Nothing is in order, or all: the bound could not be smaller.
        np.testing.assert_allclose(abs(got.roc_auc - expected[1]), got.roc_auc_error, atol=1e-6)
        assert abs(got.average_precision - expected[0]) <= got.average_precision_error


@pytest.mark.slow
def test_counts_beyond_int32_and_a_lost_count():
    counts = np.array([[2**40, 3, 2**35], [5, 2**20, 2**33]])
    got = read(ranking.RankingState(counts))
    labels, scores = np.repeat([0, 1], 3), np.tile(np.arange(3.0), 2)
    expected = of_scikit_learn(scores, labels, counts.ravel())
    assert_is(got.average_precision, expected[0])
    assert_is(got.roc_auc, expected[1])
    lost = ranking.RankingState(np.full((2, 3), 2**53))
    for value in read(ranking.merge(lost, lost)):
        assert np.isnan(value)


@pytest.mark.slow
def test_a_histogram_of_one_class_or_nothing():
    ones = ranking.update(ranking.init(3), jnp.array([0.1, 0.9]), jnp.array([1, 1]))
    got = ranking.compute(ones)
    assert got.average_precision == 1
    assert np.isnan(got.roc_auc)
    for value in ranking.compute(ranking.init(3)):
        assert np.isnan(value)


@pytest.mark.slow
def test_what_a_histogram_drops():
    check = jax.jit(checkify.checkify(ranking.update))
    scores, labels = jnp.array([jnp.nan, 0.2, 7.0, -jnp.inf]), jnp.array([1, 5, 1, 0])
    error, state = check(ranking.init(2), scores, labels)
    np.testing.assert_array_equal(state.counts, [[1, 0], [0, 1]])
    assert "must lie in [0, 2)" in error.get()
    where = jnp.array([False, False, True, True])
    error, state = check(ranking.init(2), scores, labels, where=where)
    assert error.get() is None
    error, state = check(ranking.init(2), scores, labels, low=1.0, high=0.0)
    np.testing.assert_array_equal(state.counts, 0)
