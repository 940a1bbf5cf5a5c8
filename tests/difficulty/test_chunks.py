"""A data set that an update goes through in chunks: the same sums, in place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import difficulty
from jimb.difficulty import _chunks
from tests.helpers.difficulty_oracle import PSI_OF_SWEEPS, f64, oracle_sums

# Two chunks and a rest, as _chunks.py cuts rows of 16 classes.
NUM_CLASSES = 16
NUM_EXAMPLES = 2 * (_chunks._CHUNK // NUM_CLASSES) + 1234
RNG = np.random.default_rng(0)
SWEEPS = [
    RNG.normal(0, scale, (NUM_EXAMPLES, NUM_CLASSES)).astype(np.float32) for scale in (1, 3, 8)
]
LABELS = RNG.integers(0, NUM_CLASSES, NUM_EXAMPLES).astype(np.int32)
WHERE = RNG.random(NUM_EXAMPLES) < 0.9

update = jax.jit(difficulty.update, donate_argnames="state")


def after_sweeps(dtype, labels=LABELS, where=None):
    state = difficulty.init(NUM_EXAMPLES, NUM_CLASSES, dtype=dtype)
    previous = np.zeros_like(SWEEPS[0])
    for logits in SWEEPS:
        extra = {} if dtype is not None else {"previous_logits": previous}
        state = update(state, logits, labels, where=where, **extra)
        previous = logits
    return state


@pytest.mark.parametrize("dtype", [jnp.float32, None])
def test_sums_are_the_papers(dtype):
    state = after_sweeps(dtype)
    unlearned, learned = oracle_sums(SWEEPS, LABELS)
    size = 1 + unlearned + learned
    assert np.max(np.abs(f64(state.unlearned) - unlearned) / size) <= PSI_OF_SWEEPS
    assert np.max(np.abs(f64(state.learned) - learned) / size) <= PSI_OF_SWEEPS


def test_rows_are_those_of_a_small_data_set():
    """Chunks, the rest behind them, and a mask: all as if the rows stood alone."""
    bad = np.where(np.arange(NUM_EXAMPLES) % 5000 == 7, NUM_CLASSES, LABELS).astype(np.int32)
    state = after_sweeps(jnp.float32, bad, WHERE)
    rows = np.r_[0:100, 32_700:32_800, 65_500:65_600, NUM_EXAMPLES - 100 : NUM_EXAMPLES]
    some = difficulty.init(len(rows), NUM_CLASSES, dtype=jnp.float32)
    for logits in SWEEPS:
        some = update(some, logits[rows], bad[rows], where=WHERE[rows])
    for got, expected in zip(state, some, strict=True):
        np.testing.assert_array_equal(np.asarray(got)[rows], expected)
    np.testing.assert_array_equal(np.asarray(state.unlearned)[~WHERE], 0)
    np.testing.assert_array_equal(np.asarray(state.log_probs)[~WHERE], 0)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32])
def test_no_array_of_the_data_sets_size_is_made(dtype):
    state = jax.eval_shape(lambda: difficulty.init(10**6, 100, dtype=dtype))
    logits = jax.ShapeDtypeStruct((10**6, 100), jnp.float32)
    labels = jax.ShapeDtypeStruct((10**6,), jnp.int32)
    memory = update.lower(state, logits, labels).compile().memory_analysis()
    # A few chunks, and the labels; the logits have 400 MB.
    assert memory.temp_size_in_bytes <= 20 * 2**20
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert memory.alias_size_in_bytes == held


def test_rows_over_another_axis_than_that_of_shard_map_are_not_cut(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK", NUM_CLASSES)
    mesh = jax.make_mesh((2, 4), ("outer", "rows"), axis_types=(AxisType.Explicit,) * 2)
    values = np.arange(64.0, dtype=np.float32)

    def doubled(x):
        return _chunks.in_chunks(lambda x: 2 * x, x, width=NUM_CLASSES, num_rows=64)

    with jax.set_mesh(mesh):
        split = jax.device_put(values, NamedSharding(mesh, P("rows")))
        over_outer = jax.shard_map(doubled, in_specs=P(), out_specs=P(), axis_names={"outer"})
        np.testing.assert_array_equal(jax.jit(over_outer)(split), 2 * values)
