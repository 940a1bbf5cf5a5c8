"""Thresholds in the caller's own precision: float64 of NumPy, also where JAX has none."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from ml_dtypes import bfloat16

from jimb import metrics
from jimb.posthoc import choose, choose_threshold, move_threshold

N = 60


def fold(seed, share=0.2):
    rng = np.random.default_rng(seed)
    labels = np.int32(rng.random(N) < share)
    labels[:2] = 0, 1
    return 1 / (1 + np.exp(1 - 2 * labels - rng.normal(size=N))), labels


@jax.jit
def f1(state):
    (_, false_positive), (missed, hit) = state.counts
    return 2 * hit.astype(jnp.float32) / (2 * hit + false_positive + missed).astype(jnp.float32)


def f1_of(labels, positive):
    labels, positive = np.bool_(labels), np.bool_(positive)
    return 2 * (labels & positive).sum() / (labels.sum() + positive.sum())


KINDS = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": lambda p: np.asarray(p, bfloat16),
    "list": lambda p: np.asarray(p).tolist(),
    "device": lambda p: jnp.asarray(p, jnp.float32),
    "device bfloat16": lambda p: jnp.asarray(p, jnp.bfloat16),
}
GRIDS = {
    "none": None,
    "float64": np.linspace(0, 1, 11),
    "list": [0.1, 0.3, 0.7],
    "float32": np.float32([0.7, 0.1, 0.3]),
}
# Every kind and every grid once; their other pairs are slow.
CELLS = [
    (kind, grid) if i % 4 == j else pytest.param(kind, grid, marks=pytest.mark.slow)
    for i, kind in enumerate(KINDS)
    for j, grid in enumerate(GRIDS)
]


@pytest.mark.parametrize(("kind", "grid"), CELLS)
def test_the_promised_score_is_that_of_the_callers_own_comparison(kind, grid):
    for seed in range(4):
        p, labels = fold(seed)
        if grid != "none":
            p = np.round(p, 1)  # on the points of the grids
        p = KINDS[kind](p)
        choice = choose_threshold(p, labels, thresholds=GRIDS[grid], criterion=f1)
        for t in (choice.value, float(choice.value)):
            positive = [x >= t for x in p] if kind == "list" else p >= t
            np.testing.assert_allclose(choice.score, f1_of(labels, positive), rtol=3e-7)
        if kind != "list":
            assert choice.value.dtype == p.dtype


def test_no_threshold_of_float64_scores_higher():
    for seed in range(4):
        p, labels = fold(seed)
        choice = choose_threshold(p, labels, criterion=f1)
        best = max(f1_of(labels, p >= t) for t in p)
        np.testing.assert_allclose(choice.score, best, rtol=3e-7)
        assert isinstance(choice.value, np.float64)
        assert choice.value in p


@pytest.mark.parametrize(
    "kind",
    [
        kind
        if kind in ("float64", "device bfloat16")
        else pytest.param(kind, marks=pytest.mark.slow)
        for kind in KINDS
    ],
)
def test_midway_lies_in_the_middle_of_the_gap_and_scores_the_same(kind):
    for seed in range(4):
        p, labels = fold(seed)
        p = KINDS[kind](p)
        best = choose_threshold(p, labels, criterion=f1)
        choice = choose_threshold(p, labels, criterion=f1, midway=True)
        assert choice.score == best.score
        positive = [x >= choice.value for x in p] if kind == "list" else p >= choice.value
        np.testing.assert_allclose(choice.score, f1_of(labels, positive), rtol=3e-7)
        own = np.asarray(p, np.float64)
        lower = max(own[own < float(best.value)], default=0.0)
        middle = (lower + float(best.value)) / 2
        assert lower < float(choice.value) <= float(best.value)
        spacing = 2.0**-9 if "bfloat16" in kind else np.spacing(np.asarray(choice.value))
        np.testing.assert_allclose(float(choice.value), middle, rtol=0, atol=float(spacing))


def test_no_number_lies_midway_between_neighbours():
    for dtype in (np.float64, np.float32, bfloat16):
        upper = np.nextafter(dtype(0.3), dtype(1)) if dtype != bfloat16 else dtype(0.302)
        p = np.array([dtype(0.3), upper, dtype(0.1)], dtype)
        assert p[0] < p[1]
        choice = choose_threshold(p, np.array([0, 1, 0]), criterion=f1, midway=True)
        assert choice.value == p[1]


def test_midway_below_the_lowest_is_half_and_infinity_stays():
    p = np.array([0.4, 0.5, 0.9])
    assert choose_threshold(p, np.array([1, 1, 0]), criterion=f1, midway=True).value == 0.2
    with pytest.warns(UserWarning, match="one class only"):
        assert choose_threshold(p, np.zeros(3, int), criterion=f1, midway=True).value == np.inf
    zero = np.array([0.0, 0.5])
    with pytest.warns(UserWarning, match="one class only"):
        assert choose_threshold(zero, np.ones(2, int), criterion=f1, midway=True).value == 0
    masked = choose_threshold(
        np.array([0.1, 0.25, 0.3]),
        np.array([0, 1, 1]),
        midway=True,
        where=np.array([1, 0, 1], bool),
    )
    assert masked.value == pytest.approx(0.2, abs=1e-16)


def test_inside_jit_and_vmap_midway_keeps_its_promise_for_float64_outside():
    for seed in range(4):
        p, labels = fold(seed)
        over = jax.jit(jax.vmap(lambda y, p=p: choose_threshold(p, y, criterion=f1, midway=True)))
        values = over(np.stack([labels, 1 - labels]))
        for y, t, score in zip((labels, 1 - labels), values.value, values.score, strict=True):
            np.testing.assert_allclose(score, f1_of(y, p >= float(t)), rtol=3e-7)


def test_what_differs_in_float64_alone_is_told_apart():
    p, labels = 1 - np.array([1e-9, 1e-10, 3e-9, 2e-9]), np.array([0, 1, 0, 0])
    choice = choose_threshold(p, jnp.asarray(labels), criterion=f1)
    assert (choice.value, choice.score) == (p[1], 1)
    masked = choose_threshold(p, np.array([1, 0, 0, 1]), criterion=f1, where=labels == 0)
    assert masked.value == p[3]


def test_masked_float64_may_be_anything():
    p, labels = fold(0)
    kept = np.arange(N) % 3 > 0
    holes = np.where(kept, p, np.nan), np.where(kept, labels, 7)
    for where in (kept, jnp.asarray(kept)):
        choice = choose_threshold(*holes, criterion=f1, where=where)
        plain = choose_threshold(p[kept], labels[kept], criterion=f1)
        assert (choice.value, choice.score) == (plain.value, plain.score)
        assert choice.scores.shape == (N + 1,)


def test_inside_jit_float64_is_rounded_down_so_that_the_promise_holds_outside():
    """float32 t: nearest rounding would take p below t for positive."""
    for seed in range(4):
        p, labels = fold(seed)
        choice = jax.jit(lambda y, p=p: choose_threshold(p, y, criterion=f1))(labels)
        assert choice.value.dtype == jnp.float32
        np.testing.assert_allclose(choice.score, f1_of(labels, p >= float(choice.value)), rtol=3e-7)
    tiny = np.array([1e-50, 1e-40, 0.5])  # the device flushes what float32 has below 1e-38
    choice = jax.jit(lambda y: choose_threshold(tiny, y, criterion=f1))(jnp.array([0, 1, 1]))
    positive = tiny >= float(choice.value)
    np.testing.assert_allclose(choice.score, f1_of([0, 1, 1], positive), rtol=3e-7)


def test_a_traced_criterion_of_host_data():
    p, labels = fold(0)

    def cheapest(cost):
        def saved(state):
            counts = state.counts.astype(jnp.float32)
            return -cost * counts[1, 0] - counts[0, 1]

        return choose_threshold(p, labels, criterion=saved)

    costs = np.float32([0.1, 1, 30])
    got = jax.vmap(cheapest)(costs)
    for cost, t, score in zip(costs, got.value, got.score, strict=True):
        wrong = [np.sum((p >= x) < labels) * cost + np.sum((p >= x) > labels) for x in [*p, np.inf]]
        np.testing.assert_allclose(score, -min(wrong), rtol=1e-6)
        positive = p >= float(t)
        missed, alarms = np.sum(positive < labels), np.sum(positive > labels)
        np.testing.assert_allclose(score, -(missed * cost + alarms), rtol=1e-6)


def test_the_value_of_a_host_grid_is_the_grids_own():
    grid, labels = np.array([0.1, 0.3, 0.7]), np.array([0, 1, 1])
    p = jnp.array([0.2, 0.31, 0.5])
    choice = choose(lambda t: (p >= t).astype(jnp.int32), grid, labels, num_classes=2)
    assert choice.value == grid[1]
    assert choice.value.dtype == np.float64
    table = choose(lambda t: (p >= t[0]).astype(jnp.int32), grid[:, None], labels, num_classes=2)
    np.testing.assert_array_equal(table.value, grid[1:2])


@pytest.mark.parametrize("counts", [[9, 1], [3, 7], [10**9 + 1, 10**9], [10, 10**12]])
def test_moved_thresholds_compare_in_float64(counts):
    t = counts[1] / sum(counts)
    p = np.array([t, np.nextafter(t, 0), np.nextafter(t, 1), t * (1 - 1e-10), t * (1 + 1e-10)])
    p = p[p <= 1]
    expected = p > t
    np.testing.assert_array_equal(move_threshold(p, counts), expected)
    np.testing.assert_array_equal(move_threshold(p.tolist(), np.array(counts)), expected)
    np.testing.assert_array_equal(jax.jit(lambda: move_threshold(p, counts))(), expected)
    near = np.float32(t)
    beside = [np.nextafter(near, np.float32(to)) for to in (0, 2)]
    around = np.append(near, beside).clip(max=1)
    for given in (around, jnp.asarray(around)):
        np.testing.assert_array_equal(move_threshold(given, counts), around > near)


def test_float64_against_counts_of_a_device_compares_with_their_float32_share():
    counts, t = jnp.array([7, 3]), np.float64(np.float32(0.3))
    p = np.array([t, np.nextafter(t, 1), np.nextafter(t, 0)])
    np.testing.assert_array_equal(move_threshold(p, counts), p > t)


def test_counts_whose_sum_overflows_keep_their_threshold():
    counts = np.float32([3e38, 1e38])
    for n in (counts, jnp.asarray(counts)):
        np.testing.assert_array_equal(move_threshold(jnp.array([0.2, 0.3]), n), [False, True])


# An absent class.

CRITERIA = [f1, metrics.matthews_correlation, metrics.balanced_accuracy]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_without_positives_nothing_is_positive_and_it_is_said(criterion):
    p = np.array([0.1, 0.5, 0.9])
    for labels, where in [([0, 0, 0], None), ([0, 1, 0], np.array([True, False, True]))]:
        with pytest.warns(UserWarning, match="one class only"):
            choice = choose_threshold(p, np.array(labels), criterion=criterion, where=where)
        assert choice.value == np.inf
    with pytest.warns(UserWarning, match="one class only"):
        given = choose_threshold(
            p, np.zeros(3, int), criterion=criterion, thresholds=[0.3, 0.95, 0.2, 0.3]
        )
    assert given.value == 0.95


@pytest.mark.parametrize("criterion", CRITERIA)
def test_without_negatives_everything_is(criterion):
    with pytest.warns(UserWarning, match="one class only"):
        choice = choose_threshold(np.array([0.5, 0.1, 0.9]), np.ones(3, int), criterion=criterion)
    assert choice.value == 0.1


def test_of_an_empty_fold_nothing_is_positive():
    nothing = np.zeros(0)
    with pytest.warns(UserWarning, match="one class only"):
        assert choose_threshold(nothing, nothing.astype(int), criterion=f1).value == np.inf
    assert choose_threshold(jnp.zeros(0), jnp.zeros(0, int), criterion=f1).value == np.inf


def test_one_class_against_the_rest_where_a_class_is_absent():
    p = np.float32(np.random.default_rng(0).dirichlet(np.ones(4), N))
    labels = np.arange(N) % 3

    @jax.jit
    @checkify.checkify
    def each(p, labels):
        def of_class(p, c):
            return choose_threshold(p, (labels == c).astype(jnp.int32), criterion=f1)

        return jax.vmap(of_class, (1, 0))(p, jnp.arange(4))

    error, choice = each(p, labels)
    assert "labels have examples of one class only" in error.get()
    assert choice.value[3] == np.inf
    for c in range(3):
        best = max(f1_of(labels == c, p[:, c] >= t) for t in p[:, c])
        np.testing.assert_allclose(choice.score[c], best, rtol=3e-7)
        positive = p[:, c] >= choice.value[c]
        np.testing.assert_allclose(f1_of(labels == c, positive), best, rtol=3e-7)


def test_a_criterion_that_knows_better_is_followed():
    def two_alarms(state):
        return -abs(state.counts[:, 1].sum() - 2).astype(jnp.float32)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        choice = choose_threshold(np.array([0.1, 0.5, 0.9]), np.zeros(3, int), criterion=two_alarms)
    assert choice.value == 0.5
