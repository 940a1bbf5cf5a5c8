"""What an update does with masks, bad labels and positions outside, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb import difficulty
from tests.helpers.difficulty_oracle import LABELS, SWEEPS, K, N, f64, swept, update

TWO = (np.array([[2.0, 0.0], [0.0, 1.0]], np.float32), np.array([0, 0], np.int32))
checked_update = jax.jit(checkify.checkify(lambda s, i: difficulty.update(s, *TWO, index=i)))


@pytest.mark.parametrize("by_index", [False, True])
def test_where_leaves_examples_as_they_were(by_index):
    before = swept(jnp.float16, SWEEPS[:1])
    where = np.arange(N) % 3 == 0
    logits = np.where(where[:, None], SWEEPS[1], np.nan).astype(np.float32)
    labels = np.where(where, LABELS, -1)
    index = np.arange(N, dtype=np.int32) if by_index else None
    after = update(before, logits, labels, index=index, where=where)
    full = swept(jnp.float16, SWEEPS[:2])
    for old, new, expected in zip(before, after, full, strict=True):
        np.testing.assert_array_equal(np.asarray(new)[~where], np.asarray(old)[~where])
        np.testing.assert_allclose(f64(new)[where], f64(expected)[where], rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("by_index", [False, True])
def test_a_bad_label_makes_its_own_sums_nan_and_no_others(by_index):
    labels = LABELS.copy()
    labels[[5, 9]] = [-1, K]
    index = np.arange(N, dtype=np.int32) if by_index else None
    new = difficulty.init(N, K, dtype=jnp.float32)
    state, clean = (update(new, SWEEPS[1], y, index=index) for y in (labels, LABELS))
    bad = np.isin(np.arange(N), [5, 9])
    for got, expected in zip(state[:2], clean[:2], strict=True):
        np.testing.assert_array_equal(np.isnan(got), bad)
        np.testing.assert_array_equal(np.asarray(got)[~bad], np.asarray(expected)[~bad])


@pytest.mark.parametrize("bad", [-1, 3, 2**32])
def test_a_host_index_outside_raises(bad):
    with pytest.raises(ValueError, match=rf"index must lie in \[0, 3\).*got {bad}"):
        difficulty.update(difficulty.init(3, 2), *TWO, index=np.array([0, bad]))


def test_a_masked_host_index_may_lie_outside():
    # The index is closed over, hence still a host array under jit.
    index, where = np.array([1, 99]), np.array([True, False])
    state = jax.jit(lambda s: difficulty.update(s, *TWO, index=index, where=where))(
        difficulty.init(3, 2)
    )
    np.testing.assert_array_equal(np.asarray(state.learned) > 0, [False, True, False])


@pytest.mark.parametrize("bad", [-1, -3, 3, 2**31 - 1])
def test_a_traced_index_outside_is_dropped_with_a_message_and_does_not_wrap(bad):
    new = difficulty.init(3, 2)
    state = update(new, *TWO, index=jnp.array([1, bad]))
    np.testing.assert_array_equal(np.asarray(state.learned) > 0, [False, True, False])
    np.testing.assert_array_equal(np.asarray(state.unlearned), 0)
    np.testing.assert_array_equal(np.asarray(state.log_probs)[[0, 2]], 0)
    error, _ = checked_update(new, jnp.array([1, bad]))
    assert "index must lie in [0, 3)" in error.get()


def test_a_repeated_host_position_raises_and_a_masked_one_does_not():
    state = difficulty.init(3, 2)
    with pytest.raises(ValueError, match="index must hold each position once, got 1 more than"):
        difficulty.update(state, *TWO, index=np.array([1, 1]))
    where = np.array([True, False])
    after = difficulty.update(state, *TWO, index=[1, 1], where=where)
    np.testing.assert_array_equal(np.asarray(after.learned) > 0, [False, True, False])


def test_a_repeated_traced_position_leaves_a_message():
    state = difficulty.init(3, 2)
    error, _ = checked_update(state, jnp.array([1, 1]))
    assert "index must hold each position once" in error.get()
    error, _ = checked_update(state, jnp.array([1, 2]))
    assert error.get() is None
    many = jax.jit(checkify.checkify(jax.vmap(lambda i: difficulty.update(state, *TWO, index=i))))
    assert many(jnp.array([[0, 1], [2, 1]]))[0].get() is None
    assert "once" in many(jnp.array([[0, 1], [2, 2]]))[0].get()


def test_update_refuses_what_does_not_fit():
    state, (logits, labels) = difficulty.init(2, 2), TWO
    snapshot = difficulty.init(2, 2, dtype=None)
    with pytest.raises(ValueError, match="needs previous_logits"):
        difficulty.update(snapshot, logits, labels)
    with pytest.raises(ValueError, match="leave previous_logits out"):
        difficulty.update(state, logits, labels, previous_logits=logits)
    with pytest.raises(ValueError, match="previous_logits must have the shape"):
        difficulty.update(snapshot, logits, labels, previous_logits=jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 classes, the state 3"):
        difficulty.update(difficulty.init(2, 3), logits, labels)
    with pytest.raises(ValueError, match="the state has 5 examples"):
        difficulty.update(difficulty.init(5, 2), logits, labels)
    with pytest.raises(ValueError, match=r"logits must be \[N, K\]"):
        difficulty.update(state, jnp.zeros((1, 2, 2)), jnp.zeros((1, 2), jnp.int32))
    with pytest.raises(ValueError, match="index must have the shape"):
        difficulty.update(state, logits, labels, index=jnp.array([0]))
    with pytest.raises(TypeError, match="index must be integers"):
        difficulty.update(state, logits, labels, index=jnp.array([0.0, 1.0]))
    with pytest.raises(TypeError, match="where must be boolean"):
        difficulty.update(state, logits, labels, where=jnp.ones(2))
    with pytest.raises(ValueError, match="where must have the shape"):
        difficulty.update(state, logits, labels, where=jnp.ones(3, bool))


def test_init_refuses_what_makes_no_sense():
    for shape in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            difficulty.init(*shape)
    for dtype in (jnp.int32, jnp.float8_e4m3fn):
        with pytest.raises(TypeError, match="float of 16 bits or more"):
            difficulty.init(3, 3, dtype=dtype)
