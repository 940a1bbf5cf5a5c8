"""One-hot labels where class ids are meant: a sentence that names argmax, everywhere."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from jimb import sampling
from jimb.sampling import grain as jgrain

KEY = jax.random.key(0)
IDS = np.array([0, 2, 1, 2])
ONE_HOT = np.eye(3, dtype=np.int32)[IDS]
TABLE = np.array([0.5, 2.0, 4.0], np.float32)

# The shape says it.
OF_EXAMPLES = {
    "class_power": lambda y: sampling.class_power(y, [1, 1, 2], power=0.0),
    "undersample_plan": lambda y: sampling.undersample_plan(KEY, y, 3),
    "oversample_plan": lambda y: sampling.oversample_plan(KEY, y, 3),
    "balanced_plan": lambda y: sampling.balanced_plan(KEY, y, 3, per_class=2),
    "label_shuffle_plan": lambda y: sampling.label_shuffle_plan(KEY, y, 3),
    "class_batches": lambda y: sampling.class_batches(KEY, y, classes_per_batch=1, per_class=1),
    "interpolate": lambda y: sampling.interpolate_within_class(KEY, jnp.ones(len(y)), y),
    "ClassBalancedSelection": lambda y: jgrain.ClassBalancedSelection(y, 3, 9),
    "LabelShuffledSelection": lambda y: jgrain.LabelShuffledSelection(y, 3),
    "softmax": lambda y: jimb.class_balanced_softmax_loss(jnp.zeros((4, 3)), y, [1, 1, 2]),
    "sigmoid": lambda y: jimb.class_balanced_sigmoid_loss(jnp.zeros((4, 3)), y, [1, 1, 2]),
    "focal": lambda y: jimb.class_balanced_focal_loss(jnp.zeros((4, 3)), y, [1, 1, 2]),
}
# Any shape is one of ids: masks of images.
OF_PIXELS = {
    "class_counts": lambda y: jimb.class_counts(y, 3),
    "take_class": lambda y: jimb.take_class(TABLE, y),
}


@pytest.mark.parametrize("take", OF_EXAMPLES.values(), ids=OF_EXAMPLES)
def test_an_axis_too_many_is_refused_by_shape_always(take):
    not_quite = np.where(ONE_HOT == 1, 2, 0)  # in shape alone
    for labels in (ONE_HOT, ONE_HOT.tolist(), jnp.asarray(ONE_HOT), not_quite):
        with pytest.raises(ValueError, match=r"labels\.argmax\(-1\)"):
            take(labels)
    for column in (IDS[:, None], jnp.asarray(IDS)[:, None]):  # whose argmax would be 0
        with pytest.raises(ValueError, match=r"drop the last axis with labels\[\.\.\., 0\]"):
            take(column)
    take(ONE_HOT.argmax(-1))


@pytest.mark.parametrize("take", OF_EXAMPLES.values(), ids=OF_EXAMPLES)
def test_floats_are_told_of_argmax_too(take):
    with pytest.raises((TypeError, ValueError), match=r"labels\.argmax\(-1\)"):
        take(ONE_HOT.astype(np.float32))


@pytest.mark.parametrize("take", OF_PIXELS.values(), ids=OF_PIXELS)
@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3), (1, 1, 4, 3)])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.int8])
def test_one_hot_rows_from_the_host_are_refused(take, shape, dtype):
    labels = ONE_HOT.reshape(shape).astype(dtype)
    for given in (labels, labels.tolist()):
        with pytest.raises(ValueError, match=r"one-hot, \[\.\.\., 3\].*labels\.argmax\(-1\)"):
            take(given)
    take(labels.argmax(-1))


@pytest.mark.parametrize("take", OF_PIXELS.values(), ids=OF_PIXELS)
def test_ids_in_the_shape_of_one_hot_rows_are_ids(take):
    rows = ONE_HOT.copy()
    rows[0] = [2, 0, 0]
    for labels in (rows, ONE_HOT[:, :2], ONE_HOT[0], 1 - ONE_HOT, np.zeros((0, 3), np.int32)):
        np.testing.assert_array_equal(
            take(labels), take(labels.reshape(-1)).reshape(take(labels).shape)
        )
    # As the sentence advises those who mean ids.
    np.testing.assert_array_equal(jimb.class_counts(ONE_HOT.reshape(-1), 3), [8, 4, 0])


@pytest.mark.parametrize("take", OF_PIXELS.values(), ids=OF_PIXELS)
def test_traced_one_hot_rows_leave_a_message(take):
    checked = jax.jit(checkify.checkify(take))
    error, got = checked(jnp.asarray(ONE_HOT))
    assert "labels.argmax(-1)" in error.get()
    np.testing.assert_array_equal(got, take(jnp.asarray(ONE_HOT)))
    assert checked(jnp.asarray(np.where(ONE_HOT == 1, 2, 0)))[0].get() is None
    mapped = jax.jit(checkify.checkify(jax.vmap(take)))
    assert "labels.argmax(-1)" in mapped(jnp.asarray(ONE_HOT).reshape(2, 2, 3))[0].get()


def test_one_hot_float_labels_of_take_class_stay_soft_labels():
    np.testing.assert_array_equal(jimb.take_class(TABLE, ONE_HOT.astype(np.float32)), TABLE[IDS])


def test_floats_are_told_of_argmax_by_class_counts():
    with pytest.raises(TypeError, match=r"labels\.argmax\(-1\)"):
        jimb.class_counts(ONE_HOT.astype(np.float32), 3)


@pytest.mark.parametrize("take", OF_PIXELS.values(), ids=OF_PIXELS)
def test_without_checkify_the_messages_cost_nothing(take):
    """The program of a table whose last axis is K, and of one where nothing can be one-hot."""

    def cost(shape):
        program = jax.jit(take).lower(jax.ShapeDtypeStruct(shape, jnp.int32)).compile()
        return {name: program.cost_analysis()[name] for name in ("flops", "bytes accessed")}

    assert cost((100, 3)) == cost((3, 100))


# --- bad labels in take_class -------------------------------------------------------------------


def test_a_bad_label_leaves_a_message_beside_its_nan():
    for take in (
        lambda y: jimb.take_class(TABLE, y),
        lambda y: sampling.class_power(y, [1, 1, 2], power=0.5),
    ):
        checked = jax.jit(checkify.checkify(take))
        error, got = checked(jnp.array([0, -1, 3, 2]))
        assert "labels must lie in [0, 3)" in error.get()
        np.testing.assert_array_equal(np.isnan(got), [False, True, True, False])
        assert checked(jnp.array([0, 1, 1, 2]))[0].get() is None


def test_class_power_of_one_label_under_vmap():
    power = inspect.unwrap(sampling.class_power)
    got = jax.vmap(lambda y: power(y, [1, 1, 2], power=0.0))(jnp.asarray(IDS))
    np.testing.assert_array_equal(got, sampling.class_power(IDS, [1, 1, 2], power=0.0))
