"""How long the grid takes in one program, and one training at a time."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples.sweep.settings import Settings
from examples.sweep.task import Trials


class Timing(NamedTuple):
    """Seconds."""

    grid: float
    compilation: float
    one: float  # a compiled training of one cell and seed
    constant: float  # the same, with its numbers compiled in


def time_one_by_one(
    settings: Settings, trials: Trials, train: Callable[..., Array]
) -> tuple[float, float]:
    """Medians over some cells, of a traced training and of one that is compiled for its cell."""
    cells = [(y, x) for y in settings.grids[settings.y] for x in settings.grids[settings.x]]
    some = [cells[i * len(cells) // settings.calls % len(cells)] for i in range(settings.calls)]
    single = first_of(trials)

    @jax.jit
    def one(trial: Trials, y: Array, x: Array) -> Array:
        return train(trial, **{settings.y: y, settings.x: x})

    def traced(y: float, x: float) -> Array:
        return jax.block_until_ready(one(single, jnp.float32(y), jnp.float32(x)))

    def constant(y: float, x: float) -> Array:
        numbers = {settings.y: jnp.float32(y), settings.x: jnp.float32(x)}
        return jax.block_until_ready(jax.jit(lambda trial: train(trial, **numbers))(single))

    traced(*some[0])
    return seconds_of(traced, some), seconds_of(constant, some[:2])


def first_of(trials: Trials) -> Trials:
    """One trial."""
    first: Trials = jax.tree.map(lambda x: x[0], trials)
    return first


def seconds_of(fn: Callable[..., Array], cells: list[tuple[float, float]]) -> float:
    """The median over these cells."""
    return float(np.median([timed(functools.partial(fn, *cell))[1] for cell in cells]))


def timed(fn: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its seconds."""
    start = time.perf_counter()
    result = fn()
    return result, time.perf_counter() - start
