"""The host's loop over methods and seeds; every method's measures."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tqdm import tqdm

from examples import dense
from examples.segmentation.epochs import Scores, compiled_init, compiled_step, predict_all, score
from examples.segmentation.methods import METHODS, Frequencies, LossFn
from examples.segmentation.network import Recipe
from examples.segmentation.settings import Settings
from examples.segmentation.task import Batch, Task, make_task


class Last(NamedTuple):
    """What the figure shows: the test canvases of the last seed."""

    test: Batch
    predictions: dict[str, np.ndarray]  # [N, height, width]


class Outcome(NamedTuple):
    """All methods."""

    objects: np.ndarray  # [S, K], to train on
    frequencies: Frequencies  # [S, K + 1] each
    recipe: Recipe
    scores: dict[str, Scores]  # [S, ...] each; shares of 1
    last: Last


def run(settings: Settings) -> Outcome:
    """Trains every method once for each seed.

    Raises:
      MissingData: Fashion-MNIST is not there.
      FloatingPointError: a loss is not finite.
    """
    cutouts = dense.load(settings.data_dir)
    recipe = recipe_of(len(cutouts.train) + 1, settings)
    rows: dict[str, list[Scores]] = {name: [] for name in METHODS}
    objects, frequencies = [], []
    with tqdm(total=len(METHODS) * settings.seeds, disable=None, leave=False) as bar:
        for seed in range(settings.seed, settings.seed + settings.seeds):
            task = make_task(cutouts, seed, settings)
            last = Last(task.test, {})
            objects.append(task.objects)
            frequencies.append(task.frequencies)
            for name, loss in METHODS.items():
                bar.set_description(f"seed {seed}: {name}")
                params = train(loss, seed, task, recipe, settings)
                predictions = predict_all(params, task.test.pixels, recipe=recipe)
                rows[name].append(score(predictions, task.test.labels, recipe.classes))
                last.predictions[name] = predictions
                bar.update()
    scores = {name: Scores(*map(np.stack, zip(*of, strict=True))) for name, of in rows.items()}
    stacked = Frequencies(*map(np.stack, zip(*frequencies, strict=True)))
    return Outcome(np.stack(objects), stacked, recipe, scores, last)


def recipe_of(classes: int, settings: Settings) -> Recipe:
    """The recipe of every training."""
    return Recipe(settings.width, classes, settings.stride, settings.steps, settings.learning_rate)


def train(loss: LossFn, seed: int, task: Task, recipe: Recipe, settings: Settings) -> nnx.State:
    """One training; its initial weights and batches are those of the seed."""
    frequencies = Frequencies(*map(jnp.asarray, task.frequencies))
    step = partial(compiled_step, frequencies=frequencies, loss=loss, recipe=recipe)
    state = compiled_init(jax.random.key(seed), recipe=recipe)
    steps, size = settings.steps, settings.batch_size
    plan = dense.plan_of(seed, settings.canvases, steps=steps, batch_size=size)
    state, _ = dense.fit(step, state, task.train, plan)
    return state.params
