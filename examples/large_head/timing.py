"""What a step costs with stored logits and without, on one device and with the classes divided.

Eight CPU devices are eight shares of one computer: they show what each has to hold and send, not
how much faster eight would be.
"""

import dataclasses
import time
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from examples.large_head.methods import cross_entropy
from examples.large_head.network import Params, Recipe, State, init_state, train_step
from examples.large_head.settings import Head, Settings
from examples.large_head.task import WORDS
from examples.training import Data

MESHES = ((1, 1), (2, 4))  # devices that divide the batch, and the classes
# Where `Params` lie: the vectors everywhere, the head's columns divided.
SPECS = (PartitionSpec(), PartitionSpec(None, "model"), PartitionSpec("model"))


class Cost(NamedTuple):
    """Of one step."""

    devices: int
    batch_size: int
    columns: int  # of the head
    head: Head
    seconds: float  # the median
    temporaries: int  # bytes on each device, beside the step's arguments and results


def measure_steps(recipe: Recipe, settings: Settings) -> list[Cost]:
    """All kinds of steps; of each size, one of every kind after the other, again and again."""
    share = MESHES[-1][1]
    columns = -(-recipe.classes // share) * share  # as many on each device
    recipe = dataclasses.replace(recipe, classes=columns, axis_name="model")
    costs = []
    for size in settings.timed_batches:
        kinds = [(shape, head) for shape in MESHES for head in get_args(Head)]
        steps = [
            Step(dataclasses.replace(recipe, head=head), size, make_mesh(shape))
            for shape, head in kinds
        ]
        seconds = np.median([[step() for step in steps] for _ in range(settings.rounds)], axis=0)
        for (shape, head), step, median in zip(kinds, steps, seconds, strict=True):
            devices = shape[0] * shape[1]
            costs.append(Cost(devices, size, columns, head, float(median), step.temporaries))
    return costs


class Step:
    """A compiled step of the training, its state and its batch; a call takes the next one."""

    def __init__(self, recipe: Recipe, size: int, mesh: Mesh) -> None:
        self.state, self.batch = placed(recipe, size, mesh)
        columns, everywhere = recipe.classes, NamedSharding(mesh, PartitionSpec())
        self.prior = jax.device_put(jnp.full(columns, 1 / columns), everywhere)
        kept = jax.tree.map(lambda x: x.sharding, self.state)

        def step(state: State, batch: Data, prior: Array) -> tuple[State, Array]:
            return train_step(state, batch, prior, loss=cross_entropy, recipe=recipe)

        with jax.set_mesh(mesh):
            jitted = jax.jit(step, donate_argnums=0, out_shardings=(kept, everywhere))
            self.compiled = jitted.lower(self.state, self.batch, self.prior).compile()
        self()

    def __call__(self) -> float:
        """Its seconds."""
        start = time.perf_counter()
        self.state, _ = jax.block_until_ready(self.compiled(self.state, self.batch, self.prior))
        return time.perf_counter() - start

    @property
    def temporaries(self) -> int:
        """Bytes on each device."""
        held = self.compiled.memory_analysis()
        assert held is not None
        return int(held.temp_size_in_bytes)


def make_mesh(shape: tuple[int, int]) -> Mesh:
    """Its axes are `data` and `model`; the compiler divides the work."""
    devices = jax.devices()[: shape[0] * shape[1]]
    return jax.make_mesh(shape, ("data", "model"), (AxisType.Auto,) * 2, devices=devices)


def placed(recipe: Recipe, size: int, mesh: Mesh) -> tuple[State, Data]:
    """A fresh state, with every column of the head on one device, and random glosses."""

    def put(params: Params) -> Params:
        pairs = zip(params, SPECS, strict=True)
        return Params(*(jax.device_put(x, NamedSharding(mesh, spec)) for x, spec in pairs))

    params = put(init_state(jax.random.key(0), recipe).params)
    everywhere = NamedSharding(mesh, PartitionSpec())
    opt_state = jax.tree.map(
        lambda x: put(x) if isinstance(x, Params) else jax.device_put(x, everywhere),
        recipe.optimizer.init(params),
        is_leaf=lambda x: isinstance(x, Params),
    )
    rng = np.random.default_rng(0)
    words = rng.integers(0, recipe.vocabulary, (size, WORDS), np.int32)
    labels = rng.integers(0, recipe.classes, size, np.int32)
    batch = Data(jnp.asarray(words), jnp.asarray(labels))
    return State(params, opt_state), jax.device_put(
        batch, NamedSharding(mesh, PartitionSpec("data"))
    )
