"""The state that carries difficulty over sweeps: its sums, its stores and its types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb import difficulty
from jimb.difficulty import _instance
from tests.helpers.difficulty_oracle import (
    LABELS,
    PSI,
    PSI_OF_SWEEPS,
    SWEEPS,
    K,
    N,
    f64,
    oracle,
    oracle_sums,
    swept,
    update,
)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.bfloat16, None])
def test_a_new_state_has_seen_nothing_and_fits_eval_shape(dtype):
    state = difficulty.init(N, K, dtype=dtype)
    for sums in (state.unlearned, state.learned):
        assert sums.dtype == jnp.float32
        np.testing.assert_array_equal(sums, np.zeros(N))
    if dtype is None:
        assert state.log_probs is None
    else:
        assert state.log_probs.shape == (N, K)
        assert state.log_probs.dtype == dtype
    abstract = jax.eval_shape(lambda: difficulty.init(N, K, dtype=dtype))
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(abstract)] == [
        (x.shape, x.dtype) for x in jax.tree.leaves(state)
    ]


def test_the_default_store_is_float16():
    assert difficulty.init(2, 3).log_probs.dtype == jnp.float16


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.bfloat16, None])
def test_bits_do_not_matter_for_large_stores_of_half_precision_alone(dtype, monkeypatch):
    stored, logits = difficulty.init(N, K, dtype=dtype).log_probs, jnp.asarray(SWEEPS[0])
    for large in (N * K, N * K + 1):
        monkeypatch.setattr(_instance, "_LARGE", large)
        quick = large == N * K and dtype in (jnp.float16, jnp.bfloat16)
        assert _instance._bits_do_not_matter(stored, logits) == quick


def test_a_large_store_of_half_precision_has_the_papers_sums(monkeypatch):
    monkeypatch.setattr(_instance, "_LARGE", 1)
    state = difficulty.init(N, K)
    for logits in SWEEPS:
        state = difficulty.update(state, logits, LABELS)
    for sums, expected in zip(state[:2], oracle_sums(SWEEPS), strict=True):
        np.testing.assert_allclose(sums, expected, rtol=2e-3, atol=2e-3)


def test_sums_over_sweeps_are_the_papers():
    state = swept(jnp.float32)
    expected_unlearned, expected_learned = oracle_sums(SWEEPS)
    size = 1 + expected_unlearned + expected_learned
    assert np.max(np.abs(f64(state.unlearned) - expected_unlearned) / size) <= PSI_OF_SWEEPS
    assert np.max(np.abs(f64(state.learned) - expected_learned) / size) <= PSI_OF_SWEEPS


@pytest.mark.parametrize(
    "dtype", [pytest.param(jnp.float32, marks=pytest.mark.slow), jnp.float16, None]
)
def test_order_and_padding_are_inert(dtype):
    rng, size = np.random.default_rng(1), 96
    state = difficulty.init(N, K, dtype=dtype)
    whole = difficulty.init(N, K, dtype=dtype)
    previous = np.zeros((N, K), np.float32)
    for logits in SWEEPS:
        extra = {} if dtype is not None else {"previous_logits": previous}
        whole = update(whole, logits, LABELS, **extra)
        order = np.concatenate([rng.permutation(N), rng.integers(0, N, -N % size)])
        real = np.arange(len(order)) < N
        for i in range(0, len(order), size):
            index, where = order[i : i + size].astype(np.int32), real[i : i + size]
            chunk = np.where(where[:, None], logits[index], np.nan).astype(np.float32)
            extra = {} if dtype is not None else {"previous_logits": previous[index]}
            state = update(state, chunk, LABELS[index], index=index, where=where, **extra)
        previous = logits
    for got, expected in zip(jax.tree.leaves(state), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_an_unseen_example_moves_from_the_exact_uniform_prediction():
    for dtype in (jnp.float32, jnp.float16):
        new = difficulty.init(N, K, dtype=dtype)
        garbage = new._replace(log_probs=jnp.full((N, K), jnp.nan, dtype))
        first, poisoned = (update(s, SWEEPS[2], LABELS) for s in (new, garbage))
        for got, other in zip(first, poisoned, strict=True):
            np.testing.assert_array_equal(got, other)
        unlearned, learned = oracle(SWEEPS[2], np.zeros((N, K)), LABELS)
        size = 1 + unlearned + learned
        assert np.max(np.abs(f64(first.unlearned) - unlearned) / size) <= PSI
        assert np.max(np.abs(f64(first.learned) - learned) / size) <= PSI


def test_an_example_first_seen_late_moves_from_the_uniform_prediction():
    late = np.arange(N) % 2 == 0
    state = update(difficulty.init(N, K, dtype=jnp.float32), SWEEPS[0], LABELS, where=~late)
    np.testing.assert_array_equal(np.asarray(state.unlearned)[late], 0)
    state = update(state, SWEEPS[1], LABELS)
    for sums, once, twice in zip(
        state[:2], oracle_sums(SWEEPS[1:2]), oracle_sums(SWEEPS[:2]), strict=True
    ):
        np.testing.assert_allclose(sums, np.where(late, once, twice), rtol=1e-6, atol=1e-6)


def test_a_float16_store_moves_the_sampling_weights_by_less_than_a_thousandth():
    exact, half = (difficulty.sampling_weights(swept(d)) for d in (jnp.float32, jnp.float16))
    assert 0.5 * np.abs(f64(exact) - f64(half)).sum() < 1e-4  # measured 6e-5


def test_a_float16_store_never_holds_infinities():
    logits = np.where(np.arange(K) == 0, np.float32(1e6), SWEEPS[0])
    state = update(difficulty.init(N, K), logits, LABELS)
    assert np.isfinite(f64(state.log_probs)).all()
    state = update(state, -logits, LABELS)
    assert all(np.isfinite(f64(x)).all() for x in state)


def test_snapshot_mode_equals_a_float32_store():
    state, previous = difficulty.init(N, K, dtype=None), np.zeros((N, K), np.float32)
    for logits in SWEEPS:
        state = update(state, logits, LABELS, previous_logits=previous)
        previous = logits
    assert state.log_probs is None
    stored = swept(jnp.float32)
    np.testing.assert_array_equal(state.unlearned, stored.unlearned)
    np.testing.assert_array_equal(state.learned, stored.learned)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
@pytest.mark.parametrize("by_index", [False, True])
def test_update_keeps_types_shapes_and_dtypes_under_donation(dtype, by_index):
    traces = []

    @jax.jit(donate_argnames="state")
    def step(state, logits, labels, index):
        traces.append(1)
        return difficulty.update(state, logits, labels, index=index)

    rows = np.arange(N, dtype=np.int32)[::-1]
    state = difficulty.init(N, K, dtype=dtype)
    before = jax.tree.map(jax.typeof, state)
    for logits in SWEEPS[:3]:
        given = (logits[rows], LABELS[rows]) if by_index else (logits, LABELS)
        state = step(state, *given, rows if by_index else None)
        assert jax.tree.map(jax.typeof, state) == before
    assert len(traces) == 1
    for sums, expected in zip(state[:2], oracle_sums(SWEEPS[:3]), strict=True):
        np.testing.assert_allclose(sums, expected, rtol=2e-3, atol=2e-3)


def test_half_precision_logits_keep_the_state():
    before = difficulty.init(N, K)
    after = update(before, jnp.asarray(SWEEPS[0], jnp.bfloat16), LABELS)
    assert jax.tree.map(jax.typeof, after) == jax.tree.map(jax.typeof, before)


def test_float64_logits_keep_the_state():
    with jax.enable_x64(True):
        before = difficulty.init(N, K)
        for index in (None, np.arange(N)):
            after = update(before, f64(SWEEPS[0]), LABELS, index=index)
            assert jax.tree.map(jax.typeof, after) == jax.tree.map(jax.typeof, before)


def test_update_under_scan_equals_a_loop():
    order = np.random.default_rng(2).permutation(N).reshape(6, 50).astype(np.int32)

    @jax.jit
    def sweep(state, logits):
        def step(state, index):
            z, y = jnp.asarray(logits)[index], jnp.asarray(LABELS)[index]
            return difficulty.update(state, z, y, index=index), None

        return jax.lax.scan(step, state, order)[0]

    state = difficulty.init(N, K, dtype=jnp.float32)
    for logits in SWEEPS:
        state = sweep(state, logits)
    for got, expected in zip(state, swept(jnp.float32), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_update_under_vmap_over_models():
    stacked = np.stack(SWEEPS)
    init = difficulty.init(N, K, dtype=jnp.float32)
    states = jax.jit(jax.vmap(difficulty.update, (None, 0, None)))(init, stacked, LABELS)
    for i, logits in enumerate(SWEEPS):
        one = update(init, logits, LABELS)
        for got, expected in zip(states, one, strict=True):
            np.testing.assert_allclose(got[i], expected, rtol=1e-6, atol=1e-6)


def test_gradients_through_everything_are_zero():
    previous, labels = jnp.asarray(SWEEPS[1][:20]), jnp.asarray(LABELS[:20])
    new = difficulty.init(20, K, dtype=jnp.float32)

    def readings(logits):
        stored = difficulty.update(difficulty.update(new, previous, labels), logits, labels)
        snapshot = difficulty.update(
            new._replace(log_probs=None), previous, labels, previous_logits=logits
        )
        total = sum(x.sum() for x in (*stored, *difficulty.psi(logits, previous, labels)))
        total += sum(x.sum() for x in difficulty.psi(previous, logits, labels))
        for state in (stored, snapshot):
            w = difficulty.sampling_weights(state)
            total += (w**2).sum() + difficulty.score(state).sum()
        return total

    np.testing.assert_array_equal(jax.jit(jax.grad(readings))(jnp.asarray(SWEEPS[0][:20])), 0)
