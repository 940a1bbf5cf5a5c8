"""What a step costs with stored logits and without, on one device and with the classes divided.

Eight CPU devices are eight shares of one computer: they show what each has to hold and send, not
how much faster eight would be.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from examples.data import wordnet
from examples.large_head.methods import TRAININGS
from examples.large_head.network import Params, Recipe, State, init_state, train_step
from examples.large_head.settings import Head, Settings
from examples.training import Data

MESHES = ((1, 1), (2, 4))  # devices that divide the batch, and the classes
LAYOUT = Params(
    vectors=PartitionSpec(), kernel=PartitionSpec(None, "model"), bias=PartitionSpec("model")
)


class Cost(NamedTuple):
    """Of one step."""

    devices: int
    batch_size: int
    head: Head
    seconds: float  # the median
    temporaries: int  # bytes on each device, beside the step's arguments and results


def measure_steps(recipe: Recipe, settings: Settings) -> list[Cost]:
    """All kinds of steps; of each size, one of every kind after the other, again and again."""
    costs = []
    for size in settings.timed_batches:
        kinds = [(shape, head) for shape in MESHES for head in get_args(Head)]
        steps = [compile_step(recipe, size, *kind) for kind in kinds]
        seconds = [[run() for run, _ in steps] for _ in range(settings.rounds)]
        for (shape, head), median, (_, held) in zip(
            kinds, np.median(seconds, axis=0), steps, strict=True
        ):
            costs.append(Cost(shape[0] * shape[1], size, head, float(median), held))
    return costs


def compile_step(
    recipe: Recipe, size: int, shape: tuple[int, int], head: Head
) -> tuple[Callable[[], float], int]:
    """A function that takes one step and returns its seconds, and the bytes of its temporaries."""
    mesh = make_mesh(shape)
    columns = -(-recipe.classes // MESHES[-1][1]) * MESHES[-1][1]  # as many for each device
    recipe = dataclasses.replace(recipe, head=head, classes=columns, axis_name="model")
    state, batch = placed(recipe, size, mesh)
    prior = jax.device_put(jnp.full(columns, 1 / columns), NamedSharding(mesh, LAYOUT.bias))
    kept = jax.tree.map(lambda x: x.sharding, state)

    def step(state: State, batch: Data, prior: Array) -> tuple[State, Array]:
        return train_step(state, batch, prior, loss=TRAININGS["CE"].loss, recipe=recipe)

    with jax.set_mesh(mesh):
        jitted = jax.jit(step, donate_argnums=0, out_shardings=(kept, NamedSharding(mesh, PartitionSpec())))
        compiled = jitted.lower(state, batch, prior).compile()

    def run() -> float:
        nonlocal state
        start = time.perf_counter()
        state, _ = jax.block_until_ready(compiled(state, batch, prior))
        return time.perf_counter() - start

    run()
    return run, compiled.memory_analysis().temp_size_in_bytes


def make_mesh(shape: tuple[int, int]) -> Mesh:
    """Its axes are `data` and `model`; the compiler divides the work."""
    devices = jax.devices()[: shape[0] * shape[1]]
    return jax.make_mesh(shape, ("data", "model"), (AxisType.Auto,) * 2, devices=devices)


def placed(recipe: Recipe, size: int, mesh: Mesh) -> tuple[State, Data]:
    """A fresh state, with every column of the head on one device, and random glosses."""

    def put(layout: Params, params: Params) -> Params:
        pairs = zip(params, layout, strict=True)
        return Params(*(jax.device_put(x, NamedSharding(mesh, spec)) for x, spec in pairs))

    params = put(LAYOUT, init_state(jax.random.key(0), recipe).params)
    everywhere = NamedSharding(mesh, PartitionSpec())
    opt_state = jax.tree.map(
        lambda x: put(LAYOUT, x) if isinstance(x, Params) else jax.device_put(x, everywhere),
        recipe.optimizer.init(params),
        is_leaf=lambda x: isinstance(x, Params),
    )
    rng, rows = np.random.default_rng(0), NamedSharding(mesh, PartitionSpec("data"))
    words = rng.integers(0, recipe.vocabulary, (size, wordnet.LENGTH), np.int32)
    labels = rng.integers(0, recipe.classes, size, np.int32)
    return State(params, opt_state), jax.device_put(Data(words, labels), rows)
