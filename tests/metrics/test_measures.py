"""The measures against scikit-learn, and against fractions of Python's integers where it rounds."""

import fractions
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from jax.experimental import checkify

from jimb import metrics

ATOL = 1e-7  # measured 3.0e-8, half of float32's rounding below 1; 3.6e-8 for the geometric mean
SCALARS = (
    "accuracy",
    "balanced_accuracy",
    "geometric_mean",
    "macro_f1",
    "matthews_correlation",
)
PER_CLASS = ("per_class_recall", "per_class_precision", "per_class_f1")

compute = jax.jit(metrics.compute)
shots = jax.jit(metrics.shot_accuracy)
cost = jax.jit(metrics.expected_cost)
f1 = jax.jit(metrics.f1)


def state_of(counts):
    return metrics.ConfusionState(np.asarray(counts, np.int64))


# Confusion matrices.


def logarithmic(rng, shape, bits):
    """Integers from 1 to 2**bits, as many of each number of digits."""
    return np.floor(2 ** rng.uniform(0, bits, shape)).astype(np.int64)


def plain(rng, k):
    return rng.integers(0, 100, (k, k))


def of_all_sizes(rng, k):
    return logarithmic(rng, (k, k), 30)


def beyond_int32(rng, k):
    return logarithmic(rng, (k, k), 50) // k**2


def rows_beyond_int32(rng, k):
    return rng.integers(2**30, 2**31, (k, k))


def unrelated(rng, k):
    """Each row alike: a correlation of exactly 0."""
    return np.broadcast_to(logarithmic(rng, (k, 1), 30), (k, k))


def nearly_unrelated(rng, k):
    return unrelated(rng, k) + rng.integers(0, 2, (k, k))


def nearly_perfect(rng, k):
    counts = logarithmic(rng, (k, k), 5)
    np.fill_diagonal(counts, 2**30)
    return counts


def nearly_all_wrong(rng, k):
    counts = 2**30 - logarithmic(rng, (k, k), 5)
    np.fill_diagonal(counts, logarithmic(rng, k, 5) - 1)
    return counts


def one_class_rules(rng, k):
    counts = logarithmic(rng, (k, k), 5)
    counts[0, 0] = 2**30
    return counts


def rare_classes_all_missed(rng, k):
    counts = one_class_rules(rng, k)
    counts[range(1, k), range(1, k)] = 0
    return counts


def perfect(rng, k):
    return np.diag(logarithmic(rng, k, 30))


def one_class_predicted(rng, k):
    counts = np.zeros((k, k), np.int64)
    counts[:, 0] = logarithmic(rng, k, 30)
    return counts


def one_class_there(rng, k):
    return one_class_predicted(rng, k).T.copy()


def with_absent_classes(rng, k):
    counts = plain(rng, k) + 1
    counts[k // 2] = 0  # predicted alone
    if k > 2:
        counts[:, k // 3] = 0  # never predicted
    counts[-1] = counts[:, -1] = 0  # neither
    return counts


KINDS = (
    plain,
    of_all_sizes,
    beyond_int32,
    rows_beyond_int32,
    unrelated,
    nearly_unrelated,
    nearly_perfect,
    nearly_all_wrong,
    one_class_rules,
    rare_classes_all_missed,
    perfect,
    one_class_predicted,
    one_class_there,
    with_absent_classes,
)
TIMES = {2: 30, 3: 20, 10: 5, 100: 1, 1000: 1}
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
sizes = pytest.mark.parametrize("k", [2, 3, 10, pytest.param(1000, marks=pytest.mark.slow)])


def matrices(kind, k):
    rng = np.random.default_rng([k, KINDS.index(kind)])
    return [kind(rng, k) for _ in range(TIMES[k])]


# Oracles.


def quotient(part, whole):
    return float(fractions.Fraction(int(part), int(whole))) if whole else math.nan


def exact(counts):
    """The measures of integers without a bound, rounded to float64 at the end."""
    sums = np.diagonal(counts), counts.sum(1), counts.sum(0)  # below 2**54
    hits, true, predicted = (x.astype(object) for x in sums)
    total = true.sum()
    recall = np.array([quotient(h, t) for h, t in zip(hits, true, strict=True)])
    precision = np.array([quotient(h, p) for h, p in zip(hits, predicted, strict=True)])
    precision[(true > 0) & (predicted == 0)] = 0
    f1 = np.array([quotient(2 * h, b) for h, b in zip(hits, true + predicted, strict=True)])
    covariance = int(hits.sum() * total - (true * predicted).sum())
    variances = int((total**2 - (true**2).sum()) * (total**2 - (predicted**2).sum()))
    squared = quotient(covariance**2, variances) if variances else 0.0
    there = recall[~np.isnan(recall)]
    return metrics.Measures(
        accuracy=quotient(hits.sum(), total),
        balanced_accuracy=math.fsum(there) / len(there),
        geometric_mean=math.exp(math.fsum(map(math.log, there)) / len(there)) if all(there) else 0,
        macro_f1=np.nanmean(f1),
        matthews_correlation=math.copysign(math.sqrt(squared), covariance),
        per_class_recall=recall,
        per_class_precision=precision,
        per_class_f1=f1,
    )


def scikit_learn(counts):
    """The same by `sklearn.metrics`, one example of a cell with its count as weight."""
    true, predicted = np.nonzero(counts)
    of = {"y_true": true, "y_pred": predicted, "sample_weight": counts[true, predicted]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
            **of, labels=range(len(counts)), zero_division=0
        )
        return {
            "accuracy": sklearn.metrics.accuracy_score(**of),
            "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(**of),
            "macro_f1": sklearn.metrics.f1_score(**of, average="macro", zero_division=0),
            "matthews_correlation": sklearn.metrics.matthews_corrcoef(**of),
            "per_class_recall": recall,
            "per_class_precision": precision,
            "per_class_f1": f1,
        }


# Values.


@kinds
@sizes
def test_measures_are_those_of_exact_integers(kind, k):
    for counts in matrices(kind, k):
        got = compute(state_of(counts))
        for name, expected in exact(counts)._asdict().items():
            value = getattr(got, name)
            assert value.dtype == jnp.float32
            np.testing.assert_allclose(value, expected, rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.parametrize(
    ("kind", "k"),
    [
        *((kind, 3) for kind in KINDS),
        *(pytest.param(kind, k, marks=pytest.mark.slow) for k in (2, 10, 100) for kind in KINDS),
        pytest.param(of_all_sizes, 1000, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_measures_are_those_of_scikit_learn(kind, k):
    for counts in matrices(kind, k)[:3]:
        got = compute(state_of(counts))
        for name, expected in scikit_learn(counts).items():
            value = np.asarray(getattr(got, name))
            if name in PER_CLASS:  # a class that is not there: NaN here, 0 there
                absent = counts.sum(1) + (0 if name == "per_class_recall" else counts.sum(0)) == 0
                assert np.isnan(value[absent]).all()
                value = np.where(absent, 0, value)
            np.testing.assert_allclose(value, expected, rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.parametrize("bits", [31, 40, 52])
def test_the_correlation_of_ten_examples_among_many(bits):
    for hits in (1, 5, 9):
        counts = np.array([[2**bits, 10 - hits], [10 - hits, hits]])
        got = compute(state_of(counts)).matthews_correlation
        expected = exact(counts).matthews_correlation
        np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)
        np.testing.assert_allclose(expected, hits / 10, atol=1e-8)


def test_measures_of_more_than_the_sums_hold_are_nan():
    for value in compute(state_of(np.full((3, 3), 2**53))):
        assert np.isnan(value).all()


def test_the_correlation_of_three_rare_examples_among_many():
    """The textbook's numerator and roots lose all of float32 here, and 29 bits of float64."""
    counts = np.array([[2**31 - 1, 1], [1, 1]])
    np.testing.assert_allclose(exact(counts).matthews_correlation, 0.5, atol=1e-9)
    np.testing.assert_allclose(compute(state_of(counts))[4], 0.5, rtol=0, atol=ATOL)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_correlation_is_exactly_one(sign):
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = perfect(rng, 2)[::sign]
        assert compute(state_of(counts)).matthews_correlation == sign


@pytest.mark.parametrize("name", SCALARS + PER_CLASS)
def test_each_function_gives_the_bits_of_compute(name):
    state = state_of(with_absent_classes(np.random.default_rng(1), 10))
    np.testing.assert_array_equal(
        jax.jit(getattr(metrics, name))(state), getattr(compute(state), name)
    )


@pytest.mark.parametrize("shape", [(0, 0), (4,), (2, 3), (2, 2, 2)])
def test_counts_must_be_square(shape):
    with pytest.raises(ValueError, match=r"state.counts must be \[K, K\]"):
        metrics.accuracy(state_of(np.zeros(shape)))


def test_measures_of_no_examples_are_nan():
    for value in compute(metrics.init(3)):
        assert np.isnan(value).all()


def test_one_class_alone():
    got = compute(state_of([[5]]))
    assert got[:5] == (1, 1, 1, 1, 0)


def test_f1_of_one_class_is_that_of_scikit_learn():
    counts = np.array([[50, 3], [7, 11]])
    true, predicted = np.nonzero(counts)
    for positive in (0, 1):
        expected = sklearn.metrics.f1_score(
            true, predicted, sample_weight=counts[true, predicted], pos_label=positive
        )
        got = f1(state_of(counts), positive=positive)
        np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)
    np.testing.assert_allclose(f1(state_of(counts)), expected, rtol=0, atol=ATOL)


def test_f1_over_traced_classes():
    state = state_of(plain(np.random.default_rng(2), 10))
    got = jax.jit(jax.vmap(lambda c: metrics.f1(state, positive=c)))(jnp.arange(10))
    np.testing.assert_array_equal(got, metrics.per_class_f1(state))


@kinds
def test_the_expected_cost_is_the_mean_over_the_examples(kind):
    for counts in matrices(kind, 10):
        costs = np.random.default_rng(3).uniform(-5, 20, (10, 10)).astype(np.float32)
        total = sum(
            fractions.Fraction(float(c)) * int(n)
            for c, n in zip(costs.flat, counts.flat, strict=True)
        )
        expected = float(total / int(counts.sum()))
        # Rounded once: half of float32's spacing below 32.
        np.testing.assert_allclose(cost(state_of(counts), costs), expected, rtol=0, atol=1e-6)


def test_the_expected_cost_of_errors_that_cost_one_is_the_error_rate():
    counts = np.array([[50, 3], [7, 11]])
    costs = np.array([[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(cost(state_of(counts), costs), 10 / 71, rtol=0, atol=ATOL)


@pytest.mark.slow
def test_the_expected_cost_of_sixteen_million_cells_does_not_drift():
    rng = np.random.default_rng(0)
    counts, costs = rng.integers(0, 100, (4000, 4000)), np.float32(rng.random((4000, 4000)))
    expected = np.average(costs.astype(np.float64), weights=counts)
    np.testing.assert_allclose(cost(state_of(counts), costs), expected, rtol=0, atol=ATOL)


def test_a_cost_near_the_largest_float_does_not_overflow():
    got = cost(state_of([[2**30, 1], [1, 2**30]]), np.array([[3e38, 0], [0, 3e38]]))
    np.testing.assert_allclose(got, 3e38, rtol=1e-6)


# Many, medium and few shots.

TRAIN = np.array([101, 500, 100, 20, 50, 19, 1, 0, 3, 150])


def test_shot_accuracy_is_the_mean_recall_of_each_group():
    counts = of_all_sizes(np.random.default_rng(4), 10)
    recall = np.diagonal(counts) / counts.sum(1)
    got = shots(state_of(counts), TRAIN)
    expected = [recall[[0, 1, 9]], recall[[2, 3, 4]], recall[[5, 6, 7, 8]]]
    assert got._fields == ("many", "medium", "few")
    np.testing.assert_allclose(got, [r.mean() for r in expected], rtol=0, atol=ATOL)


def test_shot_accuracy_leaves_out_classes_without_test_examples():
    counts = np.diag([4, 2, 0, 0, 3, 5, 1, 2, 0, 0])
    counts[0, 1] = 4
    got = shots(state_of(counts), TRAIN)
    np.testing.assert_allclose(got, [0.75, 1, 1], rtol=0, atol=ATOL)


def test_shot_groups_may_lie_elsewhere():
    counts = np.diag([1, 1, 1])
    counts[0, 1] = 1
    got = shots(state_of(counts), np.array([7, 5, 4]), many_above=5, few_below=5)
    np.testing.assert_array_equal(got, [0.5, 1, 1])


def test_an_empty_shot_group_is_nan_and_says_so():
    state, check = state_of(np.diag([3, 0, 2])), jax.jit(checkify.checkify(metrics.shot_accuracy))
    error, got = check(state, np.array([500, 50, 5]))
    np.testing.assert_array_equal(got, [1, np.nan, 1])
    assert "the group 'medium' has no class with test examples" in error.get()
    assert "the group 'few' has no class" in check(state, np.array([500, 5, 50]))[0].get()
    assert check(state_of(np.eye(3)), np.array([500, 50, 5]))[0].get() is None


# Transformations.


def test_measures_over_a_vmap_and_a_scan():
    counts = np.stack([kind(np.random.default_rng(5), 10) for kind in KINDS])
    states = state_of(counts)
    one_by_one = [compute(state_of(c)) for c in counts]
    expected = [np.stack([np.asarray(one[i]) for one in one_by_one]) for i in range(8)]
    over_vmap = jax.jit(jax.vmap(metrics.compute))(states)
    _, over_scan = jax.jit(
        lambda states: jax.lax.scan(lambda _, s: (None, metrics.compute(s)), None, states)
    )(states)
    for got in (over_vmap, over_scan):
        for value, one in zip(got, expected, strict=True):
            np.testing.assert_array_equal(value, one)


# Wrong counts.


@pytest.mark.parametrize("bad", [-1, -(2**31)])
def test_measures_of_negative_counts_are_nan(bad):
    state = metrics.ConfusionState(jnp.array([[5, 1], [bad, 3]]))
    for value in compute(state):
        assert np.isnan(value).all()
    assert np.isnan(f1(state))
    assert np.isnan(cost(state, np.zeros((2, 2))))
    assert np.isnan(shots(state, np.array([200, 5]))).all()


def test_the_matrix_of_another_library_is_taken_or_refused():
    counts = sklearn.metrics.confusion_matrix([0, 0, 1], [0, 1, 1])
    assert counts.dtype == np.int64
    for scale, dtype in ((1, np.int64), (1, np.uint8), (2**31, np.int64), (2**50, np.uint64)):
        state = metrics.ConfusionState((counts * scale).astype(dtype))
        np.testing.assert_allclose(compute(state).accuracy, 2 / 3, atol=ATOL)
    np.testing.assert_allclose(
        metrics.accuracy(metrics.ConfusionState(counts.tolist())), 2 / 3, atol=ATOL
    )
    with pytest.raises(ValueError, match=r"counts must lie in \[0, 2\*\*53\], got -1"):
        metrics.ConfusionState(counts - 1)
    with pytest.raises(TypeError, match=r"state\.counts must be integers, got float64\[2, 2\]"):
        metrics.accuracy(metrics.ConfusionState(counts / 3))
    with pytest.raises(TypeError, match=r"state\.counts must be integers, got float32\[2, 2\]"):
        metrics.accuracy(metrics.ConfusionState(jnp.ones((2, 2))))
    with pytest.raises(ValueError, match=r"state\.counts must be \[K, K\], got int32\[2, 3\]"):
        metrics.accuracy(metrics.ConfusionState(jnp.ones((2, 3), jnp.int32)))


@pytest.mark.slow
def test_counts_of_int64_under_x64():
    counts = beyond_int32(np.random.default_rng(7), 3)
    with jax.enable_x64(True):
        got = metrics.compute(metrics.ConfusionState(jnp.asarray(counts)))
    for name, expected in exact(counts)._asdict().items():
        value = getattr(got, name)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, expected, rtol=0, atol=ATOL, err_msg=name)


# Alarms.

FULL = plain(np.random.default_rng(8), 3) + 1
ONE_MISSED, ONE_ABSENT = FULL.copy(), FULL.copy()
ONE_MISSED[1, 1] = ONE_ABSENT[1] = ONE_ABSENT[:, 1] = 0
ONE_SIDED = np.array([[3, 0, 0], [2, 0, 0], [0, 0, 0]])


@pytest.fixture(params=["jax_debug_nans", "jax_debug_infs"])
def alarm(request):
    jax.config.update(request.param, True)
    yield
    jax.config.update(request.param, False)


@pytest.mark.slow  # one call of each is in tests/test_alarms.py
@pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_valid_counts_raise_no_alarm(alarm, transform):
    for measure in map(transform, (metrics.compute, metrics.f1)):
        for counts in (FULL, ONE_MISSED):
            jax.block_until_ready(measure(state_of(counts)))
    # A class that is not there has no recall, but the means are numbers.
    for name in SCALARS:
        measure = transform(getattr(metrics, name))
        for counts in (ONE_ABSENT, ONE_SIDED):
            jax.block_until_ready(measure(state_of(counts)))
    jax.block_until_ready(transform(metrics.expected_cost)(state_of(ONE_ABSENT), np.eye(3)))
    groups = np.array([500, 50, 5])
    jax.block_until_ready(transform(metrics.shot_accuracy)(state_of(ONE_MISSED), groups))


@pytest.mark.slow
def test_checkify_hears_no_alarm_about_valid_counts():
    """Compiled in 400 seconds before, when each of 2500 numbers in between was checked."""
    check = jax.jit(checkify.checkify(metrics.compute, errors=checkify.all_checks))
    for counts in (FULL, ONE_MISSED, FULL + 2**40):
        error, got = check(state_of(counts))
        assert error.get() is None
        np.testing.assert_array_equal(got.per_class_recall, compute(state_of(counts))[5])


# Bad input.


def test_bad_costs_are_refused():
    state = state_of([[5, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"costs must have the shape \[2, 2\] of state\.counts"):
        metrics.expected_cost(state, [0.0, 1.0])
    with pytest.raises(ValueError, match="costs must lie in"):
        metrics.expected_cost(state, [[0.0, np.nan], [1.0, 0.0]])
    with pytest.raises(ValueError, match="costs must lie in"):
        metrics.expected_cost(state, [[0.0, -np.inf], [1.0, 0.0]])
    traced = jnp.array([[0.0, jnp.inf], [1.0, 0.0]])
    error, got = jax.jit(checkify.checkify(metrics.expected_cost))(state, traced)
    assert np.isnan(got)
    assert "costs must lie in" in error.get()


def test_a_class_outside_the_classes_is_refused():
    state = state_of([[5, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"positive must lie in \[0, 2\), the classes, got 2; "):
        metrics.f1(state, positive=2)
    with pytest.raises(TypeError, match="positive must be integers"):
        metrics.f1(state, positive=1.0)
    with pytest.raises(ValueError, match="positive must be one class"):
        metrics.f1(state, positive=[0, 1])
    error, got = jax.jit(checkify.checkify(lambda c: metrics.f1(state, positive=c)))(jnp.int32(-1))
    assert np.isnan(got)
    assert "positive must lie in [0, 2)" in error.get()


def test_bad_training_counts_and_groups_are_refused():
    state = state_of([[5, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"train_counts must be one number per class.*\[2\]"):
        metrics.shot_accuracy(state, [1, 2, 3])
    with pytest.raises(ValueError, match="train_counts must lie in"):
        metrics.shot_accuracy(state, [1, -2])
    with pytest.raises(ValueError, match=r"few_below must not be above many_above.*30 and 10"):
        metrics.shot_accuracy(state, [1, 2], many_above=10, few_below=30)
    with pytest.raises(ValueError, match="many_above must be a scalar"):
        metrics.shot_accuracy(state, [1, 2], many_above=[1, 2])
    check = jax.jit(checkify.checkify(metrics.shot_accuracy))
    error, got = check(state, jnp.array([500.0, -1.0]))
    assert np.isnan(got).all()
    assert "train_counts must lie in" in error.get()
    error, got = check(state, np.array([500, 5]), few_below=200.0)
    assert np.isnan(got).all()
    assert "few_below must not be above many_above" in error.get()


def test_shots_of_host_counts_beyond_float32_are_told_apart():
    state = metrics.update(metrics.init(2), jnp.array([0, 0]), jnp.array([0, 1]))
    shots = metrics.shot_accuracy(state, [2**24 + 1, 2**24], many_above=2**24, few_below=2**24)
    np.testing.assert_array_equal([shots.many, shots.medium], [1, 0])
