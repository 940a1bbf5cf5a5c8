"""Counts of labels of which an example may have several, and what is made of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb

RNG = np.random.default_rng(0)
LABELS = RNG.uniform(size=(64, 5)) < [0.9, 0.5, 0.2, 0.05, 0.4]
KNOWN = RNG.uniform(size=LABELS.shape) < 0.8
ROWS = RNG.uniform(size=64) < 0.7
INIT, KEY = jimb.one_vs_all_bias_init, jax.random.key(0)


def counted(labels, where=None):
    """Label by label."""
    counts = [0.0] * labels.shape[-1]
    for place in np.ndindex(labels.shape):
        counts[place[-1]] += float(labels[place]) * (where is None or where[place])
    return counts


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8, np.float32])
def test_counts_are_sums_over_the_examples_on_the_host_and_on_a_device(dtype):
    labels = LABELS.astype(dtype)
    of_rows = np.broadcast_to(ROWS[:, None], LABELS.shape)
    for where, mask in ((None, None), (KNOWN, KNOWN), (ROWS, of_rows)):
        expected = counted(LABELS, mask)
        host = jimb.multi_hot_counts(labels, where=where)
        assert host.dtype == (np.float64 if dtype == np.float32 else np.int64)
        traced = jax.jit(jimb.multi_hot_counts)(jnp.asarray(labels), where=where)
        assert traced.dtype == (jnp.float32 if dtype == np.float32 else jnp.int32)
        for counts in (host, traced, jimb.multi_hot_counts(labels.tolist(), where=where)):
            np.testing.assert_array_equal(counts, expected)


def test_soft_labels_count_by_their_part_and_axes_of_a_batch_are_summed():
    soft = RNG.uniform(size=(4, 16, 5)).astype(np.float32)
    expected = counted(soft)
    np.testing.assert_allclose(jimb.multi_hot_counts(soft), expected, rtol=1e-12)
    np.testing.assert_allclose(jimb.multi_hot_counts(jnp.asarray(soft)), expected, rtol=3e-7)


def test_one_hot_labels_give_the_counts_of_their_class_ids():
    ids = RNG.integers(0, 5, 64)
    one_hot = np.eye(5, dtype=bool)[ids]
    np.testing.assert_array_equal(jimb.multi_hot_counts(one_hot), jimb.class_counts(ids, 5))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_counts_of_a_batch_on_a_mesh(kind):
    mesh = jax.make_mesh((4, 2), ("data", "class"), axis_types=(kind,) * 2)
    wide = np.concatenate([LABELS, LABELS[:, ::-1]], 1)
    with jax.set_mesh(mesh):
        for spec in (P("data"), P("data", "class")):
            labels = jax.device_put(wide, NamedSharding(mesh, spec))
            got = jax.jit(jimb.multi_hot_counts)(labels, where=jnp.asarray(ROWS))
            np.testing.assert_array_equal(got, wide[ROWS].sum(0))


def test_wrong_labels_are_refused_or_leave_a_message_unless_masked():
    count = jimb.multi_hot_counts
    with pytest.raises(ValueError, match=r"one number for each class, got int64\[3\]; class ids"):
        count([0, 1, 1])
    with pytest.raises(ValueError, match=r"must be 0 or 1, .* got 2 \(1 of 4\)"):
        count([[0, 2], [1, 0]])
    with pytest.raises(ValueError, match="where must have the shape"):
        count([[0, 1], [1, 0]], where=[True])
    bad = np.array([[0, 2], [1, 0]])
    np.testing.assert_array_equal(count(bad, where=[False, True]), [1, 0])
    check = jax.jit(checkify.checkify(count))
    for dtype, expected in ((jnp.int32, [1, 0]), (jnp.float32, [1, np.nan])):
        error, got = check(jnp.asarray(bad, dtype))
        assert "labels must be 0 or 1" in error.get()
        np.testing.assert_array_equal(got, expected)
        error, got = check(jnp.asarray(bad, dtype), where=jnp.array([False, True]))
        assert error.get() is None
        np.testing.assert_array_equal(got, [1, 0])


def test_floats_beyond_what_a_float32_sum_counts_are_refused():
    many = jax.ShapeDtypeStruct((2**24, 1), jnp.float32)
    with pytest.raises(ValueError, match=r"cast zeros and ones with .astype\(bool\)"):
        jax.eval_shape(jimb.multi_hot_counts, many)
    assert jax.eval_shape(jimb.multi_hot_counts, many.update(dtype=jnp.bool_)).shape == (1,)


# --- the weight of positives ----------------------------------------------------------------------

COUNTS, TOTAL = np.array([1, 30, 999, 512]), 1000


def test_the_weight_of_positives_makes_them_weigh_as_much_as_the_negatives():
    expected = (TOTAL - COUNTS) / COUNTS
    np.testing.assert_allclose(jimb.balanced_pos_weight(COUNTS, TOTAL), expected, rtol=1e-7)
    traced = jax.jit(jimb.balanced_pos_weight)(jnp.asarray(COUNTS), TOTAL)
    np.testing.assert_allclose(traced, expected, rtol=2e-7)
    weights = jimb.balanced_pos_weight(LABELS.sum(0), len(LABELS))
    losses = jimb.sigmoid_cross_entropy_loss(jnp.zeros(LABELS.shape), LABELS, pos_weight=weights)
    of_positives, of_negatives = (
        np.sum(np.asarray(losses) * kept, 0) for kept in (LABELS, ~LABELS)
    )
    np.testing.assert_allclose(of_positives, of_negatives, rtol=1e-6)


def test_a_number_of_examples_for_each_class():
    known = np.array([500, 100, 1000, 600])
    got = jimb.balanced_pos_weight(COUNTS, known)
    np.testing.assert_allclose(got, (known - COUNTS) / COUNTS, rtol=1e-7)


def test_integers_are_subtracted_before_they_are_rounded():
    total = 2**31 - 1
    for n in (total - 5, 7):
        got = jax.jit(jimb.balanced_pos_weight)(jnp.array([n]), jnp.int32(total))
        np.testing.assert_allclose(got, (total - n) / n, rtol=2e-7)
        bias = jax.jit(lambda n: INIT(KEY, (1,), counts=n, num_examples=total))(jnp.array([n]))
        np.testing.assert_allclose(bias, np.log(n / (total - n)), rtol=2e-7)
    beyond = jimb.balanced_pos_weight(jnp.array([2**30]), 2**40)
    np.testing.assert_allclose(beyond, 1023, rtol=2e-7)


def test_a_class_without_positives_or_negatives_is_refused_or_has_weight_zero():
    counts = np.array([0, 3, 10])
    with pytest.raises(ValueError, match="no example of class 0"):
        jimb.balanced_pos_weight(counts, 10)
    with pytest.raises(ValueError, match="all examples in class 1: there is nothing to balance"):
        jimb.balanced_pos_weight(counts[1:], 10)
    allowed = jimb.balanced_pos_weight(counts, 10, allow_empty=True)
    error, traced = checkify.checkify(jimb.balanced_pos_weight)(jnp.asarray(counts), 10)
    assert "empty class" in error.get()
    for got in (allowed, traced):
        np.testing.assert_allclose(got, [0, 7 / 3, 0], rtol=2e-7)


def test_more_positives_than_examples_are_refused():
    with pytest.raises(ValueError, match=r"at most num_examples.*got 12 of 10 in class 1"):
        jimb.balanced_pos_weight([3, 12], 10)
    error, got = checkify.checkify(jimb.balanced_pos_weight)(jnp.array([3, 12]), 10)
    assert "at most num_examples" in error.get()
    np.testing.assert_allclose(got, [7 / 3, np.nan], rtol=2e-7)
    with pytest.raises(ValueError, match="fractions"):
        jimb.balanced_pos_weight([0.3, 0.7], 1)


# --- the bias of a head ---------------------------------------------------------------------------


def test_the_bias_is_the_log_odds_of_the_counts_or_of_the_prior():
    expected = np.log(COUNTS / (TOTAL - COUNTS))
    by_counts = INIT(KEY, (4,), counts=COUNTS, num_examples=TOTAL)
    by_prior = INIT(KEY, (4,), prior=COUNTS / TOTAL)
    for got in (by_counts, by_prior):
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, expected, rtol=1e-7)
    traced = jax.jit(lambda n: INIT(KEY, (4,), counts=n, num_examples=TOTAL))(jnp.asarray(COUNTS))
    np.testing.assert_allclose(traced, expected, rtol=3e-7, atol=3e-7)
    np.testing.assert_allclose(INIT(KEY, (3,), prior=0.01), [-np.log(99)] * 3, rtol=1e-7)
    assert INIT(KEY, (2, 4), jnp.bfloat16, prior=COUNTS / TOTAL).shape == (2, 4)


def test_one_over_k_stays_the_default_and_is_the_prior_of_even_classes():
    for k in (2, 10):
        np.testing.assert_allclose(INIT(KEY, (k,)), INIT(KEY, (k,), prior=1 / k), rtol=1e-6)
    np.testing.assert_array_equal(INIT(KEY, (1,)), [0])


def test_a_layer_of_flax_takes_it_and_predicts_the_frequencies():
    nnx = pytest.importorskip("flax.nnx")
    counts = jimb.multi_hot_counts(LABELS)
    init = functools.partial(INIT, counts=counts, num_examples=len(LABELS))
    layer = nnx.Linear(3, 5, bias_init=init, rngs=nnx.Rngs(0))
    p = jax.nn.sigmoid(layer(jnp.zeros((1, 3))))
    np.testing.assert_allclose(p[0], counts / len(LABELS), rtol=1e-6)


def test_infinite_log_odds_are_refused_or_nan():
    with pytest.raises(ValueError, match=r"got 0 in class 1 \(1 of 2 such\); leave.*\+ 0.5"):
        INIT(KEY, (2,), counts=[3, 0], num_examples=10)
    with pytest.raises(ValueError, match="log odds are infinite, got 10 in class 0"):
        INIT(KEY, (2,), counts=[10, 3], num_examples=10)
    for prior in (0.0, 1.0, [0.5, np.nan]):
        with pytest.raises(ValueError, match=r"prior must lie in \(0, 1\)"):
            INIT(KEY, (2,), prior=prior)

    @checkify.checkify
    def traced(counts, prior):
        bias = INIT(KEY, (2,), counts=counts, num_examples=10)
        return bias, INIT(KEY, (2,), prior=prior)

    error, (by_counts, _) = traced(jnp.array([5, 10]), jnp.array([0.5, 0.1]))
    assert "infinite" in error.get()
    np.testing.assert_array_equal(by_counts, [0, np.nan])
    error, (_, by_prior) = traced(jnp.array([5, 5]), jnp.array([0.5, 1.0]))
    assert "prior must lie in (0, 1)" in error.get()
    np.testing.assert_array_equal(by_prior, [0, np.nan])


def test_what_does_not_go_together_is_refused():
    for options in (
        {"counts": [3, 4]},
        {"num_examples": 10},
        {"prior": 0.1, "counts": [3, 4], "num_examples": 10},
    ):
        with pytest.raises(TypeError, match="give a prior, or counts with num_examples"):
            INIT(KEY, (2,), **options)
    with pytest.raises(ValueError, match="prior or counts must have the shape"):
        INIT(KEY, (3,), prior=[0.1, 0.2])
