"""Trainings per second: in the big program, one by one, and by scikit-learn."""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from examples.data.keel import Table
from examples.keel import groups, jobs, programs
from examples.keel.folds import FOLDS, OUTER
from examples.keel.groups import Group
from examples.keel.methods import Numbers, numbers_of
from examples.keel.settings import Settings
from examples.keel.training import Recipe, Rows, train

SAMPLE = 10  # data sets


class Race(NamedTuple):
    """Trainings of the MLP per second, on a sample of the data sets."""

    together: float  # all of cross-entropy's relatives
    alone: float  # cross-entropy alone, in one program of all data sets
    loop: float  # calls of one compiled training, of cross-entropy
    peer: float  # scikit-learn's, with as many steps
    sets: tuple[str, ...]


def race(settings: Settings, tables: dict[str, Table]) -> Race:
    """The program takes all cores, as it does with all data sets; the others as they come."""
    largest = max(groups.grouped(tables), key=len)
    every = max(1, len(largest) // SAMPLE)
    group = groups.pad(dict(list(largest.items())[::every][:SAMPLE]), settings.seed)
    recipe = jobs.recipe_of(settings, ("softmax",), "MLP")
    every_number = numbers_of("softmax")
    first = jax.tree.map(lambda x: x[:1], every_number)
    return Race(
        program(group, recipe, every_number),
        program(group, recipe, first),
        loop(group, recipe, first),
        peer(group, settings),
        group.names,
    )


def program(group: Group, recipe: Recipe, numbers: Numbers) -> float:
    """All data sets, folds and parts in one."""
    tables, divisions, _ = programs.arguments_of(group, 0, recipe)
    size = len(divisions.table)
    call = partial(programs.program, recipe=recipe, mesh=programs.mesh_of(size))
    each = {"softmax": numbers}
    seconds = seconds_of(lambda: jax.block_until_ready(call(tables, divisions, each)))
    return size * len(numbers.gamma) / seconds


def seconds_of(fn: Callable[[], object]) -> float:
    """Of a second call."""
    fn()
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def loop(group: Group, recipe: Recipe, numbers: Numbers) -> float:
    """Calls of a compiled training for each data set and fold."""
    one = jax.jit(lambda key, rows, numbers: train(key, rows, numbers, recipe))
    places = list(np.ndindex(len(group.names), FOLDS))
    keys = jax.random.split(jax.random.key(0), len(places))
    each = [
        Rows(*map(jnp.asarray, (inputs, group.labels[table], trained, group.num_features[table])))
        for table, fold in places
        for inputs, trained in [prepared(group, table, fold)]
    ]

    def all_of_them() -> None:
        for key, rows in zip(keys, each, strict=True):
            jax.block_until_ready(one(key, rows, {"softmax": numbers}))

    return len(places) / seconds_of(all_of_them)


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
