"""The host's loop over the epochs of all trials, for every method."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

import jimb
from examples import training
from examples.data import tabular
from examples.rare_event.epochs import BATCH, Recipe, epoch_of_trials, margins_of_trials
from examples.rare_event.judge import Result, judge
from examples.rare_event.methods import (
    BETA,
    EPOCHS,
    GAMMA,
    LEARNING_RATE,
    LONG,
    METHODS,
    Method,
)
from examples.rare_event.settings import Settings
from examples.rare_event.task import Task, make_task


class Outcome(NamedTuple):
    """All methods on one data set."""

    dataset: str
    counts: np.ndarray  # [2], of the training part
    epochs: int
    results: dict[str, Result]


def run(settings: Settings) -> list[Outcome]:
    """Every method on every data set, in the order of the tables."""
    both: tuple[tabular.Name, ...] = ("shuttle", "caravan")
    names = both if settings.dataset == "both" else (settings.dataset,)
    tables = {name: tabular.load(name, settings.source, settings.data_dir) for name in names}
    runs = [(name, settings.epochs or EPOCHS[name]) for name in names]
    if settings.long and "shuttle" in names:
        runs.append(("shuttle", LONG))
    outcomes = []
    total = len(METHODS) * sum(epochs for _, epochs in runs)
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for name, epochs in runs:
            task = make_task(tables[name], settings)
            results = {}
            for method in METHODS:
                bar.set_description(f"{name}, {method.name}")
                results[method.name] = run_method(method, name, task, epochs, bar)
            counts = jimb.class_counts(task.train.labels[0], 2)
            outcomes.append(Outcome(name, np.asarray(counts), epochs, results))
    return outcomes


def run_method(method: Method, name: tabular.Name, task: Task, epochs: int, bar: tqdm) -> Result:
    """Trains all trials of one method at once, and judges them on the test part."""
    num_trials, num_rows, num_features = task.train.features.shape
    model = Recipe(
        features=num_features,
        classes=2,
        loss="ce",
        batch_size=BATCH,
        steps=-(-num_rows // BATCH) * epochs,
        learning_rate=LEARNING_RATE[name],
    )
    recipe = dataclasses.replace(
        model, loss=method.loss, sampler=method.sampler, mining=method.mined
    )
    counts = jimb.class_counts(task.train.labels[0], 2)
    hyper = training.hyper_of(counts, weights=method.weights, gamma=GAMMA, beta=BETA)
    hyper = hyper._replace(class_weights=jimb.mean_one(hyper.class_weights, counts))
    data = training.Data(task.train.features, jnp.asarray(task.train.labels))
    init_keys, plan_keys = training.keys_of(task.trials)
    states = training.init_trials(init_keys, model, num_rows)  # compiled once for all
    last = training.Pass(jnp.ones((num_trials, num_rows)), jnp.ones((num_trials, num_rows)))
    for epoch in range(epochs):
        states, last, losses = epoch_of_trials(
            plan_keys, epoch, states, last, data, hyper, recipe=recipe
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss of {method.name} is not finite in epoch {epoch} on {name}: lower its "
                f"LEARNING_RATE."
            )
        bar.update()
    validation, test = (
        margins_of_trials(states, part.features, model) for part in (task.validation, task.test)
    )
    return judge(task, hyper.counts, validation, test)
