"""Trainings per second: in the big program, one by one, and by scikit-learn."""

import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from examples.data.keel import Table
from examples.keel import groups, jobs, programs
from examples.keel.folds import FOLDS, OUTER
from examples.keel.groups import Group
from examples.keel.methods import numbers_of
from examples.keel.settings import Settings
from examples.keel.training import Recipe, Rows, train

SAMPLE = 10  # data sets


class Race(NamedTuple):
    """Trainings of the MLP per second, on a sample of the data sets."""

    together: float
    loop: float  # calls of one compiled training
    peer: float  # scikit-learn's, with as many steps
    sets: tuple[str, ...]


def race(settings: Settings, tables: dict[str, Table]) -> Race:
    """All of cross-entropy and its relatives together; cross-entropy alone one by one."""
    largest = max(groups.grouped(tables), key=len)
    every = max(1, len(largest) // SAMPLE)
    group = groups.pad(dict(list(largest.items())[::every][:SAMPLE]), settings.seed)
    recipe = jobs.recipe_of(settings, ("softmax",), "MLP")
    compiled = programs.build(group, recipe)
    size = group.trained[..., 0].size
    seconds = seconds_of(lambda: programs.run(compiled, group, settings.seed, recipe))
    together = size * len(numbers_of("softmax").gamma) / seconds
    return Race(together, loop(group, recipe), peer(group, settings), group.names)


def seconds_of(fn: Callable[[], object]) -> float:
    """Of a second call."""
    fn()
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def loop(group: Group, recipe: Recipe) -> float:
    """Calls of a compiled training for each data set and fold."""
    numbers = {"softmax": jax.tree.map(lambda x: x[:1], numbers_of("softmax"))}
    one = jax.jit(lambda key, rows, numbers: train(key, rows, numbers, recipe))
    keys = programs.divisions_of(group, 0).key

    def all_of_them() -> None:
        for table, fold in np.ndindex(len(group.names), FOLDS):
            inputs, trained = prepared(group, table, fold)
            size = jnp.asarray(group.num_features[table])
            labels = jnp.asarray(group.labels[table])
            rows = Rows(jnp.asarray(inputs), labels, jnp.asarray(trained), size)
            jax.block_until_ready(one(keys[0], rows, numbers))

    return len(group.names) * FOLDS / seconds_of(all_of_them)


def peer(group: Group, settings: Settings) -> float:
    """scikit-learn's network of the same size, batches and number of steps, without its checks."""
    from sklearn.neural_network import MLPClassifier

    start = time.perf_counter()
    for table, fold in np.ndindex(len(group.names), FOLDS):
        inputs, trained = prepared(group, table, fold)
        rows = int(trained.sum())
        size = min(settings.batch_size, rows)
        network = MLPClassifier(
            (settings.hidden,),
            batch_size=size,
            learning_rate_init=settings.learning_rate,
            max_iter=max(1, round(settings.steps / -(-rows // size))),
            n_iter_no_change=settings.steps,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of iterations that are at an end
            network.fit(inputs[trained], group.labels[table][trained])
    return len(group.names) * FOLDS / (time.perf_counter() - start)


def prepared(group: Group, table: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows of a data set, and which a fold trains on."""
    place = table, fold, OUTER
    inputs = (group.features[table] - group.mean[place]) * group.scale[place]
    return inputs, group.trained[place]
