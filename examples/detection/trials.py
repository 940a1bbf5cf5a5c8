"""The host's loop over methods and seeds; every method's measures."""

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tqdm import tqdm

from examples import dense
from examples.detection.easy import TRAINED, Curves, curves_of
from examples.detection.epochs import Found, compiled_step, detect_all
from examples.detection.judge import average_precision
from examples.detection.methods import METHODS, Method
from examples.detection.network import Recipe, init_state
from examples.detection.settings import Settings
from examples.detection.task import Batch, Task, make_task


class Result(NamedTuple):
    """One method over all seeds; shares of 1, NaN for a class that no test canvas has."""

    ap: np.ndarray  # [S, K]
    ap50: np.ndarray  # [S, K]
    losses: np.ndarray  # [S, steps], of classes and boxes


class Last(NamedTuple):
    """What the figures are of: the last seed."""

    test: Batch
    found: dict[str, Found]
    curves: Curves


class Outcome(NamedTuple):
    """Of all methods."""

    counts: np.ndarray  # [S, K], objects to train on
    locations: float  # for one object, in training
    recipe: Recipe
    results: dict[str, Result]
    last: Last


def run(settings: Settings) -> Outcome:
    """Trains every method once for each seed.

    Raises:
      MissingData: Fashion-MNIST is not there.
      FloatingPointError: a loss is not finite.
    """
    cutouts = dense.load(settings.data_dir)
    recipe = Recipe(
        settings.width,
        len(cutouts.train),
        settings.steps,
        settings.learning_rate,
        settings.prior,
    )
    rows: dict[str, list[Result]] = {name: [] for name in METHODS}
    counts = []
    with tqdm(total=len(METHODS) * settings.seeds, disable=None, leave=False) as bar:
        for seed in range(settings.seed, settings.seed + settings.seeds):
            task = make_task(cutouts, seed, settings)
            found: dict[str, Found] = {}
            counts.append(task.counts)
            for name, method in METHODS.items():
                bar.set_description(f"seed {seed}: {name}")
                own = recipe if method.has_prior else dataclasses.replace(recipe, prior=0.5)
                params, losses = train(method, seed, task, own, settings)
                found[name] = detect_all(params, task.test.pixels, recipe=own)
                precision = average_precision(found[name], task.test, recipe.classes)
                rows[name].append(Result(precision.ap, precision.ap50, losses))
                if name == TRAINED:
                    curves = curves_of(params, task.test, recipe)
                bar.update()
    results = {name: Result(*map(np.stack, zip(*of, strict=True))) for name, of in rows.items()}
    grid = (dense.SIDE // dense.STRIDE) ** 2
    locations = grid * settings.canvases * settings.seeds / np.sum(counts)
    last = Last(task.test, found, curves)
    return Outcome(np.stack(counts), float(locations), recipe, results, last)


def train(
    method: Method, seed: int, task: Task, recipe: Recipe, settings: Settings
) -> tuple[nnx.State, np.ndarray]:
    """One training: `(params, loss of each step)`; weights and batches are those of the seed."""
    step = partial(compiled_step, counts=jnp.asarray(task.counts), method=method, recipe=recipe)
    steps, size = settings.steps, settings.batch_size
    plan = dense.plan_of(seed, settings.canvases, steps=steps, batch_size=size)
    state = init_state(jax.random.key(seed), recipe=recipe)
    state, losses = dense.fit(step, state, task.train, plan, settings.devices)
    return state.params, losses
