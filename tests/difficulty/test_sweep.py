"""The pass in chunks: what one update with all logits gives, on one device and on eight."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import difficulty
from tests.helpers.difficulty_oracle import f64, oracle_sums

K = 4
RNG = np.random.default_rng(0)
# Multiples of 2⁻⁸: the model's sums are exact, in whatever order a program adds.
EXAMPLES = {
    "x": RNG.integers(-48, 48, (1003, 5)).astype(np.float32) / 16,
    "shift": RNG.integers(-16, 16, 1003).astype(np.float32) / 16,
}
LABELS = RNG.integers(0, K, 1003).astype(np.int32)
PASSES = [scale * RNG.integers(-32, 32, (5, K)).astype(np.float32) / 16 for scale in (1, 2, 4)]
STORES = pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, None])


def apply(params, batch):
    return batch["x"] @ params + batch["shift"][:, None] * params[:1]


def some(num_examples):
    return {name: x[:num_examples] for name, x in EXAMPLES.items()}, LABELS[:num_examples]


def all_logits(num_examples):
    examples, _ = some(num_examples)
    return [np.asarray(apply(jnp.asarray(params), examples)) for params in PASSES]


@functools.cache
def swept(num_examples, dtype, chunk_size=48, mesh_axis=None, masked=False):
    """The state after all passes, and how often the sweep was traced."""
    traces = []

    @jax.jit(donate_argnames="state")
    def end_epoch(state, params, previous, examples, labels):
        traces.append(1)
        return difficulty.sweep(
            state,
            apply,
            params,
            examples=examples,
            labels=labels,
            where=np.arange(num_examples) % 3 > 0 if masked else None,
            previous_params=previous,
            chunk_size=chunk_size,
            mesh_axis=mesh_axis,
        )

    state, previous = difficulty.init(num_examples, K, dtype=dtype), 0 * PASSES[0]
    data = some(num_examples)
    params = [previous, *PASSES]
    if mesh_axis is not None:
        mesh = jax.sharding.get_mesh()
        rows = P(mesh_axis) if num_examples % mesh.size == 0 else P()
        state, data = jax.device_put((state, data), NamedSharding(mesh, rows))
        params = jax.device_put(params, NamedSharding(mesh, P()))
    for before, now in itertools.pairwise(params):
        state = end_epoch(state, now, before if dtype is None else None, *data)
    assert len(traces) == 1
    return state


@STORES
@pytest.mark.parametrize("num_examples", [1003, 48, 7])
def test_a_sweep_is_one_update_with_all_logits(num_examples, dtype):
    state = swept(num_examples, dtype)
    unlearned, learned = oracle_sums(all_logits(num_examples), LABELS[:num_examples])
    size = 1 + unlearned + learned
    bound = 5e-4 if dtype == jnp.float16 else 1.8e-7  # measured 3.5e-4 and 1.4e-7
    assert np.max(np.abs(f64(state.unlearned) - unlearned) / size) <= bound
    assert np.max(np.abs(f64(state.learned) - learned) / size) <= bound


@STORES
@pytest.mark.parametrize("chunk_size", [1, pytest.param(7, marks=pytest.mark.slow), 100, 5000])
def test_chunks_of_any_size_give_the_same_bits(chunk_size, dtype):
    one, other = swept(1003, dtype), swept(1003, dtype, chunk_size)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("kind", "num_examples"),
    [
        (AxisType.Explicit, 1003),
        pytest.param(AxisType.Explicit, 1000, marks=pytest.mark.slow),
        pytest.param(AxisType.Auto, 1000, marks=pytest.mark.slow),
        pytest.param(AxisType.Auto, 1003, marks=pytest.mark.slow),
    ],
)
@STORES
def test_eight_devices_give_the_bits_of_one(dtype, kind, num_examples):
    expected = swept(num_examples, dtype)
    with jax.set_mesh(jax.make_mesh((8,), ("data",), axis_types=(kind,))):
        state = swept.__wrapped__(num_examples, dtype, mesh_axis="data")
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
        spread = not a.sharding.is_fully_replicated
        assert spread == (num_examples % 8 == 0)


def test_what_where_leaves_out_stays_as_it_was():
    state, full = swept(1003, jnp.float32, masked=True), swept(1003, jnp.float32)
    kept = np.arange(1003) % 3 > 0
    for a, b in zip(state, full, strict=True):
        np.testing.assert_array_equal(np.asarray(a)[kept], np.asarray(b)[kept])
        np.testing.assert_array_equal(np.asarray(a)[~kept], 0)


def test_a_sweep_of_a_tracker():
    examples, labels = some(1003)

    @jax.jit
    def sweep(state, params):
        update = difficulty.last_loss.update
        return difficulty.sweep(
            state, apply, params, examples=examples, labels=labels, update=update, chunk_size=48
        )

    state = sweep(difficulty.last_loss.init(1003, K), PASSES[0])
    z = f64(all_logits(1003)[0])
    expected = np.log(np.exp(z).sum(-1)) - z[np.arange(1003), labels]
    np.testing.assert_allclose(state.losses, expected, rtol=1e-6, atol=1e-6)


def test_no_array_of_logits_is_made():
    num_examples, num_classes = 2**17, 1000
    examples = jax.ShapeDtypeStruct((num_examples, 8), jnp.float32)
    labels = jax.ShapeDtypeStruct((num_examples,), jnp.int32)
    params = jax.ShapeDtypeStruct((8, num_classes), jnp.float32)
    state = jax.eval_shape(lambda: difficulty.init(num_examples, num_classes))

    @jax.jit(donate_argnames="state")
    def sweep(state, params, examples, labels):
        apply = jnp.matmul
        return difficulty.sweep(
            state, lambda w, x: apply(x, w), params, examples=examples, labels=labels
        )

    memory = sweep.lower(state, params, examples, labels).compile().memory_analysis()
    # A few chunks of 4 MB; the logits have 524 MB, the state 263 MB.
    assert memory.temp_size_in_bytes <= 24 * 2**20
    assert memory.alias_size_in_bytes == sum(
        x.size * x.dtype.itemsize for x in jax.tree.leaves(state)
    )


def test_bad_input_is_refused():
    examples, labels = some(10)
    state = difficulty.init(10, K)
    sweep = functools.partial(difficulty.sweep, state, apply, PASSES[0])
    with pytest.raises(ValueError, match="chunk_size must lie in"):
        sweep(examples=examples, labels=labels, chunk_size=0)
    with pytest.raises(ValueError, match="mesh_axis='data' is no axis of the mesh in context"):
        sweep(examples=examples, labels=labels, mesh_axis="data")
    with pytest.raises(ValueError, match="examples must have the state's 10 examples"):
        sweep(examples=some(9)[0], labels=labels)
    with pytest.raises(ValueError, match="labels must have the shape"):
        sweep(examples=examples, labels=labels[:9])
    with pytest.raises(ValueError, match="where must have the shape"):
        sweep(examples=examples, labels=labels, where=np.ones(9, bool))
    with pytest.raises(ValueError, match="leave previous_logits out"):
        sweep(examples=examples, labels=labels, previous_params=PASSES[0])
    with pytest.raises(ValueError, match="needs previous_logits"):
        difficulty.sweep(
            difficulty.init(10, K, dtype=None), apply, PASSES[0], examples=examples, labels=labels
        )
