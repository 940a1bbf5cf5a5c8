"""Choosing on validation data, against plain loops over scikit-learn's measures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from jimb import metrics
from jimb.posthoc import adjust_logits, choose, choose_threshold
from tests.test_compilations import compilations

RNG = np.random.default_rng(0)
PRIOR = np.array([0.8, 0.15, 0.05])
LABELS = RNG.choice(3, 400, p=PRIOR).astype(np.int32)
LOGITS = np.float32(np.log(PRIOR) + 1.5 * np.eye(3)[LABELS] + RNG.normal(0, 1, (400, 3)))
TAUS = np.float32(np.linspace(0, 2, 9))
MASK = RNG.random(400) < 0.7

POSITIVE = np.int32(RNG.random(300) < 0.1)
P1 = np.float32(
    np.round(1 / (1 + np.exp(2 - 2 * POSITIVE - RNG.normal(0, 1, 300))), 2)
)  # with ties
KEPT = RNG.random(300) < 0.7


def by_tau(logits, labels, where=None, **kwargs):
    return choose(
        lambda tau: adjust_logits(logits, PRIOR, tau=tau).argmax(-1),
        TAUS,
        labels,
        num_classes=3,
        where=where,
        **kwargs,
    )


def f1(state):
    (_, false_positive), (missed, hit) = state.counts
    return 2 * hit.astype(jnp.float32) / (2 * hit + false_positive + missed).astype(jnp.float32)


def saved(state):
    return -jnp.sum(state.counts * jnp.array([[0, 1], [20, 0]])).astype(jnp.float32)


def precision(state):  # NaN where nothing is positive
    right, all_positive = state.counts[1, 1], state.counts[:, 1].sum()
    return right.astype(jnp.float32) / all_positive.astype(jnp.float32)


def cost(y, predicted):
    return -np.sum(confusion_matrix(y, predicted, labels=[0, 1]) * [[0, 1], [20, 0]])


@functools.partial(jax.jit, static_argnames="criterion")
def threshold(p, labels, where=None, criterion=metrics.balanced_accuracy, thresholds=None):
    return choose_threshold(p, labels, thresholds=thresholds, criterion=criterion, where=where)


jitted = jax.jit(by_tau, static_argnames="batch_size")


# Any hyper-parameter.


def recalls(logits, labels):
    adjusted = np.float64(logits) - TAUS[:, None, None] * np.log(PRIOR)
    return [balanced_accuracy_score(labels, a.argmax(-1)) for a in adjusted]


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_tau_by_balanced_accuracy_is_that_of_a_loop(batch_size):
    expected = recalls(LOGITS, LABELS)
    choice = jitted(LOGITS, LABELS, batch_size=batch_size)
    np.testing.assert_allclose(choice.scores, expected, rtol=3e-7)
    assert choice.value == TAUS[np.argmax(expected)]
    np.testing.assert_allclose(choice.score, max(expected), rtol=3e-7)
    assert 0 < np.argmax(expected) < len(TAUS) - 1  # there is something to choose


def test_where_leaves_examples_out():
    expected = recalls(LOGITS[MASK], LABELS[MASK])
    labels = np.where(MASK, LABELS, 99).astype(np.int32)
    np.testing.assert_allclose(jitted(LOGITS, labels, MASK).scores, expected, rtol=3e-7)
    assert abs(np.subtract(expected, recalls(LOGITS, LABELS))).max() > 1e-3


def test_any_criterion_of_the_counts():
    def smallest_recall(state):
        recall = jnp.diagonal(state.counts) / state.counts.sum(1)
        return recall.min()

    choice = jax.jit(lambda z: by_tau(z, LABELS, criterion=smallest_recall))(LOGITS)
    adjusted = np.float64(LOGITS) - TAUS[:, None, None] * np.log(PRIOR)
    tables = [confusion_matrix(LABELS, a.argmax(-1), normalize="true") for a in adjusted]
    np.testing.assert_allclose(choice.scores, [np.diag(t).min() for t in tables], rtol=1e-6)


def test_a_hundred_thousand_classes_have_no_confusion():
    k, rng = 100_000, np.random.default_rng(1)
    labels = np.minimum(rng.pareto(0.5, 300) * 50, k - 1).astype(np.int32)
    guesses = np.where(rng.random((3, 300)) < [[0.3], [0.8], [0.5]], labels, np.int32(k - 1))

    @jax.jit
    def chosen(guesses, grid):
        return choose(lambda point: guesses[point.astype(int)], grid, labels, num_classes=k)

    choice = chosen(guesses, np.arange(3, dtype=np.float32))
    there = {"average": "macro", "labels": np.unique(labels)}
    expected = [recall_score(labels, guess, **there) for guess in guesses]
    np.testing.assert_allclose(choice.scores, expected, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(choice.value, 1)


def test_a_criterion_that_needs_the_confusion_is_given_it():
    costs = np.float32(1 + np.random.default_rng(1).random((3, 3)))

    def cheap(state):
        return -metrics.expected_cost(state, costs)

    choice = jax.jit(lambda z: by_tau(z, LABELS, criterion=cheap))(LOGITS)
    adjusted = np.float64(LOGITS) - TAUS[:, None, None] * np.log(PRIOR)
    expected = [-costs[LABELS, a.argmax(-1)].mean(dtype=np.float64) for a in adjusted]
    np.testing.assert_allclose(choice.scores, expected, rtol=1e-6)


def test_a_criterion_that_fails_says_so_before_anything_is_counted():
    def predict(point):
        raise AssertionError("not yet")

    with pytest.raises(ZeroDivisionError):
        choose(predict, TAUS, LABELS, num_classes=30_000, criterion=lambda state: 1 / 0)


@jax.jit
@checkify.checkify
def of_scores(scores):
    """A choice of 1, 2, … by given scores."""
    size = len(scores)
    return choose(
        lambda point: point.astype(jnp.int32)[None],
        jnp.arange(1.0, size + 1),
        jnp.array([0]),
        num_classes=size + 1,
        criterion=lambda state: scores[jnp.argmax(state.counts[0]) - 1],
    )


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ([1, 3, 3, 2], 2),
        ([2, 2, 2], 1),
        ([np.nan, 1, np.nan, 2], 4),
        ([np.nan, -np.inf, -np.inf], 2),
        ([np.inf, np.nan, np.inf], 1),
        ([-np.inf, np.nan], 1),
        ([np.nan, np.nan], np.nan),
    ],
)
def test_ties_go_to_the_first_and_nan_comes_last_with_a_message(scores, value):
    error, choice = of_scores(np.float32(scores))
    np.testing.assert_array_equal(choice.value, value)
    expected = np.nan if np.isnan(value) else scores[int(value) - 1]
    np.testing.assert_array_equal(choice.score, expected)
    np.testing.assert_array_equal(choice.scores, scores)
    if np.isnan(scores).any():
        assert "NaN at some points" in error.get()
    else:
        assert error.get() is None


@pytest.mark.slow
def test_points_may_be_tables_and_the_value_has_the_grids_dtype():
    tables = jnp.asarray([[0.0, 0.0], [0.0, 3.0]], jnp.bfloat16)
    logits = jnp.array([[2.0, 0.0], [1.0, 0.0]], jnp.bfloat16)
    choice = choose(lambda shift: (logits + shift[None]).argmax(-1), tables, [1, 1], num_classes=2)
    assert choice.value.dtype == jnp.bfloat16
    np.testing.assert_array_equal(choice.value, [0, 3])


@pytest.mark.slow
def test_other_data_of_the_same_shape_compile_nothing():
    first, again = LOGITS[:200], LOGITS[200:]
    labels = jnp.asarray(LABELS)
    assert compilations(lambda: by_tau(jnp.asarray(first), labels[:200])) >= 0
    assert compilations(lambda: by_tau(jnp.asarray(again), labels[200:])) == 0

    jitted(first, labels[:200])
    assert compilations(lambda: jitted(again, labels[200:])) == 0
    np.testing.assert_allclose(
        jitted(again, labels[200:]).scores, recalls(again, LABELS[200:]), rtol=3e-7
    )


def test_vmap_over_models():
    many = np.stack([LOGITS, -LOGITS])
    got = jax.jit(jax.vmap(by_tau, (0, None)))(many, LABELS)
    for i in (0, 1):
        np.testing.assert_allclose(got.scores[i], recalls(many[i], LABELS), rtol=3e-7)


# Thresholds.


def assert_best_of_all(choice, p, y, score):
    """No threshold on the line scores higher, and the first of the best was taken."""
    candidates = np.append(np.unique(p), np.inf)
    scores = [score(y, p >= t) for t in candidates]
    np.testing.assert_allclose(choice.score, max(scores), rtol=1e-6)
    best = np.isclose(scores, max(scores), rtol=1e-6, atol=0)
    np.testing.assert_array_equal(choice.value, candidates[best][0])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("criterion", "score"),
    [(None, balanced_accuracy_score), (f1, f1_score), (saved, cost)],
    ids=["balanced accuracy", "F1", "cost"],
)
def test_without_thresholds_all_that_differ_are_tried(criterion, score, masked):
    criterion = {} if criterion is None else {"criterion": criterion}
    if masked:
        p = np.where(KEPT, P1, np.float32(np.nan))
        y = np.where(KEPT, POSITIVE, 7).astype(np.int32)
        choice = threshold(p, y, KEPT, **criterion)
        assert_best_of_all(choice, P1[KEPT], POSITIVE[KEPT], score)
    else:
        choice = threshold(P1, POSITIVE, **criterion)
        assert_best_of_all(choice, P1, POSITIVE, score)
        assert choice.scores.shape == (301,)


def test_given_thresholds_are_those_of_a_loop():
    grid = np.float32([0.9, 0.05, 0.5, -1, 0.2, 0.11, 2.0])
    choice = threshold(P1, POSITIVE, thresholds=grid, criterion=f1)
    expected = [f1_score(POSITIVE, t <= P1) for t in grid]
    np.testing.assert_allclose(choice.scores, expected, rtol=3e-7)
    assert choice.value == grid[np.argmax(expected)]


def test_a_thin_slice_of_rare_positives_is_found():
    """20 of 20 000: no grid of a hundred quantiles has a threshold near theirs."""
    rng = np.random.default_rng(3)
    y = np.int32(np.arange(20_000) < 20)
    p = np.float32(np.where(y, 0.9 + 0.1 * rng.random(20_000), 0.9 * rng.random(20_000)))
    choice = threshold(p, y, criterion=f1)
    assert choice.score == 1
    assert choice.value == p[:20].min()


def test_nothing_positive_may_be_the_best():
    choice = threshold(np.float32([0.9, 0.1]), np.array([0, 0]), criterion=saved)
    assert choice.value == np.inf
    assert choice.score == 0


def test_the_threshold_keeps_the_dtype_and_finds_its_own_score():
    p = jnp.asarray(P1, jnp.bfloat16)
    choice = threshold(p, POSITIVE, criterion=f1)
    assert choice.value.dtype == jnp.bfloat16
    np.testing.assert_allclose(choice.score, f1_score(POSITIVE, p >= choice.value), rtol=3e-7)


def test_under_jit_vmap_and_with_any_shape():
    over = jax.jit(jax.vmap(lambda p: choose_threshold(p, POSITIVE, criterion=f1)))
    got = over(np.stack([P1, 1 - P1]))
    for value, score, p in zip(got.value, got.score, (P1, 1 - P1), strict=True):
        np.testing.assert_allclose(score, f1_score(POSITIVE, p >= value), rtol=3e-7)
    plain = threshold(P1, POSITIVE, criterion=f1)
    folded = threshold(P1.reshape(3, 100), POSITIVE.reshape(3, 100), criterion=f1)
    jax.tree.map(np.testing.assert_array_equal, folded, plain)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_sharded_validation_data(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    n = 296
    with jax.set_mesh(mesh):
        p, y, z, labels = jax.device_put(
            (P1[:n], POSITIVE[:n], LOGITS, LABELS), NamedSharding(mesh, P("data"))
        )
        chosen = threshold(p, y, criterion=f1)
        tau = jitted(z, labels)
    assert_best_of_all(chosen, P1[:n], POSITIVE[:n], f1_score)
    np.testing.assert_allclose(tau.scores, recalls(LOGITS, LABELS), rtol=3e-7)


# Wrong input.


@pytest.mark.parametrize(
    ("p", "y", "criterion", "message"),
    [
        ([0.9, 0.8, 0.2, np.nan], [1, 1, 0, 0], f1, "probabilities must lie in [0, 1]"),
        ([0.9, 0.8, 0.2, 0.1], [1, 3, 0, 0], f1, "labels must lie in [0, 2)"),
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], precision, "NaN at some points"),
    ],
)
def test_traced_wrong_numbers_are_left_out_with_a_message(p, y, criterion, message):
    def call(p, y):
        return choose_threshold(p, y, criterion=criterion)

    error, choice = jax.jit(checkify.checkify(call))(np.float32(p), np.int32(y))
    assert message in error.get()
    assert choice.score == 1
    assert choice.value == np.float32(min(v for v, c in zip(p, y, strict=True) if c == 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: by_tau(LOGITS[:5], LABELS), ValueError, "predictions must have the shape"),
        (lambda: by_tau(LOGITS, LABELS + 1), ValueError, r"labels must lie in \[0, 3\)"),
        (lambda: by_tau(LOGITS, LABELS, batch_size=0), ValueError, "batch_size must lie in"),
        (
            lambda: by_tau(LOGITS, LABELS, criterion=lambda s: s.counts),
            TypeError,
            "must be floating",
        ),
        (
            lambda: by_tau(LOGITS, LABELS, criterion=lambda s: jnp.ones(3)),
            ValueError,
            "one number per point",
        ),
        (lambda: choose(TAUS, len, LABELS, num_classes=3), TypeError, "predict"),
        (lambda: choose(len, 1.0, LABELS, num_classes=3), ValueError, "grid must hold points"),
        (lambda: choose(len, [1, 2], LABELS, num_classes=3), TypeError, "grid must be floating"),
        (lambda: choose(lambda t: t, TAUS, 0, num_classes=3), TypeError, "predictions must be int"),
        (lambda: choose_threshold(P1, POSITIVE + 1), ValueError, r"labels must lie in \[0, 2\)"),
        (lambda: choose_threshold(P1 + 1, POSITIVE), ValueError, "probabilities must lie in"),
        (lambda: choose_threshold(P1, POSITIVE[:3]), ValueError, "labels must have the shape"),
        (lambda: choose_threshold(P1, P1), TypeError, "labels must be integers"),
        (lambda: choose_threshold(POSITIVE, P1), TypeError, "probabilities come first.*swap"),
        (lambda: choose_threshold(np.log(P1), POSITIVE), ValueError, "apply jax.nn.softmax or"),
        (lambda: choose_threshold(P1, np.eye(2)[POSITIVE]), ValueError, r"take .argmax\(-1\)"),
        (
            lambda: choose_threshold(np.stack([1 - P1, P1], 1), POSITIVE),
            ValueError,
            r"of the positive class alone.*take the column \[..., 1\]",
        ),
        (
            lambda: choose_threshold(P1, POSITIVE, criterion="f1"),
            TypeError,
            "criterion",
        ),
        (lambda: by_tau(LOGITS, LABELS, criterion="f1"), TypeError, "criterion"),
        (
            lambda: choose_threshold(P1, POSITIVE, thresholds=[0.5], midway=True),
            ValueError,
            "leave thresholds out, or midway",
        ),
        (
            lambda: choose_threshold(P1, POSITIVE, thresholds=0.5),
            ValueError,
            r"thresholds must be \[G\]",
        ),
        (
            lambda: choose_threshold(P1, POSITIVE, thresholds=[0, 1]),
            TypeError,
            "thresholds must be fl",
        ),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
