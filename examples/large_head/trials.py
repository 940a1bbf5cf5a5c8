"""The host's loop over trainings and seeds; every method's measures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

import jimb
from examples.data import wordnet
from examples.large_head.epochs import predict, run_epoch, score
from examples.large_head.methods import METHODS, TRAININGS, Training
from examples.large_head.network import Params, Recipe, State, init_state
from examples.large_head.settings import Settings
from examples.large_head.task import Split, Task, make_task
from examples.training import keys_of


class Outcome(NamedTuple):
    """All methods; shares of 1."""

    counts: np.ndarray  # [K] training examples
    tested: np.ndarray  # [K] test examples
    epochs: int
    recipe: Recipe
    measures: dict[str, np.ndarray]  # [S, 6]: `Scores` of the test, accuracy in training


def run(settings: Settings) -> Outcome:
    """Trains every model once for each seed, and scores the methods that start from it."""
    task = make_task(settings)
    recipe = recipe_of(task, settings)
    measures: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    total = len(TRAININGS) * settings.seeds * settings.epochs
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for seed, split in enumerate(task.splits, settings.seed):
            for name, training in TRAININGS.items():
                bar.set_description(f"seed {seed}: {name}")
                params = train(training, seed, split, task, recipe, settings.epochs, bar)
                for row, method in METHODS.items():
                    if method.training == name:
                        measures[row].append(measure(params, split, task, method.tau, recipe))
    found = {name: np.array(rows) for name, rows in measures.items()}
    return Outcome(task.counts, task.tested, settings.epochs, recipe, found)


def recipe_of(task: Task, settings: Settings) -> Recipe:
    """The recipe of every training."""
    num_steps = -(-int(task.counts.sum()) // settings.batch_size)
    return Recipe(
        vocabulary=wordnet.VOCABULARY,
        classes=len(task.counts),
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=num_steps * settings.epochs,
        learning_rate=settings.learning_rate,
        head=settings.head,
        block_size=settings.block_size,
    )


def train(
    training: Training,
    seed: int,
    split: Split,
    task: Task,
    recipe: Recipe,
    epochs: int,
    bar: tqdm,
) -> Params:
    """One training; the initial weights, and plans of equal power, are those of the seed.

    Raises:
      FloatingPointError: the loss is not finite.
    """
    init_key, plan_key = (keys[0] for keys in keys_of(jnp.array([seed])))
    state: State = jax.jit(init_state, static_argnames="recipe")(init_key, recipe=recipe)
    counts, power = jnp.asarray(task.counts), jnp.float32(training.power)
    for epoch in range(epochs):
        key = jax.random.fold_in(plan_key, epoch)
        state, losses = run_epoch(
            key, state, split.train, counts, power, loss=training.loss, recipe=recipe
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {epoch} of seed {seed}: lower --learning-rate."
            )
        bar.update()
    return state.params


def measure(params: Params, split: Split, task: Task, tau: float, recipe: Recipe) -> list[float]:
    """The row of `Outcome.measures`; τ moves the bias, which is all that the prior enters by."""
    prior = task.counts / task.counts.sum()
    params = params._replace(bias=jimb.posthoc.adjust_logits(params.bias, prior, tau=tau))
    test, known = (predict(params, x.inputs, recipe=recipe) for x in (split.test, split.sample))
    scores = score(test, split.test.labels, jnp.asarray(task.counts))
    return [*map(float, scores), float((known == split.sample.labels).mean())]
