"""Counts of a data set that is seen in batches, against Python's integers."""

import inspect
import pickle
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb import _labels, counting, metrics

STARTS = [0, 1, 2**24 - 1, 2**31 - 2, 2**31, 2**32 - 3, 2**32, 5_300_000_000, 2**48 - 1, 2**53 - 9]
K = len(STARTS)
LABELS = np.random.default_rng(0).integers(0, K, (6, 40)).astype(np.int32)
TIMES = np.bincount(LABELS.ravel(), minlength=K)

update = jax.jit(counting.update)
axis_types = pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit], ids=str)


def logarithmic(rng, shape, bits):
    return np.floor(2 ** rng.uniform(0, bits, shape)).astype(np.int64)


# On the host.


def test_numpy_counts_are_summed_without_an_end_at_int32():
    """320 masks of 4096 x 4096, of which one is counted."""
    mask = np.zeros((8, 8), np.uint8)
    mask[0, 0] = 1
    count = jimb.class_counts(mask, 2)
    assert count.dtype == np.int64
    total = sum(jimb.class_counts(mask, 2) * 4096 * 64 for _ in range(320))
    np.testing.assert_array_equal(total, [63 * 320 * 4096 * 64, 320 * 4096 * 64])
    total += count
    assert total[0] == 63 * 320 * 4096 * 64 + 63


def test_numpy_labels_are_counted_in_a_state():
    state = counting.init(3)
    for labels in ([0, 2, 2], np.array([[1], [9]])):
        state = counting.update(state, labels, where=np.less(labels, 3))
    np.testing.assert_array_equal(counting.to_numpy(state), [1, 1, 2])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\).*got 9"):
        counting.update(state, [9])


# On the device.


def test_a_scan_over_batches_counts_on_from_any_number():
    def count(state, batches):
        return jax.lax.scan(lambda s, y: (counting.update(s, y), None), state, batches)[0]

    state = jax.jit(count)(counting.CountState(np.array(STARTS)), jnp.asarray(LABELS))
    expected = np.array(STARTS) + TIMES
    np.testing.assert_array_equal(counting.to_numpy(state), expected)
    np.testing.assert_array_equal(counting.compute(state), expected.astype(np.float32))


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray], ids=["host", "device"])
def test_an_update_adds_a_batch_to_any_number(asarray):
    state = counting.CountState(STARTS)
    expected = np.array(STARTS)
    for batch in LABELS:
        state = counting.update(state, asarray(batch))
        expected += np.bincount(batch, minlength=K)
        np.testing.assert_array_equal(counting.to_numpy(state), expected)
    assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, counting.init(K))


def test_what_is_masked_or_outside_is_not_counted():
    labels, where = jnp.array([0, 1, 7, -1, 1]), jnp.array([True, True, False, False, False])
    check = jax.jit(checkify.checkify(counting.update, errors=checkify.all_checks))
    error, state = check(counting.init(2), labels, where=where)
    assert error.get() is None
    np.testing.assert_array_equal(counting.to_numpy(state), [1, 1])
    heard = jax.jit(checkify.checkify(counting.update))
    error, state = heard(counting.init(2), labels)
    np.testing.assert_array_equal(counting.to_numpy(state), [1, 2])
    assert "labels must lie in [0, 2)" in error.get()


def test_sums_of_states_leaf_by_leaf_are_states_of_the_sum():
    rng = np.random.default_rng(1)
    for terms, bits in ((2, 52), (8, 50), (1000, 42), (100_000, 25)):
        counts = logarithmic(rng, (terms, 3), bits)
        counts[:, 0] = 2**bits - 1
        states = counting.CountState(counts)
        summed = jax.tree.map(lambda leaf: jnp.sum(leaf, 0), states)
        np.testing.assert_array_equal(counting.to_numpy(summed), counts.sum(0))
        halves = [
            jax.tree.map(lambda leaf, part=part: jnp.sum(leaf[part], 0), states)
            for part in (slice(0, 1), slice(1, None))
        ]
        for pair in (halves, halves[::-1]):
            np.testing.assert_array_equal(counting.to_numpy(counting.merge(*pair)), counts.sum(0))
        rest = jax.tree.map(jnp.subtract, summed, halves[1])
        np.testing.assert_array_equal(counting.to_numpy(rest), counts[0])


@axis_types
def test_counts_of_shares_are_summed_over_devices(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    starts, labels = np.array(STARTS), LABELS.reshape(8, 30)

    def step(state, shares, labels):
        batch = counting.update(counting.init(K), labels)
        of_all = jax.lax.psum(jax.tree.map(lambda leaf: leaf[0], shares), "data")
        return counting.merge(counting.merge(state, jax.lax.psum(batch, "data")), of_all)

    shares = counting.CountState(np.stack([starts // 16 + i for i in range(8)]))
    specs = (P(), P("data"), P("data"))
    mapped = jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P())
    with jax.set_mesh(mesh):
        rows = NamedSharding(mesh, P("data"))
        state = counting.CountState(starts // 4)
        state = jax.jit(mapped)(state, *jax.device_put((shares, labels), rows))
        whole = update(counting.CountState(starts), jax.device_put(labels, rows))
    np.testing.assert_array_equal(
        counting.to_numpy(state), starts // 4 + 8 * (starts // 16) + 28 + TIMES
    )
    np.testing.assert_array_equal(counting.to_numpy(whole), starts + TIMES)


@axis_types
def test_a_batch_of_more_labels_than_int32_counts_is_counted_in_parts(axis_type, monkeypatch):
    monkeypatch.setattr(_labels, "_PART", 32)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    with jax.set_mesh(mesh):
        labels = jax.device_put(LABELS.reshape(16, 15), NamedSharding(mesh, P("data")))
        state = jax.jit(lambda s, y: counting.update(s, y))(counting.CountState(STARTS), labels)
        matrix = jax.jit(lambda s, y: metrics.update(s, y, y))(metrics.init(K), labels)
    np.testing.assert_array_equal(counting.to_numpy(state), np.array(STARTS) + TIMES)
    np.testing.assert_array_equal(matrix.counts, np.diag(TIMES))


def test_labels_in_numbers_beyond_int32():
    masks = jax.ShapeDtypeStruct((2**10, 2**12, 2**12), jnp.uint8)
    with pytest.raises(ValueError, match=r"labels are 17179869184.*counting\.update"):
        jax.eval_shape(lambda y: jimb.class_counts(y, 3), masks)
    state = jax.eval_shape(counting.update, counting.init(3), masks)
    assert state.wrapped.shape == (3,)


def test_states_over_a_vmap():
    states = counting.CountState(np.array([STARTS] * 6))
    got = jax.jit(jax.vmap(counting.update))(states, jnp.asarray(LABELS))
    expected = [np.bincount(y, minlength=K) + STARTS for y in LABELS]
    np.testing.assert_array_equal(counting.to_numpy(got), expected)


# Numbers that are read.


def test_counts_are_rounded_once():
    counts = logarithmic(np.random.default_rng(2), 10_000, 53)
    state = counting.CountState(counts)
    np.testing.assert_array_equal(jax.jit(counting.compute)(state), counts.astype(np.float32))
    with jax.enable_x64(True):
        values = counting.compute(state)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, counts)


def test_counts_under_x64():
    with jax.enable_x64(True):
        assert jimb.class_counts(jnp.array([0, 1, 1]), 2).dtype == np.int64
        state = counting.CountState(jnp.array(STARTS))
        state = counting.update(state, jnp.asarray(LABELS, jnp.int64))
        np.testing.assert_array_equal(counting.to_numpy(state), np.array(STARTS) + TIMES)


def test_weights_of_the_counts_are_those_of_fractions():
    """Of 5.3e9 pixels, where int32 had 989 855 744: off fivefold."""
    counts = [5_300_000_000, 2**31, 2**53 - 1, 17]
    state = counting.update(counting.CountState(np.array(counts) - 1), jnp.arange(4))
    inverses = [Fraction(1, n) for n in counts]
    expected = [float(4 * w / sum(inverses)) for w in inverses]
    # Measured 1.2e-7 of the rounded counts.
    for got in (
        jimb.inverse_frequency_weights(counting.compute(state)),
        jax.jit(lambda s: jimb.inverse_frequency_weights(counting.compute(s)))(state),
        jimb.inverse_frequency_weights(counting.to_numpy(state)),
    ):
        np.testing.assert_allclose(got, expected, rtol=2e-7)


LOGITS = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
CLASSES = np.array([0, 1, 2, 1, 0], np.int32)
TAKERS = {
    "effective_number_weights": lambda n: jimb.effective_number_weights(n, beta=0.999),
    "mean_one": lambda n: jimb.mean_one(np.ones(3, np.float32), n),
    "balanced_alpha": lambda n: jimb.balanced_alpha(n[:2]),
    "class_balanced_softmax_loss": lambda n: jimb.class_balanced_softmax_loss(LOGITS, CLASSES, n),
    "balanced_softmax_loss": lambda n: jimb.balanced_softmax_loss(LOGITS, CLASSES, n),
    "ldam_loss": lambda n: jimb.ldam_loss(LOGITS, CLASSES, n, scale=30.0),
    "vs_loss": lambda n: jimb.vs_loss(LOGITS, CLASSES, n, gamma=0.2, tau=1.0),
    "logit_adjusted_loss": lambda n: jimb.logit_adjusted_loss(LOGITS, CLASSES, n / n.sum()),
    "move_threshold": lambda n: jimb.posthoc.move_threshold(np.array([0.1, 0.6], "f4"), n[:2]),
    "class_power": lambda n: jimb.sampling.class_power(CLASSES, n, power=0.5),
    "shot_accuracy": lambda n: metrics.shot_accuracy(
        metrics.ConfusionState(np.eye(3, dtype=int)), n, many_above=4e9, few_below=100
    ),
}


@pytest.mark.parametrize("name", TAKERS)
def test_functions_of_counts_take_what_is_read(name):
    counts = np.array([5_300_000_000, 2**31, 17])
    state = counting.CountState(counts)
    expected = TAKERS[name](counts.astype(np.float64))  # what they took before
    for read in (counting.to_numpy(state), counting.compute(state)):
        for got, value in zip(*map(jax.tree.leaves, (TAKERS[name](read), expected)), strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-6)


# The end, and what is no state.


def test_a_count_beyond_the_end_is_lost_for_good_and_says_so():
    last = counting.CountState([2**53, 5])
    np.testing.assert_array_equal(counting.to_numpy(last), [2**53, 5])
    check = checkify.checkify(counting.merge)
    error, lost = check(last, counting.CountState([2**31, 1]))
    assert "a count went beyond 2**53" in error.get()
    assert check(last, counting.init(2))[0].get() is None
    for state in (lost, update(lost, jnp.array([0, 0])), jax.tree.map(jnp.subtract, lost, last)):
        assert np.isnan(counting.compute(state)[0])
        with pytest.raises(ValueError, match=r"a count went beyond 2\*\*53.*\(1 of 2\)"):
            counting.to_numpy(state)
    assert counting.compute(lost)[1] == 6


@pytest.mark.parametrize("counts", [[3, -1], np.array([3, -(2**40)]), np.array([2**63], "u8")])
def test_known_counts_outside_are_refused(counts):
    with pytest.raises(ValueError, match=r"counts must lie in \[0, 2\*\*53\], got"):
        counting.CountState(counts)


@pytest.mark.parametrize("counts", [[2**40, 3], (2**40, 3), pd.Series([2**40, 3])], ids=type)
def test_known_counts_of_any_kind(counts):
    np.testing.assert_array_equal(counting.to_numpy(counting.CountState(counts)), [2**40, 3])


def test_negative_counts_of_the_device_are_nan():
    np.testing.assert_array_equal(
        counting.compute(counting.CountState(jnp.array([3, -1]))), [3, np.nan]
    )
    with pytest.raises(ValueError, match="negative"):
        counting.to_numpy(counting.CountState(jnp.array([3, -1])))


def test_what_is_no_state_is_refused():
    # Without the annotations, which a user's program does not check.
    update, merge, compute = map(
        inspect.unwrap, (counting.update, counting.merge, counting.compute)
    )
    with pytest.raises(TypeError, match=r"state must be a CountState, got int64\[2\]; CountState"):
        update(np.array([1, 2]), [0])
    with pytest.raises(TypeError, match="right must be a CountState, got list"):
        merge(counting.init(2), [1, 2])
    with pytest.raises(TypeError, match=r"labels must be integers, got a CountState, which comes"):
        update(counting.init(2), counting.init(2))
    with pytest.raises(TypeError, match=r"state must hold integers, got float32\[2\]"):
        compute(counting.CountState(jnp.ones(2)))
    with pytest.raises(ValueError, match=r"state must be of counts \[K\], got int32\[2, 2\]"):
        update(metrics.init(2), [0])
    with pytest.raises(ValueError, match=r"right must have the shape \[3\]"):
        merge(counting.init(3), counting.init(2))
    with pytest.raises(TypeError, match=r"outside jit; inside, call compute\(state\)"):
        jax.jit(counting.to_numpy)(counting.init(2))
    with pytest.raises(ValueError, match="num_classes must lie in"):
        counting.init(0)
    # Not one of counts by accident: as an array it would be two rows.
    with pytest.raises(ValueError, match="counts must be"):
        jimb.inverse_frequency_weights(counting.CountState([1, 2]))


# As a pytree.


def test_a_state_travels():
    state = counting.CountState(STARTS)
    np.testing.assert_array_equal(counting.to_numpy(pickle.loads(pickle.dumps(state))), STARTS)
    abstract = counting.CountState(jax.ShapeDtypeStruct((K,), jnp.int32))
    assert abstract == jax.eval_shape(lambda: counting.init(K))
    assert counting.CountState(P("data")) == (P("data"), P("data"))
    assert state._replace(rough=1).rough == 1


def test_updates_are_exported_for_cpu_gpu_and_tpu():
    platforms, labels = ("cpu", "cuda", "tpu"), jnp.asarray(LABELS)

    def step(state, confusion, labels):
        confusion = metrics.update(confusion, labels, labels)
        return counting.update(state, labels), metrics.compute(confusion).accuracy

    exported = jax.export.export(jax.jit(step), platforms=platforms)(
        counting.init(K), metrics.init(K), labels
    )
    assert exported.platforms == platforms
    pytest.importorskip("flatbuffers")
    exported = jax.export.export(update, platforms=platforms)(counting.init(K), labels)
    again = jax.export.deserialize(exported.serialize()).call(counting.CountState(STARTS), labels)
    np.testing.assert_array_equal(counting.to_numpy(again), np.array(STARTS) + TIMES)
