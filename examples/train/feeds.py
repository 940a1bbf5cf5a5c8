"""Data: how examples come to the devices, all at once or read by Grain as they are needed.

Both train on the same plan with the same program of a step, so they give the same model.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np
from jax import Array
from jax.sharding import PartitionSpec as P

from examples import training
from examples.train import mesh
from examples.train.job import Job
from examples.training import Data, Hyper, Pass, Recipe, TrainState


class Feed(Protocol):
    """A training set that is trained on by plan and passed over in order."""

    def begin_epoch(self, plan: np.ndarray, position: int) -> None:
        """A plan `[steps, batch]` and the step to begin at."""

    def train(self, state: TrainState, hyper: Hyper, count: int) -> tuple[TrainState, Array]:
        """The next `count` steps of the plan: the state and the losses."""

    def end_epoch(self, state: TrainState, last: Pass) -> tuple[TrainState, Pass]:
        """The pass over the training set that updates the difficulty."""


def make_feed(job: Job, data: Data) -> Feed:
    """The feed that the settings name."""
    feed = FromGrain if job.settings.feed == "grain" else OnDevice
    return feed(data, job.recipe)


class OnDevice:
    """The whole training set on every device, gathered from by the plan."""

    def __init__(self, data: Data, recipe: Recipe) -> None:
        self.data = mesh.laid_out(data, P())
        self.recipe = recipe
        self.run = jax.jit(training.run_epoch, static_argnames="recipe", donate_argnames="state")
        self.sweep = jax.jit(training.end_epoch, static_argnames="recipe", donate_argnames="state")

    def begin_epoch(self, plan: np.ndarray, position: int) -> None:
        """A plan `[steps, batch]` and the step to begin at."""
        self.plan, self.position = plan, position

    def train(self, state: TrainState, hyper: Hyper, count: int) -> tuple[TrainState, Array]:
        """The next `count` steps of the plan: the state and the losses."""
        part = self.plan[self.position : self.position + count]
        part = mesh.laid_out(part, mesh.BATCHES)
        self.position += count
        new: tuple[TrainState, Array] = self.run(state, self.data, part, hyper, recipe=self.recipe)
        return new

    def end_epoch(self, state: TrainState, last: Pass) -> tuple[TrainState, Pass]:
        """The pass over the training set that updates the difficulty."""
        new: tuple[TrainState, Pass] = self.sweep(state, self.data, recipe=self.recipe)
        return new


class FromGrain:
    """Batches read by Grain's threads; each process reads the rows of its own devices only.

    Anything with `__len__` and `__getitem__` can stand in place of the two arrays: files, say.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        from jimb.sampling import grain as jgrain  # which says how to get Grain

        import grain  # isort: skip

        self.source = grain.MapDataset.source(_Rows(data))
        self.select, self.selection = jgrain.select, jgrain.PlanSelection
        self.size, self.recipe = len(data.labels), recipe
        self.slots = mesh.own_slots(recipe.batch_size)
        self.run = jax.jit(training.run_batches, static_argnames="recipe", donate_argnames="state")
        self.sweep = jax.jit(
            training.end_chunk, static_argnames="recipe", donate_argnames=("state", "last")
        )

    def begin_epoch(self, plan: np.ndarray, position: int) -> None:
        """A plan `[steps, batch]` and the step to begin at."""
        self.batches = self._read(plan[position:])

    def train(self, state: TrainState, hyper: Hyper, count: int) -> tuple[TrainState, Array]:
        """The next `count` steps of the plan: the state and the losses."""
        rows = [next(self.batches) for _ in range(count)]
        batches = Data(*(self._global(np.stack(x), mesh.BATCHES) for x in zip(*rows, strict=True)))
        new: tuple[TrainState, Array] = self.run(state, batches, hyper, recipe=self.recipe)
        return new

    def end_epoch(self, state: TrainState, last: Pass) -> tuple[TrainState, Pass]:
        """The pass over the training set that updates the difficulty."""
        devices = mesh.size()
        # Row d of every chunk is a part of the share of device d.
        shares = np.arange(self.size).reshape(devices, -1, self.recipe.batch_size // devices)
        order = shares.swapaxes(0, 1).reshape(-1, self.recipe.batch_size)
        for i, rows in enumerate(self._read(order)):
            chunk = Data(*(self._global(x, mesh.ROWS) for x in rows))
            start = np.int32(i * self.recipe.batch_size // devices)
            state, last = self.sweep(state, last, chunk, start, recipe=self.recipe)
        return state, last

    def _read(self, positions: np.ndarray) -> Iterator[Data]:
        """This process's share of each batch of positions `[steps, batch]`."""
        own = positions[:, self.slots]
        selected = self.select(self.source, self.selection(own.ravel(), self.size))
        read = selected.batch(own.shape[1], drop_remainder=True).to_iter_dataset()
        return (Data(*batch) for batch in read)

    def _global(self, x: Any, spec: P) -> Array:
        axis = len(spec) - 1
        shape = (*x.shape[:axis], self.recipe.batch_size, *x.shape[axis + 1 :])
        return mesh.from_slots(x, spec, shape)


class _Rows:
    """Examples as Grain reads them."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.labels)

    def __getitem__(self, position: int) -> tuple[Array, Array]:
        return self.data.inputs[position], self.data.labels[position]
