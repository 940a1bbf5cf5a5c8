"""The host's loop over the epochs of all trials, for every method."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tqdm import tqdm

from examples.bbn.epochs import epoch_of_trials, init_trials, measure_trials
from examples.bbn.methods import METHODS, Method
from examples.bbn.network import Recipe, adaptor_of
from examples.bbn.settings import DatasetName, Settings
from examples.bbn.task import Task, make_task
from examples.training import keys_of


class Outcome(NamedTuple):
    """All methods on one data set."""

    dataset: str
    counts: np.ndarray  # [K] training images
    recipe: Recipe
    parameters: int
    measures: dict[str, np.ndarray]  # per method [S, 4]: balanced accuracy, and by shots


def run(name: DatasetName, settings: Settings) -> Outcome:
    """Every method on one data set, in the order of the table."""
    task = make_task(name, settings)
    recipe = recipe_of(name, task, settings)
    total = sum(method.times for method in METHODS) * recipe.epochs
    measures = {}
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for method in METHODS:
            bar.set_description(f"{name}: {method.name}")
            measures[method.name] = run_method(method, task, recipe, settings, bar)
    params = nnx.eval_shape(lambda: nnx.state(recipe.model(jax.random.key(0)), nnx.Param))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    return Outcome(name, task.counts, recipe, parameters, measures)


def recipe_of(name: DatasetName, task: Task, settings: Settings) -> Recipe:
    """The recipe of every method on a task."""
    _, num_examples, features = task.train.inputs.shape
    usual = 0.1 if name == "digits" else 0.03
    return Recipe(
        features=features,
        classes=len(task.counts),
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=-(-num_examples // settings.batch_size),
        epochs=settings.epochs,
        learning_rate=usual if settings.learning_rate is None else settings.learning_rate,
    )


def run_method(
    method: Method, task: Task, recipe: Recipe, settings: Settings, bar: tqdm
) -> np.ndarray:
    """Trains all trials of one method at once; its measures after the last epoch, `[S, 4]`."""
    recipe = dataclasses.replace(recipe, epochs=method.times * recipe.epochs)
    adaptor = adaptor_of(method.adaptor, recipe.epochs)
    trials = jnp.arange(settings.seed, settings.seed + settings.seeds)
    init_keys, plan_keys = keys_of(trials)
    counts, powers = jnp.asarray(task.counts), jnp.asarray(method.powers, jnp.float32)
    streams = jnp.array([0, 0] if method.one_batch else [0, 1])
    states = init_trials(init_keys, recipe=recipe)
    for epoch in range(recipe.epochs):
        alpha = jnp.asarray(adaptor(epoch), jnp.float32)
        states, losses = epoch_of_trials(
            plan_keys,
            jnp.int32(epoch),
            states,
            task.train,
            counts,
            powers,
            streams,
            alpha,
            recipe=recipe,
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss of {method.name} is not finite in epoch {epoch}: lower --learning-rate."
            )
        bar.update()
    return np.asarray(measure_trials(states.params, task, recipe=recipe))
