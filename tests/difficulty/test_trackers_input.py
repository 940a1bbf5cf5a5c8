"""What a tracker does with bad labels and positions outside, and what it refuses."""

import jax
import numpy as np
import pytest
from jax.experimental import checkify

from jimb.difficulty import last_loss
from tests.helpers.trackers_table import (
    ALL,
    BATCH,
    LABELS,
    SWEEPS,
    UPDATE,
    K,
    N,
    assert_equal,
    batches,
    read,
    swept,
    trackers,
    whole,
)


@trackers
@pytest.mark.parametrize("by_index", [False, True], ids=["whole", "batches"])
def test_a_bad_label_makes_its_own_score_nan_and_no_other(tracker, by_index):
    bad = np.isin(np.arange(N), [5, 9])
    labels = np.where(bad, [-1, K] * (N // 2), LABELS).astype(np.int32)

    def after(state, labels):
        if not by_index:
            return whole(tracker, state, SWEEPS[1], labels)
        for index, where in batches(np.random.default_rng(6), ALL[0]):
            rows = SWEEPS[1][index], labels[index]
            state = UPDATE[tracker.name](state, *rows, index=index, where=where)
        return state

    for before in (tracker.init(N), swept(tracker)):
        state, clean = after(before, labels), after(before, LABELS)
        for got, expected in zip(state, clean, strict=True):
            np.testing.assert_array_equal(np.asarray(got)[~bad], np.asarray(expected)[~bad])
        for name, got in read(tracker, state).items():
            if name not in state._fields:
                np.testing.assert_array_equal(np.isnan(got), bad, err_msg=name)
    # The last loss is of the last pass alone; sums stay NaN.
    score = tracker.module.score(whole(tracker, state, SWEEPS[2]))
    np.testing.assert_array_equal(np.isnan(score), bad & (tracker.module is not last_loss))


TWO = (np.zeros((2, K), np.float32), np.array([0, 0], np.int32))


@trackers
def test_checkify_hears_of_bad_labels_and_positions(tracker):
    checked = jax.jit(
        checkify.checkify(
            lambda y, i, m: tracker.module.update(tracker.init(3), TWO[0], y, index=i, where=m)
        )
    )
    good, both = np.array([0, K - 1]), np.ones(2, bool)
    assert checked(good, np.array([0, 1]), both)[0].get() is None
    for bad in (-1, K):
        error = checked(np.array([0, bad]), np.array([0, 1]), both)[0].get()
        assert f"labels must lie in [0, {K})" in error
    for bad in (-1, 3):
        error = checked(np.array([0, 1]), np.array([0, bad]), both)[0].get()
        assert "index must lie in [0, 3)" in error
    masked = checked(np.array([0, K]), np.array([0, 3]), np.array([True, False]))
    assert masked[0].get() is None


@trackers
def test_a_traced_index_outside_is_dropped_and_does_not_wrap(tracker):
    before = swept(tracker)
    index = np.arange(BATCH, dtype=np.int32)
    rows = SWEEPS[1][:BATCH], LABELS[:BATCH]
    expected = UPDATE[tracker.name](before, *rows, index=index, where=index < 12)
    index[12:] = [-1, -N, N, 2**31 - 1]
    state = UPDATE[tracker.name](before, *rows, index=index, where=index == index)
    assert_equal(state, expected, rtol=0)


@trackers
def test_a_host_index_must_hold_each_position_once_inside(tracker):
    update, state = tracker.module.update, tracker.init(3)
    for bad in (-1, 3, 2**32):
        with pytest.raises(ValueError, match=rf"index must lie in \[0, 3\).*got {bad}"):
            update(state, *TWO, index=np.array([0, bad]))
    for index in (np.array([1, 1]), [1, 1]):
        with pytest.raises(ValueError, match="index must hold each position once, got 1 more than"):
            update(state, *TWO, index=index)
        with pytest.raises(ValueError, match="index must hold each position once"):
            update(state, *TWO, index=index, where=[True, True])
        # Closed over, hence still on the host.
        jax.eval_shape(lambda i=index: update(state, *TWO, index=i, where=[True, False]))


@trackers
def test_update_refuses_what_does_not_fit(tracker):
    update, state = tracker.module.update, tracker.init(2)
    with pytest.raises(ValueError, match="the state has 2 examples"):
        update(state, np.zeros((3, K), np.float32), np.zeros(3, np.int32))
    with pytest.raises(ValueError, match=r"logits must be \[N, K\] or \[B, K\]"):
        update(state, np.zeros((1, 2, K), np.float32), np.zeros((1, 2), np.int32))
    with pytest.raises(TypeError, match="logits must be floating point"):
        update(state, np.zeros((2, K), np.int32), TWO[1])
    with pytest.raises(ValueError, match="labels must have the shape"):
        update(state, TWO[0], np.zeros(3, np.int32))
    with pytest.raises(TypeError, match="labels must be integers"):
        update(state, TWO[0], np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="index must have the shape"):
        update(state, *TWO, index=np.array([0]))
    with pytest.raises(TypeError, match="index must be integers"):
        update(state, *TWO, index=np.array([0.0, 1.0]))
    with pytest.raises(TypeError, match="where must be boolean"):
        update(state, *TWO, where=np.ones(2))
    with pytest.raises(ValueError, match="where must have the shape"):
        update(state, *TWO, where=np.ones(3, bool))
    with pytest.raises(ValueError, match="num_examples must lie in"):
        tracker.init(0)


def test_last_loss_needs_a_class():
    with pytest.raises(ValueError, match="num_classes must lie in"):
        last_loss.init(3, 0)
