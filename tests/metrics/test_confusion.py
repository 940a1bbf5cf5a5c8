"""Confusion counts and the measures read from them, against scikit-learn."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    matthews_corrcoef,
    recall_score,
)

from jimb import counting, metrics

K = 5
RNG = np.random.default_rng(0)
LABELS = np.minimum(RNG.geometric(0.5, 400) - 1, K - 1).astype(np.int32)
PREDICTIONS = np.where(RNG.random(400) < 0.6, LABELS, RNG.integers(0, K, 400)).astype(np.int32)
MASK = RNG.random(400) < 0.8

update, merge = jax.jit(metrics.update), jax.jit(metrics.merge)
balanced, recalls_of = jax.jit(metrics.balanced_accuracy), jax.jit(metrics.per_class_recall)
MEASURES = [
    metrics.compute,
    metrics.accuracy,
    metrics.balanced_accuracy,
    metrics.geometric_mean,
    metrics.macro_f1,
    metrics.matthews_correlation,
    metrics.per_class_recall,
    metrics.per_class_precision,
    metrics.per_class_f1,
    metrics.f1,
]


def counted(predictions, labels, where=None, num_classes=K):
    return metrics.update(metrics.init(num_classes), predictions, labels, where=where)


def test_counts_are_those_of_scikit_learn():
    state = counted(PREDICTIONS, LABELS)
    assert state.counts.dtype == jnp.int32
    np.testing.assert_array_equal(
        state.counts, confusion_matrix(LABELS, PREDICTIONS, labels=range(K))
    )


def test_rows_are_true_classes():
    np.testing.assert_array_equal(counted([1], [0], num_classes=2).counts, [[0, 1], [0, 0]])


def test_where_leaves_examples_out():
    expected = confusion_matrix(LABELS[MASK], PREDICTIONS[MASK], labels=range(K))
    np.testing.assert_array_equal(counted(PREDICTIONS, LABELS, MASK).counts, expected)
    np.testing.assert_array_equal(
        update(metrics.init(K), PREDICTIONS, LABELS, where=MASK).counts, expected
    )


def test_masked_examples_may_be_out_of_range():
    state = counted([0, 9, 1], [0, 1, -1], where=[True, False, False], num_classes=2)
    np.testing.assert_array_equal(state.counts, [[1, 0], [0, 0]])


def test_any_batch_shape_counts():
    state = counted(PREDICTIONS.reshape(4, 10, 10), LABELS.reshape(4, 10, 10))
    assert int(state.counts.sum()) == 400


def test_balanced_accuracy_is_that_of_scikit_learn():
    got = balanced(counted(PREDICTIONS, LABELS))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, balanced_accuracy_score(LABELS, PREDICTIONS), rtol=0, atol=1e-7)


def test_per_class_recall_is_the_share_predicted_right():
    expected = [np.mean(PREDICTIONS[np.equal(LABELS, c)] == c) for c in range(K)]
    np.testing.assert_allclose(recalls_of(counted(PREDICTIONS, LABELS)), expected, rtol=1e-7)


def test_an_absent_class_has_nan_recall_and_stays_out_of_balanced_accuracy():
    state = counted([0, 0, 1, 2, 3], [0, 0, 0, 2, 2], num_classes=4)
    recalls = recalls_of(state)
    np.testing.assert_allclose(recalls, [2 / 3, np.nan, 0.5, np.nan], rtol=1e-7)
    np.testing.assert_allclose(balanced(state), (2 / 3 + 0.5) / 2, rtol=0, atol=1e-7)


def test_no_examples_give_nan():
    assert np.isnan(balanced(metrics.init(3)))
    assert np.isnan(recalls_of(metrics.init(3))).all()


def test_merge_is_associative_commutative_and_equals_one_update():
    parts = [counted(PREDICTIONS[i::3], LABELS[i::3]) for i in range(3)]
    left = merge(merge(parts[0], parts[1]), parts[2])
    right = merge(parts[2], merge(parts[1], parts[0]))
    whole = counted(PREDICTIONS, LABELS).counts
    np.testing.assert_array_equal(left.counts, right.counts)
    np.testing.assert_array_equal(left.counts, whole)
    np.testing.assert_array_equal(merge(left, metrics.init(K)).counts, whole)


def test_counts_stay_exact_beyond_the_integers_of_float32():
    big = metrics.ConfusionState(jnp.array([[2**24 + 1, 3], [0, 2**30 - 1]], jnp.int32))
    one = counted([0, 1], [0, 1], num_classes=2)
    merged = merge(merge(big, one), one)
    np.testing.assert_array_equal(merged.counts, [[2**24 + 3, 3], [0, 2**30 + 1]])
    np.testing.assert_array_equal(
        update(big, jnp.array([0]), jnp.array([0])).counts, [[2**24 + 2, 3], [0, 2**30 - 1]]
    )
    np.testing.assert_allclose(recalls_of(merged), [(2**24 + 3) / (2**24 + 6), 1], rtol=1e-7)


STARTS = np.array([[2**31 - 1, 2**32 - 2, 0], [5_300_000_000, 2**31, 7], [2**24, 1, 2**53 - 9]])
CELLS = np.random.default_rng(1).integers(0, 3, (2, 4, 50)).astype(np.int32)
TIMES = confusion_matrix(CELLS[1].ravel(), CELLS[0].ravel(), labels=range(3))


def test_counts_go_on_beyond_int32():
    state = metrics.ConfusionState(STARTS)
    for predictions, labels in zip(*CELLS, strict=True):
        state = update(state, predictions, labels)
    np.testing.assert_array_equal(counting.to_numpy(state), STARTS + TIMES)
    merged = merge(metrics.ConfusionState(STARTS // 2), metrics.ConfusionState(STARTS // 3))
    np.testing.assert_array_equal(counting.to_numpy(merged), STARTS // 2 + STARTS // 3)
    np.testing.assert_array_equal(counting.compute(state), (STARTS + TIMES).astype(np.float32))


def test_counts_go_on_beyond_int32_in_a_scan():
    def count(state, batches):
        return jax.lax.scan(lambda s, b: (metrics.update(s, *b), None), state, batches)[0]

    state = jax.jit(count)(metrics.ConfusionState(STARTS), tuple(map(jnp.asarray, CELLS)))
    np.testing.assert_array_equal(counting.to_numpy(state), STARTS + TIMES)


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray], ids=["host", "device"])
def test_a_state_of_older_code_is_read_and_counts_on(asarray):
    old = metrics.ConfusionState(asarray(np.array([[2**31 - 1, 3], [0, 5]], np.int32)))
    recall = metrics.per_class_recall(old)
    np.testing.assert_allclose(recall, [(2**31 - 1) / (2**31 + 2), 1], rtol=1e-7)
    state = update(old, jnp.array([0, 1]), jnp.array([0, 0]))
    np.testing.assert_array_equal(counting.to_numpy(state), [[2**31, 4], [0, 5]])


def test_a_count_beyond_the_end_is_lost_for_good_and_the_measures_are_nan():
    last = metrics.ConfusionState([[2**53, 3], [0, 5]])
    more = metrics.ConfusionState([[2**31, 3], [0, 5]])
    check = jax.jit(checkify.checkify(metrics.merge))
    error, lost = check(last, more)
    assert "a count went beyond 2**53" in error.get()
    assert check(more, more)[0].get() is None
    np.testing.assert_array_equal(counting.compute(lost), [[np.nan, 6], [0, 10]])
    for state in (lost, merge(more, lost), jax.tree.map(jnp.add, lost, more)):
        assert np.isnan(balanced(state))
        assert np.isnan(recalls_of(state)).all()
    heard = jax.jit(checkify.checkify(metrics.update))(lost, jnp.array([1]), jnp.array([0]))[0]
    assert "a count went beyond" in heard.get()


def test_update_under_jit_keeps_shape_and_dtype():
    before = metrics.init(K)
    after = update(before, PREDICTIONS, LABELS)
    assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, after)


def test_scan_over_batches_equals_one_update():
    def step(state, batch):
        return metrics.update(state, *batch), None

    batches = (jnp.asarray(PREDICTIONS).reshape(8, 50), jnp.asarray(LABELS).reshape(8, 50))
    state, _ = jax.lax.scan(step, metrics.init(K), batches)
    np.testing.assert_array_equal(state.counts, counted(PREDICTIONS, LABELS).counts)


def test_vmap_over_models():
    predictions = np.stack([PREDICTIONS, LABELS, (LABELS + 1) % K])

    def evaluate(p):
        return metrics.balanced_accuracy(metrics.update(metrics.init(K), p, jnp.asarray(LABELS)))

    expected = [balanced_accuracy_score(LABELS, p) for p in predictions]
    np.testing.assert_allclose(
        jax.jit(jax.vmap(evaluate))(jnp.asarray(predictions)), expected, rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_shares_counted_in_shard_map_and_summed_are_the_count_of_all(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))

    def step(state, batch):
        share = metrics.update(metrics.init(K), batch[0], batch[1], where=batch[2])
        return metrics.merge(state, jax.lax.psum(share, "data")), None

    def over_batches(state, batches):
        state, _ = jax.lax.scan(step, state, batches)
        return state, metrics.compute(state)

    mapped = jax.shard_map(
        over_batches, mesh=mesh, in_specs=(P(), P(None, "data")), out_specs=(P(), P())
    )
    batches = tuple(x.reshape(5, 80) for x in (PREDICTIONS, LABELS, MASK))
    with jax.set_mesh(mesh):
        batches = jax.device_put(batches, NamedSharding(mesh, P(None, "data")))
        state, measures = jax.jit(mapped)(metrics.init(K), batches)
    np.testing.assert_array_equal(
        state.counts, confusion_matrix(LABELS[MASK], PREDICTIONS[MASK], labels=range(K))
    )
    np.testing.assert_allclose(
        measures.balanced_accuracy,
        balanced_accuracy_score(LABELS[MASK], PREDICTIONS[MASK]),
        rtol=0,
        atol=1e-7,
    )


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_states_of_all_devices_are_summed_beyond_int32(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    shares = np.random.default_rng(2).integers(0, 2**49, (8, 3, 3))
    shares >>= np.arange(0, 48, 6).reshape(8, 1, 1)

    def summed(states):
        return jax.lax.psum(jax.tree.map(lambda leaf: leaf[0], states), "data")

    with jax.set_mesh(mesh):
        states = jax.device_put(metrics.ConfusionState(shares), NamedSharding(mesh, P("data")))
        state = jax.jit(jax.shard_map(summed, in_specs=P("data"), out_specs=P()))(states)
    np.testing.assert_array_equal(counting.to_numpy(state), shares.sum(0))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_measures_of_a_sharded_batch_are_those_of_all(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))

    @jax.jit
    def evaluate(predictions, labels, where):
        return metrics.compute(metrics.update(metrics.init(K), predictions, labels, where=where))

    rows = NamedSharding(mesh, P("data"))
    with jax.set_mesh(mesh):
        got = evaluate(*jax.device_put((PREDICTIONS, LABELS, MASK), rows))
    expected = recall_score(LABELS[MASK], PREDICTIONS[MASK], average=None)
    np.testing.assert_allclose(got.per_class_recall, expected, rtol=0, atol=1e-7)
    expected = matthews_corrcoef(LABELS[MASK], PREDICTIONS[MASK])
    np.testing.assert_allclose(got.matthews_correlation, expected, rtol=0, atol=1e-7)
    assert all(value.sharding.is_fully_replicated for value in got)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_small_dtypes_with_more_classes_than_they_hold(dtype):
    state = counted(jnp.array([127], dtype), jnp.array([100], dtype), num_classes=300)
    assert state.counts[100, 127] == 1
    assert state.counts.sum() == 1


def test_host_values_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"predictions must lie in \[0, 2\).*got 2"):
        counted([0, 2], [0, 1], num_classes=2)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\).*got -1"):
        counted(np.array([0, 1]), np.array([0, -1]), num_classes=2)


def test_traced_values_out_of_range_are_dropped_with_a_message():
    predictions, labels = jnp.array([0, 2, 1, -1, 1]), jnp.array([0, 0, 5, 1, -1])
    np.testing.assert_array_equal(
        update(metrics.init(2), predictions, labels).counts, [[1, 0], [0, 0]]
    )
    check = checkify.checkify(lambda p, y: counted(p, y, num_classes=2))
    assert "predictions must lie in [0, 2)" in check(predictions, jnp.zeros(5, jnp.int32))[0].get()
    assert "labels must lie in [0, 2)" in check(jnp.zeros(5, jnp.int32), labels)[0].get()


def test_valid_masks_raise_no_alarm():
    predictions, labels = jnp.array([0, 2, 1, -1]), jnp.array([0, 0, 5, 1])
    check = checkify.checkify(metrics.update, errors=checkify.all_checks)
    error, state = jax.jit(check)(
        metrics.init(2), predictions, labels, where=jnp.array([True, False, False, False])
    )
    assert error.get() is None
    np.testing.assert_array_equal(state.counts, [[1, 0], [0, 0]])


@pytest.mark.parametrize("empty", [[], np.zeros(0), np.zeros((0, 4), int), jnp.zeros(0, jnp.int32)])
def test_an_empty_batch_adds_nothing(empty):
    np.testing.assert_array_equal(counted(empty, empty, num_classes=2).counts, np.zeros((2, 2)))


def test_labels_of_uint64():
    state = counted(np.array([1], np.uint64), np.array([0], np.uint64), num_classes=2)
    np.testing.assert_array_equal(state.counts, [[0, 1], [0, 0]])
    with pytest.raises(ValueError, match=f"labels must lie in .* got {2**63 + 1} "):
        counted([0], np.array([2**63 + 1], np.uint64), num_classes=2)


IDS = jnp.array([0, 1, 2, 0])
ONE_HOT = np.eye(3, dtype=np.int32)[[0, 1, 2, 0]]
MISTAKES = {
    "logits": (
        (jnp.ones((4, 3)), IDS),
        r"predictions must be integers, got float32\[4, 3\]; of logits.* predictions\.argmax\(-1\)",
    ),
    "logits, channels first": (
        (jnp.ones((2, 3, 5, 4)), jnp.ones((2, 5, 4), jnp.int32)),
        r"predictions must be integers.* take predictions\.argmax\(1\)",
    ),
    "scores": ((np.ones(4), IDS), r"predictions must be integers.*\(scores >= threshold\)\.astype"),
    "soft labels": (
        (IDS, jnp.ones((4, 3))),
        r"labels must be integers.* take labels\.argmax\(-1\)",
    ),
    "one-hot labels": (
        (IDS, ONE_HOT),
        r"labels must be class ids.*int32\[4, 3\].*last axis of 3.* take labels\.argmax\(-1\)",
    ),
    "one-hot predictions": (
        (jnp.asarray(ONE_HOT), IDS),
        r"predictions must be class ids.* take predictions\.argmax\(-1\)",
    ),
    "both one-hot": ((ONE_HOT, ONE_HOT.tolist()), r"are one-hot; take \.argmax\(-1\) of both"),
    "names": (
        (["cat", "dog"], [0, 1]),
        r"classes by name become numbers by np\.unique\(predictions",
    ),
    "objects": (
        (np.array([0, None]), [0, 1]),
        r"predictions must be an array of numbers, got array\(\[0, None",
    ),
    "booleans": ((np.ones(4, bool), IDS), r"predictions must be integers.*cast with"),
    "a state second": (
        (metrics.init(3), IDS),
        r"predictions must be integers, got a ConfusionState",
    ),
    "nothing": ((None, IDS), r"predictions must be an array of numbers, got None"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_no_class_is_named_and_what_to_do(mistake):
    args, sentence = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError), match=sentence):
        inspect.unwrap(metrics.update)(metrics.init(3), *args)


def test_class_ids_in_the_shape_of_one_hot_numbers_are_counted_flat():
    pairs = np.array([[0, 1], [1, 0]])
    np.testing.assert_array_equal(
        counted(pairs.ravel(), pairs.ravel(), num_classes=2).counts, [[2, 0], [0, 2]]
    )


@pytest.mark.parametrize(
    "given", [np.eye(2), jnp.eye(2, dtype=jnp.int32), (1, 2), [[1, 2], [3, 4]], None], ids=str
)
def test_what_is_no_state_is_refused_by_every_function(given):
    sentence = (
        r"must be a ConfusionState.*, got .*metrics\.update\(.*metrics\.ConfusionState\(matrix\)"
    )
    calls = [lambda f=f: inspect.unwrap(f)(given) for f in MEASURES]
    calls += [
        lambda: inspect.unwrap(metrics.expected_cost)(given, np.eye(2)),
        lambda: inspect.unwrap(metrics.shot_accuracy)(given, [1, 2]),
        lambda: inspect.unwrap(metrics.update)(given, IDS, IDS),
        lambda: inspect.unwrap(metrics.merge)(given, metrics.init(2)),
        lambda: inspect.unwrap(metrics.merge)(metrics.init(2), given),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=sentence):
            call()


def test_wrong_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match="predictions must have the shape"):
        counted(jnp.zeros(3, jnp.int32), jnp.zeros(4, jnp.int32))
    with pytest.raises(ValueError, match="where must have the shape"):
        counted(jnp.zeros(3, jnp.int32), jnp.zeros(3, jnp.int32), jnp.ones(2, bool))
    with pytest.raises(TypeError, match="predictions must be integers"):
        counted(jnp.zeros(3), jnp.zeros(3, jnp.int32))
    with pytest.raises(TypeError, match="labels must be integers"):
        counted(jnp.zeros(3, jnp.int32), jnp.zeros(3))
    with pytest.raises(TypeError, match="where must be boolean"):
        counted(jnp.zeros(3, jnp.int32), jnp.zeros(3, jnp.int32), jnp.ones(3))
    with pytest.raises(ValueError, match=r"num_classes must lie in \[1"):
        metrics.init(0)
    with pytest.raises(TypeError, match="num_classes"):
        metrics.init(2.0)
    with pytest.raises(ValueError, match="the number of cells, must lie in"):
        metrics.init(2**16)
    with pytest.raises(ValueError, match=r"right must be of the 2 classes of left, got 3"):
        metrics.merge(metrics.init(2), metrics.init(3))
