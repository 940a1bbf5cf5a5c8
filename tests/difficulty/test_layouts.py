"""Inputs that lie on an Explicit mesh in different ways: laid out alike, and not refused."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb import difficulty
from jimb.mining import pool

N, K, B = 32, 4, 16
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (N, K)).astype(np.float32)
LABELS = RNG.integers(0, K, N).astype(np.int32)
WHERE = RNG.random(N) < 0.7
INDEX = RNG.permutation(N)[:B].astype(np.int32)
STATES = {
    "store": (difficulty, lambda: difficulty.init(N, K, dtype=jnp.float32)),
    "snapshot": (difficulty, lambda: difficulty.init(N, K, dtype=None)),
    "last_loss": (difficulty.last_loss, lambda: difficulty.last_loss.init(N, K)),
    "forgetting": (difficulty.forgetting, lambda: difficulty.forgetting.init(N)),
    "data_map": (difficulty.data_map, lambda: difficulty.data_map.init(N)),
    "class_wise": (difficulty.class_wise, lambda: difficulty.class_wise.init(K)),
}


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))


def inputs(name, by_index):
    rows = INDEX if by_index else slice(None)
    given = {"logits": LOGITS[rows], "labels": LABELS[rows], "where": WHERE[rows]}
    if by_index:
        given["index"] = INDEX
    if name == "snapshot":
        given["previous_logits"] = 0 * LOGITS[rows]
    return given


STATES_OF_ROWS = [name for name in STATES if name != "class_wise"]
CASES = [
    *itertools.product(STATES_OF_ROWS, (False, True), ["where"], (P("data"), P())),
    *itertools.product(["store"], (False, True), ["labels", "logits"], (P("data"), P())),
    *itertools.product(["store"], [True], ["index"], (P("data"), P())),
    *itertools.product(["class_wise"], [False], ["where", "labels", "logits"], [P()]),
]


SOME = [n if i % 8 == 0 else pytest.param(*n, marks=pytest.mark.slow) for i, n in enumerate(CASES)]


@pytest.mark.parametrize(("name", "by_index", "split", "kept"), SOME)
def test_any_of_them_may_be_split_alone(name, by_index, split, kept, mesh):
    module, init = STATES[name]
    given = inputs(name, by_index)
    expected = jax.jit(module.update)(init(), **given)
    with jax.set_mesh(mesh):
        laid_out = {
            key: jax.device_put(x, NamedSharding(mesh, P("data") if key == split else P()))
            for key, x in given.items()
        }
        state = jax.device_put(init(), NamedSharding(mesh, kept))
        new = jax.block_until_ready(jax.jit(module.update)(state, **laid_out))
        assert jax.tree.map(jax.typeof, new) == jax.tree.map(jax.typeof, state)
    for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(expected), strict=True):
        # The trackers' last bits may differ, as another shape vectorizes.
        tolerance = 0 if module is difficulty else 2e-7
        np.testing.assert_allclose(*(np.asarray(x, np.float64) for x in (a, b)), tolerance)


def test_read_outs_take_a_split_mask_and_split_labels(mesh):
    state = jax.jit(difficulty.update)(difficulty.init(N, K), LOGITS, LABELS)
    weights = jax.jit(difficulty.sampling_weights)
    prior = jax.jit(difficulty.class_prior, static_argnums=2)
    expected = weights(state, where=WHERE)
    shares = prior(expected, LABELS, K)
    with jax.set_mesh(mesh):
        split, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
        state = jax.device_put(state, whole)
        w = jax.block_until_ready(weights(state, where=jax.device_put(WHERE, split)))
        np.testing.assert_allclose(w, expected, rtol=2e-7)
        found = jax.block_until_ready(prior(w, jax.device_put(LABELS, split), K))
    np.testing.assert_allclose(found, shares, rtol=2e-7)


def test_psi_takes_split_logits_and_whole_labels(mesh):
    expected = jax.jit(difficulty.psi)(LOGITS, 2 * LOGITS, LABELS)
    with jax.set_mesh(mesh):
        split, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
        given = jax.device_put((LOGITS, 2 * LOGITS, LABELS), (split, whole, whole))
        found = jax.block_until_ready(jax.jit(difficulty.psi)(*given))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("split", ["examples", "where"])
def test_a_pool_takes_split_examples_or_a_split_mask(split, mesh):
    ids, where = np.arange(16, dtype=np.int32), np.arange(16) % 3 == 1
    with jax.set_mesh(mesh):
        rows, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
        state = jax.device_put(pool.init(jnp.int32(0), capacity=8, batch_size=4), whole)
        given = jax.device_put(
            (ids, where),
            (rows if split == "examples" else whole, rows if split == "where" else whole),
        )
        push = jax.jit(lambda state, ids, where: pool.push(state, ids, where=where))
        state, taken = jax.block_until_ready(push(state, *given))
    assert np.flatnonzero(taken).tolist() == [1, 4, 7, 10, 13]
    np.testing.assert_array_equal(state.examples[:5], [1, 4, 7, 10, 13])


def test_a_sweep_of_split_rows_asks_for_the_axis(mesh):
    def end_epoch(state, examples):
        return difficulty.sweep(
            state, lambda w, x: x * w, 1.0, examples=examples, labels=LABELS, chunk_size=8
        )

    with jax.set_mesh(mesh):
        split, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
        for layouts in ((split, whole), (whole, split), (split, split)):
            given = jax.device_put((difficulty.init(N, K), LOGITS), layouts)
            with pytest.raises(ValueError, match="pass mesh_axis='data', and each device sweeps"):
                jax.jit(end_epoch)(*given)
        jax.jit(end_epoch)(*jax.device_put((difficulty.init(N, K), LOGITS), whole))


def test_a_grid_takes_split_arguments(mesh):
    def loss(logits, labels, gamma):
        return jimb.weighted_mean(jimb.softmax_focal_loss(logits, labels, gamma=gamma))

    gammas = np.array([0.0, 1.0, 2.0], np.float32)
    expected = jimb.sweep(loss, {"gamma": gammas})(LOGITS, LABELS)
    with jax.set_mesh(mesh):
        rows = jax.device_put((LOGITS, LABELS), NamedSharding(mesh, P("data")))
        for batch_size in (None, 2):
            swept = jimb.sweep(loss, {"gamma": gammas}, batch_size=batch_size)
            found = jax.block_until_ready(swept(*rows))
            np.testing.assert_allclose(found, expected, rtol=1e-6)
