"""The rows of each trial: to train on, and to test."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples.data import diamonds
from examples.data.sources import find_folder


class Part(NamedTuple):
    """Rows of each trial."""

    inputs: Array  # [S, N, F]
    prices: np.ndarray  # [S, N]


class Task(NamedTuple):
    """All trials."""

    train: Part
    test: Part
    trials: Array  # [S], their seeds


def read(data_dir: str | None) -> diamonds.Table:
    """All rows.

    Raises:
      MissingData: the file is not there.
      ValueError: it is damaged.
    """
    return diamonds.read(find_folder("diamonds", data_dir, diamonds.FILE))


def make_task(table: diamonds.Table, seeds: range) -> Task:
    """Four fifths and one at random; numbers are standardised by the first."""
    number = len(table.prices)
    orders = [np.random.default_rng(seed).permutation(number) for seed in seeds]
    parts = [np.split(order, [number * 4 // 5]) for order in orders]
    inputs = [inputs_of(table, train) for train, _ in parts]
    train, test = (
        Part(
            jnp.asarray(np.stack([x[rows] for x, rows in zip(inputs, index, strict=True)])),
            np.stack([table.prices[rows] for rows in index]),
        )
        for index in zip(*parts, strict=True)
    )
    return Task(train, test, jnp.array(seeds))


def inputs_of(table: diamonds.Table, train: np.ndarray) -> np.ndarray:
    """Of all rows, `[N, F]`."""
    known = table.numbers[train].astype(np.float64)
    numbers = (table.numbers - known.mean(0)) / known.std(0)
    return np.concatenate([numbers, table.grades], axis=1).astype(np.float32)
