"""Trackers over split data sets and batches, on Auto and Explicit meshes."""

import re

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.helpers.trackers_table import (
    LABELS,
    SEEN,
    SWEEPS,
    UPDATE,
    N,
    assert_agrees,
    batches,
    by_hand,
    trackers,
)


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return jax.make_mesh((8,), ("data",), axis_types=(request.param,))


def split(mesh, tree):
    """Every array split over the devices along its first axis."""
    return jax.device_put(tree, NamedSharding(mesh, P("data")))


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(AxisType.Auto, id="auto", marks=pytest.mark.slow),
        pytest.param(AxisType.Explicit, id="explicit"),
    ],
    indirect=True,
)
@trackers
def test_a_sharded_data_set_is_updated_without_communication(tracker, mesh):
    with jax.set_mesh(mesh):
        state = split(mesh, tracker.init(N))
        before = jax.tree.map(jax.typeof, state)
        batch = split(mesh, (SWEEPS[0], LABELS))
        program = UPDATE[tracker.name].lower(state, *batch, where=split(mesh, SEEN[0])).compile()
        for z, seen in zip(SWEEPS, SEEN, strict=True):
            state = program(state, *split(mesh, (z, LABELS)), where=split(mesh, seen))
            jax.block_until_ready(state)
            assert jax.tree.map(jax.typeof, state) == before
        scores = tracker.module.score(state)
    for array in (*state, scores):
        assert array.sharding.is_equivalent_to(NamedSharding(mesh, P("data")), 1)
    assert not re.search("all-|collective|permute", program.as_text())
    assert_agrees(tracker, state, by_hand(tracker, seen=SEEN))


@trackers
@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        pytest.param(AxisType.Auto, P("data"), marks=pytest.mark.slow),
        (AxisType.Explicit, P("data")),
        pytest.param(AxisType.Explicit, P(), marks=pytest.mark.slow),
    ],
    ids=["auto-split", "explicit-split", "explicit-everywhere"],
)
def test_sharded_batches_update_a_state_that_keeps_its_layout(tracker, kind, layout):
    mesh, rng = jax.make_mesh((8,), ("data",), axis_types=(kind,)), np.random.default_rng(4)
    with jax.set_mesh(mesh):
        state = jax.device_put(tracker.init(N), NamedSharding(mesh, layout))
        before = jax.tree.map(jax.typeof, state)
        for z, seen in zip(SWEEPS, SEEN, strict=True):
            for batch in batches(rng, seen):
                index, where = split(mesh, batch)
                rows = split(mesh, (z[batch[0]], LABELS[batch[0]]))
                state = UPDATE[tracker.name](state, *rows, index=index, where=where)
                jax.block_until_ready(state)  # many collectives in flight would starve the CPU
                assert jax.tree.map(jax.typeof, state) == before
    for array in state:
        assert array.sharding.is_equivalent_to(NamedSharding(mesh, layout), 1)
    assert_agrees(tracker, state, by_hand(tracker, seen=SEEN))


@trackers
def test_each_device_may_update_its_slice_in_shard_map(tracker, mesh):
    update = jax.jit(
        jax.shard_map(tracker.module.update, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    )
    with jax.set_mesh(mesh):
        state = split(mesh, tracker.init(N))
        for z in SWEEPS:
            state = jax.block_until_ready(update(state, *split(mesh, (z, LABELS))))
    assert_agrees(tracker, state, by_hand(tracker))
