"""Sums, exponentials and logarithms that every program computes alike, and what comes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import difficulty
from jimb.difficulty import _ordered
from tests.helpers.compilation import as_users
from tests.helpers.difficulty_oracle import f64, oracle

RNG = np.random.default_rng(0)


def test_exp_is_right_to_float32s_rounding():
    x = np.concatenate([-RNG.uniform(0, 87, 100_000), -(10.0 ** RNG.uniform(-9, 0, 100_000))])
    x = x.astype(np.float32)
    got = f64(as_users(_ordered.exp)(x))
    assert np.max(np.abs(got / np.exp(f64(x)) - 1)) <= 1.2e-7  # measured 1.02e-7


def test_exp_of_what_float32_cannot_hold_is_zero():
    got = as_users(_ordered.exp)(jnp.array([-88.0, -1e3, -65504.0, 0.0, -0.0, jnp.nan]))
    np.testing.assert_array_equal(got, [0, 0, 0, 1, 1, np.nan])


def test_log_is_right_to_float32s_rounding():
    x = (2.0 ** RNG.uniform(0, 31, 100_000)).astype(np.float32)
    x[:2000] = 1 + np.arange(2000) * 2.0**-23
    got, expected = f64(as_users(_ordered.log)(x)), np.log(f64(x))
    assert np.max(np.abs(got - expected) / np.maximum(expected, 1e-3)) <= 2e-7  # measured 1.8e-7


@pytest.mark.parametrize("size", [1, 2, 3, 10, 16, 100, 1000])
@pytest.mark.parametrize("call", [as_users(_ordered.total), _ordered.total], ids=["jit", "eager"])
def test_a_total_adds_halves(size, call):
    """In this order and no other, where NumPy adds arrays in float32 one pair at a time."""
    x = RNG.lognormal(0, 3, (7, size)).astype(np.float32)
    halves = np.pad(x, ((0, 0), (0, 2 ** (size - 1).bit_length() - size)))
    while halves.shape[1] > 1:
        middle = halves.shape[1] // 2
        halves = halves[:, :middle] + halves[:, middle:]
    np.testing.assert_array_equal(call(jnp.asarray(x)), halves)


# The sums of one and the same row, in programs of all kinds.

ROWS = 64


def passes(num_classes):
    rng = np.random.default_rng(num_classes)
    logits = [rng.normal(0, s, (ROWS, num_classes)).astype(np.float32) for s in (1, 8, 100)]
    return logits, rng.integers(0, num_classes, ROWS).astype(np.int32)


def whole(update, state, z, y, extra):
    return update(state, z, y, **extra)


def by_row(update, state, z, y, extra):
    rows = (state, z, y, extra)
    one = jax.tree.map(lambda x: x[:, None], rows)

    def updated(rows):
        state, z, y, extra = rows
        return update(state, z, y, **extra)

    return jax.tree.map(lambda x: x[:, 0], jax.lax.map(updated, one))


def by_vmap(update, state, z, y, extra):
    blocks = jax.tree.map(lambda x: jnp.reshape(x, (4, 16, *x.shape[1:])), (state, z, y, extra))
    new = jax.vmap(lambda state, z, y, extra: update(state, z, y, **extra))(*blocks)
    return jax.tree.map(lambda x: x.reshape(ROWS, *x.shape[2:]), new)


def by_index(update, state, z, y, extra):
    order = np.random.default_rng(1).permutation(ROWS).astype(np.int32)
    for index in np.split(order, [5, 33]):
        some = {key: x[index] for key, x in extra.items()}
        state = update(state, jnp.asarray(z)[index], jnp.asarray(y)[index], index=index, **some)
    return state


def on_devices(update, state, z, y, extra):
    def own(state, z, y, extra):
        return update(state, z, y, **extra)

    return jax.shard_map(own, in_specs=P("data"), out_specs=P("data"))(state, z, y, extra)


def swept(layout, logits, labels, dtype, call=as_users, mesh=None):
    run = call(lambda *args: layout(difficulty.update, *args))
    state, before = difficulty.init(ROWS, logits[0].shape[1], dtype=dtype), 0 * logits[0]
    for z in logits:
        given = (state, z, labels, {} if dtype is not None else {"previous_logits": before})
        if mesh is not None:
            given = jax.device_put(given, NamedSharding(mesh, P("data")))
        state, before = jax.block_until_ready(run(*given)), z
    return jax.tree.map(np.asarray, state)


STORES = [(100, jnp.float32)]
MORE = [(3, jnp.float16), (3, jnp.float32), (3, None), (100, jnp.float16), (100, None)]
MORE = [pytest.param(*row, marks=pytest.mark.slow) for row in MORE]


@pytest.mark.slow
@pytest.mark.parametrize(("num_classes", "dtype"), STORES + MORE)
def test_sums_are_the_same_bits_in_every_program(num_classes, dtype):
    logits, labels = passes(num_classes)
    expected = swept(whole, logits, labels, dtype)
    found = {layout: swept(layout, logits, labels, dtype) for layout in (by_row, by_vmap, by_index)}
    found["eager"] = swept(whole, logits, labels, dtype, call=lambda fn: fn)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
        with jax.set_mesh(mesh):
            found[whole, kind] = swept(whole, logits, labels, dtype, mesh=mesh)
            found[on_devices, kind] = swept(on_devices, logits, labels, dtype, mesh=mesh)
    for name, state in found.items():
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=str(name))


@pytest.mark.parametrize("num_classes", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_sampling_weights_of_sixty_passes_are_those_of_float64(num_classes):
    rows = 2000
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(0, num_classes, rows).astype(np.int32)
    state = difficulty.init(rows, num_classes, dtype=jnp.float32)
    update = as_users(difficulty.update, donate_argnames="state")
    z = before = np.zeros((rows, num_classes), np.float32)
    sums = np.zeros((2, rows))
    for step in range(60):
        noise = rng.normal(0, (0.3, 3, 10)[step % 3], z.shape)
        z = (0.9 * z + noise).astype(np.float32)
        state = update(state, z, labels)
        sums += oracle(z, before, labels)
        before = z
    for c in (1.0, 0.1):
        weights = (c + sums[0]) / (c + sums[1])
        expected = weights / weights.sum()
        found = f64(difficulty.sampling_weights(state, pseudocount=c))
        assert np.max(np.abs(found / expected - 1)) <= 1.0e-6  # measured 0.79e-6
