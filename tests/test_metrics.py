"""Confusion counts and the measures read from them, against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from jimb import metrics

K = 5
RNG = np.random.default_rng(0)
LABELS = np.minimum(RNG.geometric(0.5, 400) - 1, K - 1).astype(np.int32)
PREDICTIONS = np.where(RNG.random(400) < 0.6, LABELS, RNG.integers(0, K, 400)).astype(np.int32)
MASK = RNG.random(400) < 0.8

update = jax.jit(metrics.update)


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
    got = metrics.balanced_accuracy(counted(PREDICTIONS, LABELS))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, balanced_accuracy_score(LABELS, PREDICTIONS), rtol=2e-7)


def test_per_class_recall_is_the_share_predicted_right():
    expected = [np.mean(PREDICTIONS[np.equal(LABELS, c)] == c) for c in range(K)]
    np.testing.assert_allclose(
        metrics.per_class_recall(counted(PREDICTIONS, LABELS)), expected, rtol=1e-7
    )


def test_an_absent_class_has_nan_recall_and_stays_out_of_balanced_accuracy():
    state = counted([0, 0, 1, 2, 3], [0, 0, 0, 2, 2], num_classes=4)
    recalls = metrics.per_class_recall(state)
    np.testing.assert_allclose(recalls, [2 / 3, np.nan, 0.5, np.nan], rtol=1e-7)
    np.testing.assert_allclose(metrics.balanced_accuracy(state), (2 / 3 + 0.5) / 2, rtol=2e-7)


def test_no_examples_give_nan():
    assert np.isnan(metrics.balanced_accuracy(metrics.init(3)))
    assert np.isnan(metrics.per_class_recall(metrics.init(3))).all()


def test_merge_is_associative_commutative_and_equals_one_update():
    parts = [counted(PREDICTIONS[i::3], LABELS[i::3]) for i in range(3)]
    left = metrics.merge(metrics.merge(parts[0], parts[1]), parts[2])
    right = metrics.merge(parts[2], metrics.merge(parts[1], parts[0]))
    whole = counted(PREDICTIONS, LABELS).counts
    np.testing.assert_array_equal(left.counts, right.counts)
    np.testing.assert_array_equal(left.counts, whole)
    np.testing.assert_array_equal(metrics.merge(left, metrics.init(K)).counts, whole)


def test_counts_stay_exact_beyond_the_integers_of_float32():
    big = metrics.ConfusionState(jnp.array([[2**24 + 1, 3], [0, 2**30 - 1]], jnp.int32))
    one = counted([0, 1], [0, 1], num_classes=2)
    merged = metrics.merge(metrics.merge(big, one), one)
    np.testing.assert_array_equal(merged.counts, [[2**24 + 3, 3], [0, 2**30 + 1]])
    np.testing.assert_array_equal(
        metrics.update(big, jnp.array([0]), jnp.array([0])).counts, [[2**24 + 2, 3], [0, 2**30 - 1]]
    )
    np.testing.assert_allclose(
        metrics.per_class_recall(merged), [(2**24 + 3) / (2**24 + 6), 1], rtol=1e-7
    )


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
        jax.jit(jax.vmap(evaluate))(jnp.asarray(predictions)), expected, rtol=2e-7
    )


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
    with pytest.raises(ValueError, match=r"right\.counts must have the shape"):
        metrics.merge(metrics.init(2), metrics.init(3))
