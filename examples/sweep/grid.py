"""A whole training as a function of its hyper-parameters, over the grid in one program."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from examples import training
from examples.sweep.settings import Settings
from examples.sweep.task import SIZES, Trials, make_trials
from examples.sweep.timing import Timing, time_one_by_one, timed

BATCH, EPOCHS = 64, 15
STEPS = EPOCHS * -(-int(SIZES.sum()) // BATCH)


def run(settings: Settings) -> tuple[np.ndarray, Timing]:
    """Recalls `[rows, columns, S, 2, 10]` of the whole grid; how long it took."""
    trials = make_trials(settings)
    grids = {name: jnp.asarray(values, jnp.float32) for name, values in settings.grids.items()}
    train = training_of("cb-focal" if "beta" in grids else "focal")
    with jax.set_mesh(jax.make_mesh((jax.device_count(),), ("points",))):
        start = time.perf_counter()
        swept = jimb.sweep(over_seeds(train), grids, mesh_axis="points")
        compiled = jax.jit(swept).lower(trials).compile()
        compilation = time.perf_counter() - start
        recalls, grid = timed(lambda: np.asarray(compiled(trials)))
    return recalls, Timing(grid, compilation, *time_one_by_one(settings, trials, train))


def training_of(loss: str) -> Callable[..., Array]:
    """A whole training as a function: `(one trial, hyper-parameters) -> recalls [2, 10]`."""
    recipe = training.Recipe(64, 2, loss, batch_size=BATCH, steps=STEPS)
    num_examples = int(SIZES.sum())
    counts = np.array([SIZES[0::2].sum(), SIZES[1::2].sum()])

    def plan_of(key: Array) -> Array:
        return jimb.sampling.epoch_plan(key, jnp.ones(num_examples), STEPS // EPOCHS * BATCH)

    def train(trial: Trials, **given: Array) -> Array:
        state = training.init_state(trial.keys[0], recipe, num_examples)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(trial.keys[1], jnp.arange(EPOCHS))
        if "power" in given:
            power = given.pop("power")
            given["class_weights"] = jimb.inverse_frequency_weights(counts, power=power)
        hyper = training.hyper_of(counts)._replace(**given)
        plans = jax.vmap(plan_of)(keys)
        state, _ = training.run_epoch(state, trial.train, plans, hyper, recipe=recipe)
        predicted = training.predict(state, trial.images, recipe=recipe).argmax(-1)
        return recalls_of(trial, predicted == trial.digits % 2)

    return train


def recalls_of(trial: Trials, right: Array) -> Array:
    """The share of each digit's images that is right, in each half, `[2, 10]`."""
    is_digit = trial.digits == jnp.arange(10)[:, None]
    chosen = trial.halves[:, None] & is_digit  # [2, 10, T]
    recalls: Array = (chosen & right).sum(-1) / chosen.sum(-1)
    return recalls


def over_seeds(train: Callable[..., Array]) -> Callable[..., Array]:
    """The same for all trials: `[S, 2, 10]`.

    In a loop: the cells of one seed share its batches, so that their `vmap` makes one product of
    all first layers. With the seeds in it too, the grid took 1.6 times as long on two CPU cores.
    """

    def trained(trials: Trials, **given: Array) -> Array:
        recalls: Array = jax.lax.map(lambda trial: train(trial, **given), trials)
        return recalls

    return trained
