"""Exact ranking measures against scikit-learn in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.metrics import average_precision_score, roc_auc_score

from jimb import metrics
from jimb.metrics import ranking

ATOL = 4e-8  # measured 3.0e-8, half of float32's rounding below 1; 3.3e-8 where m is rounded, too
RATES = (0.01, 0.1, 0.37, 0.9, 1.0)

auc = jax.jit(metrics.roc_auc)
precision = jax.jit(metrics.average_precision)


def examples(n, seed=0, *, ties=False, positives=0.3):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < positives).astype(np.int32)
    labels[:2] = 0, 1
    scores = (rng.normal(size=n) + 1.5 * labels).astype(np.float32)
    weights = np.exp(rng.normal(0, 2, n)).astype(np.float32)
    weights[2:] = np.where(rng.random(n - 2) < 0.1, 0, weights[2:])
    return jnp.asarray(np.round(scores, 1) if ties else scores), labels, weights


def assert_is(got, expected):
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)


def of_scikit_learn(scores, labels, weights=None, **kwargs):
    given = np.asarray(labels), np.asarray(scores, np.float64)
    weights = None if weights is None else np.asarray(weights, np.float64)
    return (
        average_precision_score(*given, sample_weight=weights),
        roc_auc_score(*given, sample_weight=weights, **kwargs),
    )


@pytest.mark.parametrize("ties", [pytest.param(False, marks=pytest.mark.slow), True])
def test_exact_measures_are_those_of_scikit_learn(ties):
    scores, labels, weights = examples(200, ties=ties)
    expected = of_scikit_learn(scores, labels, weights)
    masked = jnp.where(weights == 0, jnp.nan, scores)  # what weighs nothing may be anything
    of = np.where(weights == 0, 7, labels)
    assert_is(precision(masked, of, weights=weights), expected[0])
    assert_is(auc(masked, of, weights=weights), expected[1])


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 10, 1000, 2**17 + 1, 1_000_000])
@pytest.mark.parametrize("ties", [False, True])
def test_exact_measures_of_few_and_many_scores(n, ties):
    for seed in range(10 if n <= 10 else 1):
        scores, labels, weights = examples(n, seed, ties=ties, positives=0.5 if n < 100 else 0.02)
        for w in (None, weights):
            expected = of_scikit_learn(scores, labels, w)
            assert_is(precision(scores, labels, weights=w), expected[0])
            assert_is(auc(scores, labels, weights=w), expected[1])


@pytest.mark.slow
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [10, 1000])
def test_partial_areas_are_those_of_scikit_learn(n, ties):
    for seed in range(5):
        scores, labels, weights = examples(n, seed, ties=ties)
        for w in (None, weights):
            for rate in RATES:
                expected = of_scikit_learn(scores, labels, w, max_fpr=rate)[1]
                assert_is(auc(scores, labels, weights=w, max_fpr=rate), expected)
    expected = of_scikit_learn(scores, labels, max_fpr=0.1)[1]
    assert_is(metrics.roc_auc(scores, labels, max_fpr=0.1), expected)


@pytest.mark.slow
def test_scores_of_numpy_are_told_apart_in_float64():
    scores = 1 + np.array([1, 2, 3, 4]) * 1e-12
    labels = np.array([0, 1, 0, 1])
    expected = of_scikit_learn(scores, labels)
    assert_is(metrics.average_precision(scores, labels), expected[0])
    assert_is(metrics.roc_auc(scores, labels), expected[1])
    assert metrics.roc_auc(jnp.asarray(scores), labels) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_scores_of_half_precision_and_infinite_ones(dtype):
    scores, labels, _ = examples(100)
    scores = scores.astype(dtype).at[5].set(-jnp.inf).at[6].set(jnp.inf)
    finite = np.clip(np.asarray(scores, np.float64), -99, 99)
    expected = of_scikit_learn(finite, labels)
    assert_is(precision(scores, labels), expected[0])
    assert_is(auc(scores, labels), expected[1])


@pytest.mark.slow
def test_zeros_of_both_signs_are_one_score():
    assert auc(jnp.array([0.0, -0.0]), jnp.array([0, 1])) == 0.5
    assert auc(jnp.array([0.0, -0.0]), jnp.array([1, 0])) == 0.5


@pytest.mark.slow
def test_one_class_nothing_all_masked():
    scores, none = jnp.array([0.3, 0.1]), jnp.array([False, False])
    check = jax.jit(checkify.checkify(metrics.roc_auc))
    checked_precision = jax.jit(checkify.checkify(metrics.average_precision))
    for labels, kwargs in (([0, 0], {}), ([1, 1], {}), ([0, 1], {"where": none})):
        error, got = check(scores, jnp.array(labels), **kwargs)
        assert np.isnan(got)
        assert "labels have examples of one class only" in error.get()
    for labels, kwargs in (([0, 0], {}), ([0, 1], {"where": none})):
        error, got = checked_precision(scores, jnp.array(labels), **kwargs)
        assert np.isnan(got)
        assert "no positive example" in error.get()
    assert metrics.average_precision(scores, jnp.array([1, 1])) == 1
    empty = jnp.zeros(0), jnp.zeros(0, jnp.int32)
    assert np.isnan(metrics.roc_auc(*empty))
    assert np.isnan(metrics.average_precision(*empty, weights=jnp.zeros(0)))


@pytest.mark.slow
def test_a_nan_among_the_scores_is_heard_and_a_masked_one_is_not():
    scores, labels = jnp.array([0.3, jnp.nan, 0.1]), jnp.array([1, 1, 0])
    check = jax.jit(checkify.checkify(metrics.roc_auc))
    error, got = check(scores, labels)
    assert np.isnan(got)
    assert "scores hold a NaN" in error.get()
    error, got = check(scores, labels, where=~jnp.isnan(scores))
    assert error.get() is None
    assert got == 1
    error, got = check(jnp.ones(3), labels, weights=jnp.array([1.0, -1.0, 1.0]))
    assert np.isnan(got)
    assert "weights must lie in" in error.get()
    error, got = check(jnp.ones(3), labels, max_fpr=jnp.float32(0))
    assert np.isnan(got)
    assert "max_fpr must lie in (0, 1]" in error.get()


@pytest.mark.slow
def test_of_each_class_against_the_others_over_a_vmap():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 300), rng.normal(size=(300, 4)).astype(np.float32)
    logits[range(300), labels] += 1
    p = np.asarray(jax.nn.softmax(logits), np.float64)
    one_hot = jax.nn.one_hot(labels, 4, dtype=int)
    each = jax.jit(jax.vmap(metrics.roc_auc, in_axes=1))(jnp.asarray(p, jnp.float32), one_hot)
    p = np.asarray(jnp.asarray(p, jnp.float32), np.float64)
    expected = [roc_auc_score(labels == c, p[:, c]) for c in range(4)]
    assert_is(each, expected)
    assert_is(each.mean(), np.mean(expected))
    of_booleans = [metrics.roc_auc(jnp.asarray(p[:, c]), labels == c) for c in range(4)]
    np.testing.assert_array_equal(of_booleans, each)


@pytest.mark.slow
@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_a_sharded_batch_has_the_bits_of_the_whole(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    batch = tuple(np.asarray(x).reshape(8, 50) for x in examples(400))

    def all_of(scores, labels, weights):
        histogram = ranking.update(ranking.init(50), scores, labels, low=-5.0, high=5.0)
        return (
            metrics.roc_auc(scores, labels, weights=weights),
            metrics.average_precision(scores, labels, weights=weights),
            histogram,
        )

    expected = jax.jit(all_of)(*map(jnp.asarray, batch))
    with jax.set_mesh(mesh):
        got = jax.jit(all_of)(*jax.device_put(batch, NamedSharding(mesh, P("data"))))
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_mistakes_are_named():
    scores, labels = np.array([0.3, 0.6]), np.array([0, 1])
    state = ranking.init(4)
    refused = {
        r"labels must have the shape \[2\] of scores": (
            lambda: metrics.roc_auc(scores, np.array([0, 1, 1]))
        ),
        r"labels must lie in \[0, 2\)": lambda: metrics.roc_auc(scores, np.array([0, 2])),
        "scores must be floating point": lambda: metrics.average_precision(labels, labels),
        r"max_fpr must lie in \(0, 1\], got 0": (
            lambda: metrics.roc_auc(scores, labels, max_fpr=0.0)
        ),
        "weights must lie in": (
            lambda: metrics.roc_auc(scores, labels, weights=np.array([1.0, -1.0]))
        ),
        "high must be above low": lambda: ranking.update(state, scores, labels, low=1.0),
        "right must have the 4 bins of left, got 5": lambda: ranking.merge(state, ranking.init(5)),
        r"state\.counts must be \[2, B\]": (
            lambda: ranking.compute(ranking.RankingState(np.zeros(3, int)))
        ),
        "num_bins must lie in": lambda: ranking.init(0),
    }
    for sentence, call in refused.items():
        with pytest.raises((TypeError, ValueError), match=sentence):
            call()
