"""Last loss, forgetting events and data maps: one contract, and what each has for itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb.difficulty import _chunks, data_map, forgetting, last_loss
from tests.helpers.trackers_table import (
    ALL,
    DATA_MAP,
    LABELS,
    SEEN,
    SWEEPS,
    UPDATE,
    K,
    N,
    assert_agrees,
    assert_equal,
    batches,
    by_hand,
    read,
    swept,
    trackers,
    whole,
)

# Values.


@trackers
def test_a_new_state_scores_all_alike_and_fits_eval_shape(tracker):
    state = tracker.init(N)
    score = tracker.module.score(state)
    assert score.dtype == jnp.float32
    np.testing.assert_array_equal(score, np.full(N, np.float32(tracker.chance)))
    abstract = jax.eval_shape(lambda: tracker.init(N))
    assert [(x.shape, x.dtype) for x in abstract] == [(x.shape, x.dtype) for x in state]
    assert all(x.shape == (N,) for x in state)
    z, y = jax.ShapeDtypeStruct((N, K), jnp.bfloat16), jax.ShapeDtypeStruct((N,), jnp.int32)
    assert jax.eval_shape(tracker.module.update, abstract, z, y) == abstract


@trackers
@pytest.mark.parametrize("seen", [ALL, SEEN], ids=["all", "some"])
def test_passes_over_the_data_set_are_those_by_hand(tracker, seen):
    assert_agrees(tracker, swept(tracker, seen), by_hand(tracker, seen=seen))


@trackers
def test_without_jit_it_is_the_same(tracker):
    def update(tracker, state, z, where):
        return tracker.module.update(state, z, LABELS, where=where)

    state = swept(tracker, SEEN, update)
    assert_agrees(tracker, state, by_hand(tracker, seen=SEEN))


@trackers
def test_order_and_padding_of_batches_are_inert(tracker):
    rng, state = np.random.default_rng(1), tracker.init(N)
    for z, seen in zip(SWEEPS, SEEN, strict=True):
        for index, where in batches(rng, seen):
            chunk = np.where(where[:, None], z[index], np.nan).astype(np.float32)
            labels = np.where(where, LABELS[index], -1)
            state = UPDATE[tracker.name](state, chunk, labels, index=index, where=where)
    assert_agrees(tracker, state, by_hand(tracker, seen=SEEN))
    assert_equal(state, swept(tracker, SEEN))


@trackers
def test_where_false_leaves_an_example_as_it_was(tracker):
    before = swept(tracker)
    where = np.arange(N) % 3 == 0
    z = np.where(where[:, None], SWEEPS[0], np.nan).astype(np.float32)
    after = whole(tracker, before, z, np.where(where, LABELS, K), where)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(np.asarray(new)[~where], np.asarray(old)[~where])
    assert any(np.any(np.asarray(o) != np.asarray(n)) for o, n in zip(before, after, strict=True))


@trackers
def test_a_scan_over_batches_is_a_loop(tracker):
    order = np.random.default_rng(2).permutation(N).reshape(5, 8).astype(np.int32)

    @jax.jit
    def sweep(state, logits):
        def step(state, index):
            z, y = jnp.asarray(logits)[index], jnp.asarray(LABELS)[index]
            return tracker.module.update(state, z, y, index=index), None

        return jax.lax.scan(step, state, order)[0]

    state = tracker.init(N)
    for z in SWEEPS:
        state = sweep(state, z)
    assert_agrees(tracker, state, by_hand(tracker))


@trackers
def test_vmap_over_models(tracker):
    models = np.stack([SWEEPS[:2], SWEEPS[2:4], SWEEPS[4:6]])
    start = jax.tree.map(lambda x: jnp.stack([x] * 3), tracker.init(N))
    update = jax.jit(jax.vmap(tracker.module.update, (0, 0, None)))
    states = update(update(start, models[:, 0], LABELS), models[:, 1], LABELS)
    for i, sweeps in enumerate(models):
        one = jax.tree.map(lambda x, i=i: x[i], states)
        assert_agrees(tracker, one, by_hand(tracker, sweeps, seen=ALL[:2]))


@trackers
def test_a_large_data_set_goes_in_chunks_with_the_same_result(tracker):
    """Two chunks and a rest, as _chunks.py cuts rows of K classes."""
    num_examples = 2 * (_chunks._CHUNK // K) + 123
    rng = np.random.default_rng(3)
    sweeps = [rng.normal(0, 3, (num_examples, K)).astype(np.float32) for _ in range(3)]
    labels = rng.integers(0, K, num_examples).astype(np.int32)
    seen = [rng.random(num_examples) < 0.8 for _ in range(3)]
    state = tracker.init(num_examples)
    for z, where in zip(sweeps, seen, strict=True):
        state = UPDATE[tracker.name](state, z, labels, where=where)
    middle = num_examples // 2
    rows = np.r_[0:9, middle - 9 : middle + 9, num_examples - 130 : num_examples]
    expected = by_hand(tracker, [z[rows] for z in sweeps], labels[rows], [s[rows] for s in seen])
    assert_agrees(tracker, jax.tree.map(lambda x: x[rows], state), expected)


# Types.


@trackers
@pytest.mark.parametrize("by_index", [False, True], ids=["whole", "index"])
def test_types_are_kept_under_donation_in_one_compilation(tracker, by_index):
    traces = []

    @jax.jit(donate_argnames="state")
    def step(state, logits, labels, index):
        traces.append(1)
        return tracker.module.update(state, logits, labels, index=index)

    rows = np.arange(N, dtype=np.int32)[::-1]
    state = tracker.init(N)
    before = jax.tree.map(jax.typeof, state)
    for z in SWEEPS:
        state = step(state, *((z[rows], LABELS[rows], rows) if by_index else (z, LABELS, None)))
        assert jax.tree.map(jax.typeof, state) == before
    assert len(traces) == 1
    assert_agrees(tracker, state, by_hand(tracker))


@trackers
def test_half_precision_logits_are_computed_in_float32(tracker):
    sweeps = [jnp.asarray(z + 0.01, jnp.bfloat16) for z in SWEEPS]
    state = tracker.init(N)
    before = jax.tree.map(jax.typeof, state)
    for z in sweeps:
        state = whole(tracker, state, z)
    assert jax.tree.map(jax.typeof, state) == before
    assert_agrees(tracker, state, by_hand(tracker, [np.asarray(z, np.float32) for z in sweeps]))


@trackers
def test_float64_logits_keep_the_state(tracker):
    with jax.enable_x64(True):
        before = tracker.init(N)
        for index in (None, np.arange(N)):
            after = UPDATE[tracker.name](before, SWEEPS[0].astype(float), LABELS, index=index)
            assert jax.tree.map(jax.typeof, after) == jax.tree.map(jax.typeof, before)
            expected = by_hand(tracker, SWEEPS[:1], seen=ALL[:1])
            assert_agrees(tracker, after, expected)


@trackers
def test_no_gradient_flows(tracker):
    def total(logits, state):
        state = tracker.module.update(state, logits, LABELS)
        state = tracker.module.update(state, logits, LABELS[::-1], index=np.arange(N))
        return sum(jnp.sum(v.astype(jnp.float32)) for v in read(tracker, state).values())

    def read_outs(state):
        values = read(tracker, state)
        return sum(jnp.sum(v) for name, v in values.items() if name not in state._fields)

    z = jnp.asarray(SWEEPS[0])
    np.testing.assert_array_equal(jax.jit(jax.grad(total))(z, tracker.init(N)), np.zeros((N, K)))
    for gradient in jax.grad(read_outs, allow_int=True)(swept(tracker)):
        if gradient.dtype != jax.dtypes.float0:
            np.testing.assert_array_equal(gradient, np.zeros(N))


# What only one of them has.


def test_a_last_loss_is_finite_where_the_class_has_no_chance():
    z = np.array([[-np.inf, 0, 0, 0, 0], [-1e6, 0, 0, 0, 0]], np.float32)
    state = last_loss.update(last_loss.init(2, K), z, np.zeros(2, np.int32))
    np.testing.assert_array_equal(last_loss.score(state), [65504, 65504])


RIGHT, WRONG, TIED, NAN, CLOSED = (
    np.array(z, np.float32)
    for z in (
        [0, 2, 1],
        [3, 2, 1],
        [2, 2, 1],  # the first of the largest is not the label
        [np.nan, 2, 1],
        [-np.inf] * 3,
    )
)


@pytest.mark.parametrize(
    ("passes", "events", "score"),
    [
        ([RIGHT, RIGHT, RIGHT], 0, 0),
        ([RIGHT, WRONG, WRONG], 1, 1),
        ([RIGHT, WRONG] * 3, 3, 3),
        ([WRONG, RIGHT, RIGHT], 0, 0),
        ([WRONG] * 6, 0, 6),
        ([RIGHT, TIED], 1, 1),
        ([RIGHT, NAN], 1, 1),
        ([NAN, NAN], 0, 2),
        ([RIGHT, CLOSED], 1, 1),
    ],
)
def test_forgetting_events(passes, events, score):
    state, update = forgetting.init(1), UPDATE["forgetting"]
    for z in passes:
        state = update(state, z[None], np.array([1], np.int32))
    assert state.events == events
    assert forgetting.score(state) == score


def test_a_bad_label_is_not_right_and_ends_the_count_for_good():
    state, update = forgetting.init(1), UPDATE["forgetting"]
    last = np.array([0, 1, 2], np.float32)  # right for class 2, which -1 must not mean
    for z, y in ((RIGHT, 1), (last, -1), (RIGHT, 1), (WRONG, 1)):
        state = update(state, z[None], np.array([y], np.int32))
        assert bool(state.correct[0]) == (z is RIGHT)
    assert np.isnan(forgetting.score(state))


def test_a_tie_is_right_for_its_first_class():
    state = forgetting.update(forgetting.init(2), np.stack([TIED, CLOSED]), np.zeros(2, np.int32))
    np.testing.assert_array_equal(state.correct, [True, False])


@pytest.mark.parametrize("scale", [2.0, 1e-3, 1e-5])
def test_variability_over_many_passes_loses_nothing_by_cancellation(scale):
    """`p_y` varies by 1e-6 at the smallest scale; the mean of squares would be off by 1e-3."""
    rng, num_passes = np.random.default_rng(5), 60
    base, values = rng.normal(0, 3, (N, K)), []
    state = data_map.init(N)
    for _ in range(num_passes):
        z = (base + rng.normal(0, scale, (N, K))).astype(np.float32)
        state = whole(DATA_MAP, state, z)
        exps = np.exp(z.astype(np.float64))
        values.append((exps / exps.sum(-1, keepdims=True))[np.arange(N), LABELS])
    # Measured 1.8e-7 and 6e-8, a few last bits of p.
    np.testing.assert_allclose(data_map.confidence(state), np.mean(values, 0), rtol=0, atol=3e-7)
    np.testing.assert_allclose(data_map.variability(state), np.std(values, 0), rtol=0, atol=1e-7)


def test_a_prediction_that_never_changes_has_no_variability():
    state = data_map.init(N)
    for _ in range(20):
        state = whole(DATA_MAP, state, SWEEPS[0])
    np.testing.assert_array_equal(state.m2, np.zeros(N))


def test_nan_logits_are_not_right_and_make_the_map_nan():
    nan = np.arange(N) < 2
    z = np.where(nan[:, None] & (np.arange(K) == K - 1), np.nan, SWEEPS[1]).astype(np.float32)
    once = whole(DATA_MAP, data_map.init(N), z)
    for state in (once, whole(DATA_MAP, once, SWEEPS[1])):
        for read_out in (data_map.confidence, data_map.variability, data_map.score):
            np.testing.assert_array_equal(np.isnan(read_out(state)), nan)
        assert not np.isnan(data_map.correctness(state)).any()
    np.testing.assert_array_equal(np.asarray(once.correct)[nan], 0)
