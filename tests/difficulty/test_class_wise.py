"""Class-wise difficulty, against counts by NumPy and the paper's formula in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb.difficulty import class_wise

N, K = 240, 5
RNG = np.random.default_rng(0)
LABELS = np.minimum(RNG.geometric(0.5, N) - 1, K - 1).astype(np.int32)
# Rounded, so that equal logits are frequent; the label is ahead by 1.5.
LOGITS = (np.round(2 * RNG.normal(1.5 * np.eye(K)[LABELS], 1.5)) / 2).astype(np.float32)
RIGHT = np.argmax(LOGITS, -1) == LABELS  # NumPy's is the first of the largest, too
WHERE = RNG.random(N) < 0.8
TOTAL = np.bincount(LABELS, minlength=K)
CORRECT = np.bincount(LABELS[RIGHT], minlength=K)

update = jax.jit(class_wise.update)


def weights(correct, total, tau=None):
    """`(1 - A)^τ` over classes that all have examples."""
    accuracy = np.asarray(correct, np.float64) / np.asarray(total)
    if tau is None:
        tau = 2 / (1 + np.exp(-(accuracy.max() / (accuracy.min() + 0.01) - 1)))
    return (1 - accuracy) ** tau


def counts(correct, total):
    return class_wise.ClassWiseState(jnp.asarray(correct, "i4"), jnp.asarray(total, "i4"))


def assert_counts(state, where=np.True_):
    np.testing.assert_array_equal(state.total, np.bincount(LABELS[where & (LABELS >= 0)]))
    right = LABELS[where & RIGHT]
    np.testing.assert_array_equal(state.correct, np.bincount(right, minlength=K))


# Counts.


@pytest.mark.parametrize("call", [update, class_wise.update], ids=["jit", "eager"])
def test_counts_are_numpys(call):
    assert_counts(call(class_wise.init(K), LOGITS, LABELS))
    assert_counts(call(class_wise.init(K), LOGITS, LABELS, where=WHERE), WHERE)


def test_order_padding_and_shape_of_batches_are_inert():
    order = np.r_[np.random.default_rng(1).permutation(N), np.zeros(16, np.int64)]
    state = class_wise.init(K)
    for start in range(0, N + 16, 32):
        rows = order[start : start + 32]
        real = np.arange(start, start + 32) < N
        logits = np.where(real[:, None], LOGITS[rows], np.nan).astype(np.float32)
        labels = np.where(real, LABELS[rows], -1)
        batch = logits.reshape(4, 8, K), labels.reshape(4, 8)
        state = update(state, *batch, where=real.reshape(4, 8))
    assert_counts(state)


def test_scan_over_batches_is_a_loop():
    def step(state, batch):
        return class_wise.update(state, *batch), None

    batches = jnp.asarray(LOGITS).reshape(8, 30, K), jnp.asarray(LABELS).reshape(8, 30)
    assert_counts(jax.lax.scan(step, class_wise.init(K), batches)[0])


def test_nan_logits_and_ties_for_a_later_class_are_wrong():
    nan, inf = np.nan, np.inf
    logits = [
        [nan, 0, 1],
        [0, 1, nan],
        [-inf] * 3,
        [2, 2, 0],
        [2, 2, 0],
        [inf, 0, 0],
        [-inf, 0, -1],
    ]
    state = class_wise.update(class_wise.init(3), np.float32(logits), [0, 1, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal(state.total, [4, 3, 0])
    np.testing.assert_array_equal(state.correct, [2, 1, 0])  # 2 of the tie and inf; 1 of -inf


def test_types_are_kept_under_donation():
    step = jax.jit(class_wise.update, donate_argnames="state")
    state = class_wise.init(K)
    before = jax.tree.map(jax.typeof, state)
    for dtype in (jnp.bfloat16, jnp.float32):  # halves are exact in bfloat16
        state = step(state, jnp.asarray(LOGITS, dtype), LABELS)
        assert jax.tree.map(jax.typeof, state) == before
    np.testing.assert_array_equal(state.correct, 2 * CORRECT)
    abstract = jax.eval_shape(lambda: class_wise.init(K))
    assert jax.eval_shape(class_wise.update, abstract, LOGITS, LABELS) == abstract


@pytest.mark.parametrize(
    "kind",
    [pytest.param(AxisType.Auto, marks=pytest.mark.slow), AxisType.Explicit],
    ids=["auto", "explicit"],
)
def test_a_sharded_batch_counts_whole_and_keeps_the_states_layout(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    with jax.set_mesh(mesh):
        batch = jax.device_put((LOGITS, LABELS, WHERE), NamedSharding(mesh, P("data")))
        before = jax.device_put(class_wise.init(K), NamedSharding(mesh, P()))
        state = update(before, *batch[:2], where=batch[2])
        assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, before)
        per_example = jimb.take_class(class_wise.score(state), batch[1])
    assert all(x.sharding.is_fully_replicated for x in state)
    assert_counts(state, WHERE)
    expected = weights(*(np.bincount(LABELS[m], minlength=K) for m in (WHERE & RIGHT, WHERE)))
    np.testing.assert_allclose(per_example, expected[LABELS], rtol=1e-6)
    assert per_example.sharding.is_equivalent_to(NamedSharding(mesh, P("data")), 1)


# Read-outs.


@pytest.mark.parametrize("tau", [None, 0.0, 0.5, 1.0, 2.0])
def test_score_is_the_papers(tau):
    state = counts(CORRECT, TOTAL)
    assert len(set(CORRECT / TOTAL)) == K
    np.testing.assert_allclose(class_wise.accuracy(state), CORRECT / TOTAL, rtol=1e-7)
    for call in (class_wise.score, jax.jit(class_wise.score)):
        got = call(state, tau=tau)
        assert got.dtype == jnp.float32
        # Measured 3e-7 for the dynamic τ.
        np.testing.assert_allclose(got, weights(CORRECT, TOTAL, tau), rtol=5e-7)


@pytest.mark.parametrize(
    ("correct", "tau"),
    [
        ([50, 50, 50], 2 / (1 + np.exp(0.01 / 0.51))),  # even classes: 1, but for the 0.01
        ([100, 0, 50], 2.0),
        ([0, 0, 0], 1.0),  # all wrong: 1 for any τ
    ],
)
def test_the_dynamic_tau_follows_how_uneven_the_classes_are(correct, tau):
    expected = (1 - np.array(correct) / 100) ** tau
    np.testing.assert_allclose(class_wise.score(counts(correct, [100] * 3)), expected, rtol=5e-7)


def test_a_class_without_examples_is_unknown_and_counts_as_all_wrong():
    state = counts([90, 0, 60], [100, 0, 100])
    np.testing.assert_allclose(class_wise.accuracy(state), [0.9, np.nan, 0.6], rtol=1e-7)
    others = weights([90, 60], [100, 100])
    np.testing.assert_allclose(class_wise.score(state), [others[0], 1, others[1]], rtol=5e-7)
    np.testing.assert_allclose(class_wise.score(state, tau=2.0), [0.01, 1, 0.16], rtol=5e-7)
    np.testing.assert_array_equal(class_wise.score(class_wise.init(3)), np.ones(3))


def test_checkify_hears_of_a_class_without_examples():
    check = jax.jit(checkify.checkify(class_wise.score))
    assert "without held-out examples" in check(counts([90, 0], [100, 0]))[0].get()
    assert check(counts([90, 0], [100, 1]))[0].get() is None


def test_a_class_that_is_almost_all_right_keeps_its_weight():
    total = 30_000_001  # 1 - A in float32 would be 0
    got = class_wise.score(counts([total - 1, total - 3, 0], [total] * 3), tau=1.0)
    np.testing.assert_allclose(got, [1 / total, 3 / total, 1], rtol=2e-7)


def test_tau_under_vmap():
    taus = np.array([0.0, 0.5, 3.0], np.float32)
    got = jax.jit(jax.vmap(lambda t: class_wise.score(counts(CORRECT, TOTAL), tau=t)))(taus)
    expected = [weights(CORRECT, TOTAL, float(t)) for t in taus]
    np.testing.assert_allclose(got, expected, rtol=5e-7)


def test_no_gradient_flows():
    def total(logits, tau):
        state = class_wise.update(class_wise.init(K), logits, LABELS)
        weighed = class_wise.score(state, tau=tau) + class_wise.score(state)
        return jnp.sum(weighed + class_wise.accuracy(state))

    by_logits, by_tau = jax.jit(jax.grad(total, (0, 1)))(LOGITS, jnp.float32(0.5))
    np.testing.assert_array_equal(by_logits, np.zeros((N, K)))
    assert by_tau == 0


# Bad input.


def test_tau_is_a_scalar_of_zero_or_more():
    state = class_wise.init(3)
    for bad in (-1, -0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"tau must lie in \[0, inf\)"):
            class_wise.score(state, tau=bad)
    with pytest.raises(ValueError, match="tau must be a scalar"):
        class_wise.score(state, tau=np.ones(3))
    check = jax.jit(checkify.checkify(lambda t: class_wise.score(counts([0, 1], [1, 1]), tau=t)))
    for bad in (-1.0, np.nan):
        error, got = check(np.float32(bad))
        assert "tau must lie in [0, inf)" in error.get()
        assert np.isnan(got).all()


def test_labels_outside():
    logits = np.zeros((3, 2), np.float32)
    for bad in (-1, 2):
        with pytest.raises(ValueError, match=rf"labels must lie in \[0, 2\).*got {bad}"):
            class_wise.update(class_wise.init(2), logits, np.array([0, 1, bad]))
    check = jax.jit(checkify.checkify(lambda y: class_wise.update(class_wise.init(2), logits, y)))
    error, state = check(np.array([0, 2, -1]))
    assert "labels must lie in [0, 2)" in error.get()
    np.testing.assert_array_equal(state.total, [1, 0])
    np.testing.assert_array_equal(state.correct, [1, 0])


def test_a_count_beyond_int32_is_lost_and_says_so():
    full = counts([2**31 - 1, 5], [2**31 - 1, 9])
    logits, labels = np.array([[2.0, 0.0], [0.0, 2.0]], np.float32), np.array([0, 1], np.int32)
    error, state = jax.jit(checkify.checkify(class_wise.update))(full, logits, labels)
    assert "beyond 2**31 - 1, and its class's weight is NaN" in error.get()
    for _ in range(2):  # for good
        state = update(state, logits, labels)
        np.testing.assert_array_equal(state.total[0], -1)
        np.testing.assert_array_equal(np.isnan(class_wise.accuracy(state)), [True, False])
        np.testing.assert_array_equal(np.isnan(class_wise.score(state, tau=1.0)), [True, False])
        assert np.isnan(class_wise.score(state)).all()  # the default τ is of all classes
    np.testing.assert_array_equal([state.correct[1], state.total[1]], [8, 12])


def test_wrong_shapes_and_types_are_refused():
    state, labels = class_wise.init(K), np.zeros(4, np.int32)
    with pytest.raises(ValueError, match="logits have 3 classes, the state 5"):
        class_wise.update(state, np.zeros((4, 3), np.float32), labels)
    logits = np.zeros((4, K), np.float32)
    with pytest.raises(TypeError, match="logits must be floating point"):
        class_wise.update(state, np.zeros((4, K), np.int32), labels)
    with pytest.raises(TypeError, match="labels must be integers"):
        class_wise.update(state, logits, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="labels must have the shape"):
        class_wise.update(state, logits, labels[:3])
    with pytest.raises(TypeError, match="where must be boolean"):
        class_wise.update(state, logits, labels, where=np.ones(4))
    with pytest.raises(ValueError, match="where must have the shape"):
        class_wise.update(state, logits, labels, where=np.ones(3, bool))
    with pytest.raises(ValueError, match="num_classes must be at least 1"):
        class_wise.init(0)
