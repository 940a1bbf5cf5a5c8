"""All trials of a method trained at once, and what they found."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

import jimb
from examples import training
from examples.parity.methods import BETA, GAMMA, METHODS, Method
from examples.parity.settings import Settings
from examples.parity.task import Task, make_task
from examples.training import Hyper, Sampler, init_trials, keys_of

BATCH = 64


class Result(NamedTuple):
    """What one method did: recalls, and what its sampler looked at in each epoch."""

    recalls: np.ndarray  # [S, 10]
    mass_on_eights: np.ndarray  # [epochs, S]
    difficulty_of_eights: np.ndarray  # [epochs, S]: mean over the 8s
    difficulty_of_rest: np.ndarray


def run(settings: Settings) -> dict[str, Result]:
    """Every method, in the order of the table."""
    task = make_task(settings)
    total = len(METHODS) * settings.epochs
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        results = {}
        for method in METHODS:
            bar.set_description(method.name)
            results[method.name] = run_method(method, task, settings, bar)
    return results


def run_method(method: Method, task: Task, settings: Settings, bar: tqdm) -> Result:
    """Trains all trials of one method at once."""
    num_trials, num_examples, features = task.train.inputs.shape
    steps = -(-num_examples // BATCH) * settings.epochs
    recipe = training.Recipe(features, 2, method.loss, batch_size=BATCH, steps=steps)
    counts = jimb.class_counts(np.asarray(task.train.labels[0]), 2)
    hyper = training.hyper_of(counts, weights=method.weights, gamma=GAMMA, beta=BETA)
    pseudocount = jnp.float32(method.pseudocount)
    init_keys, plan_keys = keys_of(jnp.arange(settings.seed, settings.seed + num_trials))
    eights = task.train_digits == 8

    state = init_trials(init_keys, recipe, num_examples)
    last = training.Pass(jnp.ones((num_trials, num_examples)), jnp.ones((num_trials, num_examples)))
    history = []
    for epoch in range(settings.epochs):
        draw = sampling_of_trials(
            method.sampler, state.difficulty, last, task.train, hyper, pseudocount
        )
        state, last = epoch_of_trials(
            plan_keys, epoch, state, task.train, draw, hyper, recipe=recipe
        )
        history.append(seen_in_epoch(draw, score_of_trials(state.difficulty, pseudocount), eights))
        bar.update()
    return Result(recalls(state, task, recipe), *map(np.stack, zip(*history, strict=True)))


def seen_in_epoch(draw: Array, score: Array, eights: np.ndarray) -> tuple[np.ndarray, ...]:
    """The 8s' share of the draws, and the mean difficulty of the 8s and of the rest, `[S]`."""
    share, difficulty = np.asarray(draw / draw.sum(1, keepdims=True)), np.asarray(score)
    return (
        (share * eights).sum(1),
        np.mean(difficulty, axis=1, where=eights),
        np.mean(difficulty, axis=1, where=~eights),
    )


def recalls(state: training.TrainState, task: Task, recipe: training.Recipe) -> np.ndarray:
    """Recall of each digit on the images that a trial does not train on, `[S, 10]`."""
    predicted = predictions_of_trials(state, task.statistics, task.test_images, recipe)
    correct = np.asarray(predicted) == task.test_digits % 2
    tested = (task.tested & (task.test_digits == k) for k in range(10))
    return np.stack([np.mean(correct, axis=1, where=where) for where in tested], axis=1)


@jax.jit(static_argnums=0)
def sampling_of_trials(
    sampler: Sampler,
    difficulty: jimb.difficulty.DifficultyState,
    last: training.Pass,
    data: training.Data,
    hyper: Hyper,
    pseudocount: Array,
) -> Array:
    """`training.sampling_weights` of every trial, `[S, N]`."""
    one = functools.partial(training.sampling_weights, sampler)
    vmapped = jax.vmap(one, in_axes=(0, 0, 0, None, None))
    return vmapped(difficulty, last, data, hyper, pseudocount)


@jax.jit
def score_of_trials(difficulty: jimb.difficulty.DifficultyState, pseudocount: Array) -> Array:
    """`jimb.difficulty.score` of every trial, `[S, N]`."""
    return jax.vmap(lambda state: jimb.difficulty.score(state, pseudocount=pseudocount))(difficulty)


@jax.jit(static_argnames="recipe")
def epoch_of_trials(
    keys: Array,
    epoch: int,
    states: training.TrainState,
    data: training.Data,
    weights: Array,
    hyper: Hyper,
    *,
    recipe: training.Recipe,
) -> tuple[training.TrainState, training.Pass]:
    """Plan, epoch and the pass after it, for every trial."""

    def one(
        key: Array, state: training.TrainState, data: training.Data, weights: Array
    ) -> tuple[training.TrainState, training.Pass]:
        num = -(-weights.shape[0] // BATCH) * BATCH
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
        prior = jimb.difficulty.class_prior(weights, data.labels, recipe.classes)
        drawn = hyper._replace(prior=prior)
        state, _ = training.run_epoch(state, data, plan, drawn, recipe=recipe)
        return training.end_epoch(state, data, recipe=recipe)

    return jax.vmap(one)(keys, states, data, weights)


@jax.jit(static_argnums=3)
def predictions_of_trials(
    states: training.TrainState,
    statistics: tuple[Array, Array],
    images: Array,
    recipe: training.Recipe,
) -> Array:
    """The predicted class of every test image in every trial, `[S, T]`."""

    def one(state: training.TrainState, mean: Array, deviation: Array) -> Array:
        return training.predict(state, (images - mean) / deviation, recipe=recipe).argmax(-1)

    return jax.vmap(one)(states, *statistics)
