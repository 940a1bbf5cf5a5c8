"""The trainings that `proofs/stores.py` looks at: the odd/even task of `examples/parity`, with CE.

Several seeds train together in one `vmap`; the leading axis S of every array is the seed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from examples import training
from examples.parity import trials as parity
from examples.parity.settings import Settings
from examples.parity.task import make_task
from examples.training import Hyper
from jimb.difficulty import DifficultyState


class Trials(NamedTuple):
    """Data and trainings, before the first epoch."""

    data: training.Data
    digits: np.ndarray  # [S, N]
    hyper: Hyper
    state: training.TrainState
    plan_keys: Array
    recipe: training.Recipe

    @property
    def labels(self) -> np.ndarray:
        """1 for odd, `[S, N]`."""
        return np.asarray(self.data.labels)


def make_trials(
    seeds: range, epochs: int, learning_rate: float, *, each_once: bool = False
) -> Trials:
    """Images and initial weights of each seed; the learning rate falls to 0 over the epochs.

    With `each_once` the batch size divides the number of images.
    """
    task = make_task(Settings(seeds=len(seeds), seed=seeds.start))
    num_examples, features = task.train.inputs.shape[1:]
    batch = parity.BATCH
    if each_once:
        batch = max(b for b in range(1, batch + 1) if num_examples % b == 0)
    steps = -(-num_examples // batch) * epochs
    recipe = training.Recipe(
        features, 2, "ce", batch_size=batch, steps=steps, learning_rate=learning_rate
    )
    hyper = training.hyper_of(jimb.class_counts(np.asarray(task.train.labels[0]), 2))
    init_keys, plan_keys = training.keys_of(jnp.asarray(seeds))
    state = training.init_trials(init_keys, recipe, num_examples)
    return Trials(task.train, task.train_digits, hyper, state, plan_keys, recipe)


@jax.jit(static_argnames="recipe")
def logits_of_trials(state: training.TrainState, images: Array, recipe: training.Recipe) -> Array:
    """Logits of the training images, `[S, N, K]`."""
    return jax.vmap(lambda state, x: training.predict(state, x, recipe=recipe))(state, images)


def recorded_logits(trials: Trials, pseudocount: float, epochs: int) -> np.ndarray:
    """Trains by difficulty sampling: logits of the pass after each epoch, `[epochs, S, N, K]`."""
    data, _, hyper, state, keys, recipe = trials
    c = jnp.float32(pseudocount)
    unused = training.Pass(jnp.ones(data.labels.shape), jnp.ones(data.labels.shape))
    record = []
    for epoch in range(epochs):
        draw = parity.sampling_of_trials("difficulty", state.difficulty, unused, data, hyper, c)
        state, _ = parity.epoch_of_trials(keys, epoch, state, data, draw, hyper, recipe=recipe)
        record.append(np.asarray(logits_of_trials(state, data.inputs, recipe)))
    return np.stack(record)


Both = tuple[training.TrainState, DifficultyState]


@jax.jit(static_argnames="recipe")
def online_epoch(
    keys: Array,
    epoch: int,
    states: Both,
    data: training.Data,
    hyper: Hyper,
    *,
    recipe: training.Recipe,
) -> Both:
    """Visits each example once, and updates a second difficulty with the logits on the way.

    The first difficulty is that of the pass at the end, in the training's own state.
    """
    num_examples = data.labels.shape[1]

    def one(key: Array, states: Both, data: training.Data) -> Both:
        def step(states: Both, positions: Array) -> tuple[Both, None]:
            state, online = states
            logits = recipe.apply(state.params, data.inputs[positions])
            labels = data.labels[positions]
            online = jimb.difficulty.update(online, logits, labels, index=positions)
            state, _ = training.run_epoch(state, data, positions, hyper, recipe=recipe)
            return (state, online), None

        uniform = jnp.ones(num_examples)
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), uniform, num_examples)
        (state, online), _ = jax.lax.scan(step, states, plan.reshape(-1, recipe.batch_size))
        state, _ = training.end_epoch(state, data, recipe=recipe)
        return state, online

    return jax.vmap(one)(keys, states, data)
