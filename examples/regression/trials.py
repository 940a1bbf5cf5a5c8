"""All trainings, and the errors of every method."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples.regression.epochs import train_all
from examples.regression.methods import METHODS, Method
from examples.regression.network import Recipe, Rows
from examples.regression.settings import Settings
from examples.regression.task import Task, make_task, read
from examples.training import keys_of


class Outcome(NamedTuple):
    """All methods; dollars."""

    train_prices: np.ndarray  # [S, N]
    test_prices: np.ndarray  # [S, n]
    weights: dict[str, np.ndarray]  # [S, N] each
    errors: dict[str, np.ndarray]  # [S, n] each, predicted less true
    recipe: Recipe


def run(settings: Settings) -> Outcome:
    """Trains every method once for each seed.

    Raises:
      MissingData: the data are not there.
      ValueError: their file is damaged, or a batch is larger than the training set.
      FloatingPointError: a prediction is not finite.
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    task = make_task(read(settings.data_dir), seeds)
    recipe = recipe_of(task, settings)
    prices = jnp.asarray(task.train.prices)
    weights = {name: weigh(method, prices, settings.bins) for name, method in METHODS.items()}
    targets = [method.targets(prices) for method in METHODS.values()]
    scales = [(x.mean(1, keepdims=True), x.std(1, keepdims=True)) for x in targets]
    standard = [(x - mean) / sd for x, (mean, sd) in zip(targets, scales, strict=True)]
    rows = Rows(task.train.inputs, jnp.stack(standard, 1), jnp.stack([*weights.values()], 1))
    found = train_all(keys_of(task.trials), rows, task.test.inputs, recipe=recipe)
    errors = {}
    for m, (name, method) in enumerate(METHODS.items()):
        mean, sd = scales[m]
        predicted = method.prices(np.asarray(found[:, m] * sd + mean))
        if not np.isfinite(predicted).all():
            raise FloatingPointError(f"{name} predicts no finite price: lower --learning-rate.")
        errors[name] = predicted - task.test.prices
    of_rows = {name: np.asarray(x) for name, x in weights.items()}
    return Outcome(task.train.prices, task.test.prices, of_rows, errors, recipe)


def weigh(method: Method, prices: Array, bins: int) -> Array:
    """Weights of each seed's training rows, `[S, N]`."""
    return jax.vmap(lambda of_seed: method.weights(of_seed, bins))(prices)


def recipe_of(task: Task, settings: Settings) -> Recipe:
    """The recipe of every training."""
    _, rows, features = task.train.inputs.shape
    if settings.batch_size > rows:
        raise ValueError(f"--batch-size must be at most {rows}, the training rows.")
    return Recipe(
        features=features,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=rows // settings.batch_size,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
    )
