"""Valid input raises no alarm: no position outside for a masked row, and no NaN on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb import difficulty
from jimb.difficulty import class_wise, data_map, forgetting, last_loss
from jimb.mining import pool

N, K = 6, 3
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (N, K)).astype(np.float32)
LABELS = RNG.integers(0, K, N).astype(np.int32)
WHERE = np.array([True, False, True, True, False, True])
NONE = np.zeros(N, bool)
# What is masked may be anything.
JUNK = np.where(WHERE, LABELS, [9, -1, 9, -1, 9, 9]).astype(np.int32)
INDEX = np.array([4, 77, 0, 3, -5, 5], np.int32)

STORE, SNAPSHOT = difficulty.init(N, K), difficulty.init(N, K, dtype=None)
SEEN = difficulty.init(N, K)._replace(unlearned=jnp.arange(6.0), learned=jnp.ones(6))
WEIGHTS = np.where(WHERE, [1, 2, 3, 4, 5, 6], 0).astype(np.float32)
ACCURACIES = class_wise.ClassWiseState(jnp.array([1, 2, 0]), jnp.array([2, 2, 3]))
MAP = data_map.DataMapState(jnp.arange(6), jnp.full(6, 0.5), jnp.arange(6.0), jnp.arange(6) // 2)
EXAMPLE = {"a": jnp.float32(0), "b": jnp.zeros(2, jnp.int32)}
ROWS = {"a": jnp.arange(6.0), "b": jnp.ones((6, 2), jnp.int32)}
EMPTY = pool.init(EXAMPLE, capacity=4, batch_size=2)


def updated(module, state, **extra):
    def update(state, index, where):
        return module.update(state, LOGITS, JUNK, index=index, where=where, **extra)

    return [(update, (state, None, WHERE)), (update, (state, INDEX, WHERE))]


def swept(state, where):
    return difficulty.sweep(
        state,
        lambda scale, x: scale * x,
        2.0,
        examples=LOGITS,
        labels=JUNK,
        where=where,
        chunk_size=4,
    )


CALLS = [
    *updated(difficulty, STORE),
    *updated(difficulty, SNAPSHOT, previous_logits=0 * LOGITS),
    *updated(last_loss, last_loss.init(N, K)),
    *updated(forgetting, forgetting.init(N)),
    *updated(data_map, data_map.init(N)),
    (
        lambda state, where: difficulty.update(state, LOGITS, JUNK, index=INDEX, where=where),
        (STORE, NONE),
    ),
    (
        lambda state, where: class_wise.update(state, LOGITS, JUNK, where=where),
        (class_wise.init(K), WHERE),
    ),
    (swept, (STORE, WHERE)),
    (difficulty.psi, (LOGITS, 0 * LOGITS, LABELS)),
    (difficulty.score, (SEEN,)),
    (lambda state, where: difficulty.sampling_weights(state, where=where), (SEEN, WHERE)),
    (lambda state, where: difficulty.sampling_weights(state, where=where), (SEEN, NONE)),
    (lambda weights, labels: difficulty.class_prior(weights, labels, K), (WEIGHTS, JUNK)),
    (lambda weights, labels: difficulty.summarize_weights(weights, labels, K), (WEIGHTS, JUNK)),
    (last_loss.score, (last_loss.init(N, K),)),
    (forgetting.score, (forgetting.init(N),)),
    (data_map.score, (data_map.init(N),)),
    (data_map.score, (MAP,)),
    (class_wise.accuracy, (ACCURACIES,)),
    (class_wise.score, (ACCURACIES,)),
    (lambda state, rows, where: pool.push(state, rows, where=where), (EMPTY, ROWS, WHERE)),
    (lambda state, rows, where: pool.push(state, rows, where=where), (EMPTY, ROWS, NONE)),
    (pool.pop, (EMPTY,)),
    (pool.pop, (EMPTY._replace(size=jnp.int32(3)),)),
]


@pytest.mark.slow  # one call of each is in tests/test_alarms.py
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("number", range(len(CALLS)))
def test_no_alarm(number, compiled):
    fn, args = CALLS[number]
    args = jax.tree.map(jnp.asarray, args)
    checked = checkify.checkify(fn, errors=checkify.index_checks | checkify.user_checks)
    error, _ = (jax.jit(checked) if compiled else checked)(*args)
    assert error.get() is None
    with jax.debug_nans(True), jax.debug_infs(True):
        jax.block_until_ready((jax.jit(fn) if compiled else fn)(*args))


def test_index_checks_are_heard_at_all():
    table = jnp.zeros(3)
    error, _ = checkify.checkify(
        lambda i: table.at[i].set(1, mode="drop"), errors=checkify.index_checks
    )(jnp.array([3]))
    assert "out-of-bounds" in error.get()
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        jnp.log(jnp.full(2, -1.0))


@pytest.mark.parametrize("where", [WHERE, ~WHERE, NONE, ~NONE])
def test_only_what_is_kept_is_written(where):
    """Also where the rows that are left out name positions of rows that are not."""
    state = last_loss.LastLossState(jnp.arange(8.0))
    index = np.where(where, np.arange(N) + 1, 3).astype(np.int32)
    labels = np.where(where, LABELS, K).astype(np.int32)
    update = jax.jit(last_loss.update)
    new = update(state, LOGITS, labels, index=index, where=where)
    z = LOGITS.astype(np.float64)
    expected = np.arange(8.0)
    losses = np.log(np.exp(z).sum(-1)) - z[np.arange(N), LABELS]
    expected[1:7][where] = losses[where]
    np.testing.assert_allclose(new.losses, expected, rtol=1e-6)
