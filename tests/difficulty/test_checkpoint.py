"""What a training resumes from comes back from an Orbax checkpoint bit by bit, and so goes on."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P
from orbax.checkpoint import v1 as ocp

from jimb import difficulty, sampling
from jimb.difficulty import class_wise, data_map, forgetting, last_loss

N, K, STEP = 64, 5, 3
RNG = np.random.default_rng(0)
SWEEPS = RNG.normal(0, 3, (3, N, K)).astype(np.float32)
LABELS = RNG.integers(0, K, N).astype(np.int32)
SEEN = np.arange(N) != 7  # this one never is


class Progress(NamedTuple):
    """What a training saves."""

    states: dict[str, Any]
    key: jax.Array  # of all plans
    epoch: jax.Array
    position: jax.Array  # in the plan of this epoch


def initial():
    """Before the first epoch; its shapes and dtypes are what a checkpoint is read into."""
    states = {
        "float16": difficulty.init(N, K),
        "float32": difficulty.init(N, K, dtype=jnp.float32),
        "snapshot": difficulty.init(N, K, dtype=None),
        "last_loss": last_loss.init(N, K),
        "forgetting": forgetting.init(N),
        "data_map": data_map.init(N),
        "class_wise": class_wise.init(K),
    }
    return Progress(states, jax.random.key(7), jnp.int32(0), jnp.int32(0))


class Pass(NamedTuple):
    """What an update takes."""

    logits: Any
    labels: Any
    where: Any
    previous_logits: Any


def sweep(i):
    """One pass over the data set, and the logits of the one before."""
    previous = SWEEPS[i - 1] if i else np.zeros((N, K), np.float32)
    return Pass(SWEEPS[i], LABELS, SEEN, previous)


@jax.jit
def updated(states, given):
    new = {}
    for name, state in states.items():
        update = getattr(difficulty, name, difficulty).update
        extra = {"previous_logits": given.previous_logits} if name == "snapshot" else {}
        new[name] = update(state, given.logits, given.labels, where=given.where, **extra)
    return new


@jax.jit
def plan_of(progress, epoch):
    weights = difficulty.sampling_weights(progress.states["float16"])
    return sampling.epoch_plan(jax.random.fold_in(progress.key, epoch), weights, N)


def continued(progress, given):
    """What the training computes next: the rest of this epoch's plan, the states, another plan."""
    rest = np.asarray(plan_of(progress, progress.epoch))[int(progress.position) :]
    states = updated(progress.states, given)
    progress = progress._replace(states=states, epoch=progress.epoch + 1)
    return rest, states, plan_of(progress, progress.epoch)


def assert_same_bits(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


@pytest.fixture(scope="module")
def progress():
    """In the third epoch."""
    start = initial()
    states = updated(updated(start.states, sweep(0)), sweep(1))
    return start._replace(states=states, epoch=jnp.int32(2), position=jnp.int32(24))


@pytest.fixture(scope="module")
def directory(progress, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints")
    with ocp.training.Checkpointer(path) as checkpointer:
        assert checkpointer.save_checkpointables(STEP, {"progress": progress})
    return path


def restored(directory, layout):
    """With the sharding that `layout` gives each array; without any, Orbax warns."""

    def abstract(x):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=layout(x))

    shapes = jax.tree.map(abstract, jax.eval_shape(initial))
    with ocp.training.Checkpointer(directory) as checkpointer:
        found = checkpointer.load_checkpointables(STEP, {"progress": shapes})["progress"]
    for x in jax.tree.leaves(found):
        assert x.sharding.is_equivalent_to(layout(x), x.ndim)
    return found


def test_what_is_saved_comes_back_and_goes_on(progress, directory):
    fresh = initial()
    for name, state in progress.states.items():
        for x, y in zip(*map(jax.tree.leaves, (state, fresh.states[name])), strict=True):
            assert np.any(x != y), name
    found = restored(directory, lambda x: SingleDeviceSharding(jax.devices()[0]))
    assert_same_bits(found, progress)
    assert_same_bits(continued(found, sweep(2)), continued(progress, sweep(2)))


@pytest.mark.slow
def test_it_comes_back_split_over_a_mesh(progress, directory):
    mesh = jax.make_mesh((8,), ("data",))

    def layout(x):
        """The data set's axis is split, all else is on each device."""
        return NamedSharding(mesh, P("data") if x.shape[:1] == (N,) else P())

    found = restored(directory, layout)
    assert_same_bits(found, progress)
    assert found.states["float16"].log_probs.addressable_shards[0].data.shape == (N // 8, K)
    with jax.set_mesh(mesh):
        placed, given = (jax.device_put(x, jax.tree.map(layout, x)) for x in (progress, sweep(2)))
        assert_same_bits(continued(found, given), continued(placed, given))
