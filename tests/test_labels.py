"""Counting labels and looking up class tables, bad labels included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb

SMALL_DTYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32)


def message(function, *args):
    """What checkify reports for a call, or None."""
    error, _ = jax.jit(checkify.checkify(function))(*args)
    return error.get()


# --- class_counts -----------------------------------------------------------------------------


def test_host_labels_give_numpy_counts():
    labels = np.random.default_rng(0).integers(0, 7, (20, 30))
    expected = [np.sum(labels == c) for c in range(8)]
    for given in (labels, labels.tolist(), tuple(labels.ravel().tolist())):
        counts = jimb.class_counts(given, 8)
        assert type(counts) is np.ndarray
        assert counts.dtype == np.int64  # whose sum over batches does not wrap
        np.testing.assert_array_equal(counts, expected)


def test_device_labels_give_device_counts():
    labels = np.random.default_rng(0).integers(0, 7, (20, 30))
    counts = jimb.class_counts(jnp.asarray(labels), 8)
    assert isinstance(counts, jax.Array)
    assert counts.dtype == jnp.int32
    np.testing.assert_array_equal(counts, [np.sum(labels == c) for c in range(8)])


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
def test_where_leaves_labels_out_of_the_counts(asarray):
    labels, where = np.array([0, 1, 1, 2]), np.array([True, False, True, True])
    np.testing.assert_array_equal(
        jimb.class_counts(asarray(labels), 4, where=asarray(where)), [1, 1, 1, 0]
    )


def test_host_labels_with_a_device_mask_are_counted_on_the_device():
    counts = jimb.class_counts(np.array([0, 9, 1]), 2, where=jnp.array([True, False, True]))
    assert isinstance(counts, jax.Array)
    np.testing.assert_array_equal(counts, [1, 1])


def test_host_labels_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"\[0, 3\).*got -1, 3, 70 \(4 of 6\)"):
        jimb.class_counts(np.array([0, 3, 70, -1, 3, 2]), 3)
    with pytest.raises(ValueError, match="got 5 "):
        jimb.class_counts([0, 5], 3)


def test_host_labels_beyond_32_bits_do_not_wrap_into_a_class():
    with pytest.raises(ValueError, match=str(2**32 + 1)):
        jimb.class_counts(np.array([2**32 + 1, 0]), 3)


def test_host_labels_of_uint64():
    np.testing.assert_array_equal(jimb.class_counts(np.array([0, 2, 2], np.uint64), 3), [1, 0, 2])


def test_host_labels_are_counted_a_part_at_a_time():
    labels = np.zeros(2**24 + 5, np.uint8)
    labels[-3:] = 1
    np.testing.assert_array_equal(jimb.class_counts(labels, 2), [2**24 + 2, 3])


def test_masked_host_labels_may_be_out_of_range():
    counts = jimb.class_counts([0, -1, 99], 2, where=[True, False, False])
    np.testing.assert_array_equal(counts, [1, 0])


def test_traced_labels_out_of_range_are_dropped_with_a_message():
    labels = jnp.array([0, -1, 3, 2, -3, 2**31 - 1])
    np.testing.assert_array_equal(jimb.class_counts(labels, 3), [1, 0, 1])
    assert "labels must lie in [0, 3)" in message(lambda y: jimb.class_counts(y, 3), labels)


def test_masked_traced_labels_out_of_range_leave_no_message():
    labels, where = jnp.array([0, -1, 5]), jnp.array([True, False, False])
    assert message(lambda y, m: jimb.class_counts(y, 3, where=m), labels, where) is None


@pytest.mark.parametrize("labels", [[], np.zeros((0,), np.int64), jnp.zeros((0, 4), jnp.int32)])
def test_no_labels_give_zero_counts(labels):
    counts = jimb.class_counts(labels, 3)
    assert counts.dtype == (np.int64 if isinstance(counts, np.ndarray) else np.int32)
    np.testing.assert_array_equal(counts, [0, 0, 0])


@pytest.mark.parametrize("dtype", SMALL_DTYPES)
@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
def test_counts_of_small_dtypes_with_more_classes_than_they_hold(dtype, asarray):
    labels = np.array([0, 3, 3, 127], dtype)
    counts = np.asarray(jimb.class_counts(asarray(labels), 300))
    np.testing.assert_array_equal(np.flatnonzero(counts), [0, 3, 127])
    np.testing.assert_array_equal(counts[[0, 3, 127]], [1, 2, 1])


def test_counts_of_negative_int8_labels_do_not_wrap():
    counts = jimb.class_counts(jnp.array([-1, -128, 5], jnp.int8), 256)
    np.testing.assert_array_equal(np.flatnonzero(np.asarray(counts)), [5])


def test_valid_masks_raise_no_alarm():
    labels, where = jnp.array([[0, 3], [-1, 2]]), jnp.array([[True, False], [False, True]])
    check = checkify.checkify(
        lambda y, m: jimb.class_counts(y, 3, where=m), errors=checkify.all_checks
    )
    error, counts = jax.jit(check)(labels, where)
    assert error.get() is None
    np.testing.assert_array_equal(counts, [1, 0, 1])


def test_counts_under_jit_and_vmap():
    labels = np.random.default_rng(1).integers(0, 5, (6, 50))
    counts = jax.jit(jax.vmap(lambda y: jimb.class_counts(y, 5)))(jnp.asarray(labels))
    np.testing.assert_array_equal(counts, [np.bincount(row, minlength=5) for row in labels])


def test_counts_refuse_wrong_types_and_shapes():
    with pytest.raises(TypeError, match="integers"):
        jimb.class_counts(np.array([0.0, 1.0]), 3)
    with pytest.raises(TypeError, match="integers"):
        jimb.class_counts(jnp.array([True]), 3)
    with pytest.raises(TypeError, match=r"by name become numbers by np.unique\(labels"):
        jimb.class_counts(np.array(["cat", "dog"]), 3)
    with pytest.raises(TypeError, match=r"got float32\[4, 3\]; of logits.*labels\.argmax\(-1\)"):
        jimb.class_counts(jnp.ones((4, 3)), 3)
    with pytest.raises(TypeError, match="where must be boolean"):
        jimb.class_counts([0, 1], 3, where=[1, 0])
    with pytest.raises(ValueError, match="where must have the shape"):
        jimb.class_counts([0, 1], 3, where=[True])
    with pytest.raises(ValueError, match=r"num_classes must lie in \[1"):
        jimb.class_counts([0, 1], 0)


# --- take_class -------------------------------------------------------------------------------

TABLE = np.array([0.5, 2.0, -3.0], np.float32)


def test_integer_labels_look_up():
    labels = np.array([[0, 1], [2, 2]])
    for given in (labels, labels.tolist(), jnp.asarray(labels)):
        taken = jimb.take_class(TABLE, given)
        assert taken.dtype == jnp.float32
        np.testing.assert_array_equal(taken, TABLE[labels])


def test_soft_labels_give_the_expected_entry():
    rng = np.random.default_rng(0)
    labels = rng.dirichlet(np.ones(300), (40, 2)).astype(np.float32)
    table = rng.uniform(0.1, 10, 300).astype(np.float32)
    expected = labels.astype(np.float64) @ table.astype(np.float64)
    # Measured 1.1e-7 relative, 1.71e-7 by jaxlib 0.10.1; a matrix product in bfloat16 would be off
    # by 1e-3.
    np.testing.assert_allclose(jimb.take_class(table, labels), expected, rtol=1.8e-7)


def test_one_hot_soft_labels_give_the_entry_itself():
    np.testing.assert_array_equal(jimb.take_class(TABLE, np.eye(3, dtype=np.float32)), TABLE)


def test_labels_out_of_range_give_nan_and_not_a_neighbour():
    labels = jnp.array([-1, 3, -3, 2**31 - 1, -(2**31), 1])
    np.testing.assert_array_equal(jimb.take_class(TABLE, labels), [np.nan] * 5 + [2.0])


def test_host_labels_beyond_32_bits_give_nan():
    np.testing.assert_array_equal(
        jimb.take_class(TABLE, np.array([2**32 + 1, -(2**32), 1])), [np.nan, np.nan, 2.0]
    )


@pytest.mark.parametrize("dtype", SMALL_DTYPES)
def test_look_up_of_small_dtypes_with_more_classes_than_they_hold(dtype):
    labels = np.array([0, 3, 127], dtype)
    table = np.arange(300, dtype=np.float32)
    np.testing.assert_array_equal(jimb.take_class(table, jnp.asarray(labels)), [0, 3, 127])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_negative_labels_of_small_dtypes_do_not_wrap(dtype):
    table = np.arange(256, dtype=np.float32)
    labels = jnp.array([-1, -128, 7], dtype)
    np.testing.assert_array_equal(jimb.take_class(table, labels), [np.nan, np.nan, 7])


def test_table_dtype_is_kept_and_integers_become_float32():
    labels = jnp.array([1, 5])
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        assert jimb.take_class(jnp.asarray(TABLE, dtype), labels).dtype == dtype
    taken = jimb.take_class(np.array([3, 4, 5]), labels)
    assert taken.dtype == jnp.float32
    np.testing.assert_array_equal(taken, [4.0, np.nan])


def test_gradient_by_the_table_is_the_class_counts():
    labels = np.array([[0, 2], [2, 2]])
    grad = jax.grad(lambda t: jimb.take_class(t, jnp.asarray(labels)).sum())(jnp.asarray(TABLE))
    np.testing.assert_array_equal(grad, [1, 0, 3])


def test_gradients_of_soft_labels():
    soft = jnp.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]])
    by_table, by_labels = jax.grad(lambda t, y: jimb.take_class(t, y).sum(), (0, 1))(
        jnp.asarray(TABLE), soft
    )
    np.testing.assert_array_equal(by_table, [0.25, 1.25, 0.5])
    np.testing.assert_array_equal(by_labels, np.stack([TABLE, TABLE]))


def test_look_up_under_jit_and_vmap_over_labels_and_tables():
    labels = np.array([[0, 1, -1], [2, 3, 2]])
    tables = np.stack([TABLE, 10 * TABLE])
    expected = np.where(
        (labels >= 0) & (labels < 3), np.take_along_axis(tables, labels.clip(0, 2), 1), np.nan
    )
    taken = jax.jit(jax.vmap(jimb.take_class))(jnp.asarray(tables), jnp.asarray(labels))
    np.testing.assert_array_equal(taken, expected)


def test_look_up_refuses_wrong_types_and_shapes():
    with pytest.raises(TypeError, match="bool"):
        jimb.take_class(TABLE, jnp.array([True, False, True]))
    with pytest.raises(ValueError, match=r"\[K\]"):
        jimb.take_class(np.ones((3, 2), np.float32), jnp.array([0]))
    with pytest.raises(ValueError, match=r"\[K\]"):
        jimb.take_class(np.float32(1), jnp.array([0]))
    with pytest.raises(ValueError, match=r"soft labels must be \[\.\.\., 3\]"):
        jimb.take_class(TABLE, jnp.ones((5, 4)))
    with pytest.raises(ValueError, match="soft labels must be"):
        jimb.take_class(TABLE, jnp.float32(1))
