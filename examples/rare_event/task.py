"""The three parts of a table in every trial."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples.data import pictures, subsets, tabular
from examples.rare_event.settings import Settings


class Part(NamedTuple):
    """Rows of each trial; every trial has as many events."""

    features: Array  # [S, N, F]
    labels: np.ndarray  # [S, N]


class Task(NamedTuple):
    """The three parts of a table in every trial."""

    train: Part
    validation: Part
    test: Part
    trials: Array  # [S], their seeds


def make_task(table: tabular.Table, settings: Settings) -> Task:
    """Splits the table for each trial and standardises it by its training part."""
    trials = range(settings.seed, settings.seed + settings.seeds)
    rngs = [np.random.default_rng(trial) for trial in trials]
    splits = [subsets.split_in_three(table.labels, rng) for rng in rngs]
    features = tabular.signed_log(table.features)
    index = [np.stack(rows) for rows in zip(*splits, strict=True)]
    mean, deviation = pictures.pixel_statistics(features[index[0]])
    train_part, validation, test = (
        Part(jnp.asarray((features[rows] - mean) / deviation), table.labels[rows]) for rows in index
    )
    return Task(train_part, validation, test, jnp.array(trials))
