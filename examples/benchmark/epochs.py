"""What an epoch of a method does with its plan: train on it, or something more."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

import jimb
from examples import training
from examples.training import Hyper

# (key, state, data, plan, hyper, recipe) -> state
Epoch = Callable[
    [Array, training.TrainState, training.Data, Array, Hyper, training.Recipe], training.TrainState
]


def on_the_plan(
    key: Array,
    state: training.TrainState,
    data: training.Data,
    plan: Array,
    hyper: Hyper,
    recipe: training.Recipe,
) -> training.TrainState:
    """A step on each batch of the plan."""
    return training.run_epoch(state, data, plan, hyper, recipe=recipe)[0]


def interpolated(
    key: Array,
    state: training.TrainState,
    data: training.Data,
    plan: Array,
    hyper: Hyper,
    recipe: training.Recipe,
) -> training.TrainState:
    """Each image of a batch is moved towards another of its class."""

    def step(state: training.TrainState, positions: Array) -> tuple[training.TrainState, None]:
        images, labels = data.inputs[positions], data.labels[positions]
        fresh = jax.random.fold_in(key, state.step)
        moved = jimb.sampling.interpolate_within_class(fresh, images, labels)
        return training.train_step(state, moved, labels, hyper, recipe=recipe)[0], None

    return jax.lax.scan(step, state, plan.reshape(-1, recipe.batch_size))[0]


def with_a_pool(
    key: Array,
    state: training.TrainState,
    data: training.Data,
    plan: Array,
    hyper: Hyper,
    recipe: training.Recipe,
) -> training.TrainState:
    """The hardest quarter of each batch waits in a pool, until they are a batch and train again.

    So a fifth of the steps is on hard examples, and there are a quarter more of them.
    """
    size = recipe.batch_size
    pool = jimb.mining.pool.init(jnp.int32(0), capacity=2 * size, batch_size=size)

    def train_on(state: training.TrainState, positions: Array) -> tuple[training.TrainState, Array]:
        images, labels = data.inputs[positions], data.labels[positions]
        state, _, losses = training.train_step(state, images, labels, hyper, recipe=recipe)
        return state, losses

    def step(
        carry: tuple[training.TrainState, jimb.mining.pool.PoolState], positions: Array
    ) -> tuple[tuple[training.TrainState, jimb.mining.pool.PoolState], None]:
        state, pool = carry
        state, losses = train_on(state, positions)
        hardest = jimb.mining.hard_example_weights(losses, keep=0.25) > 0
        pool, _ = jimb.mining.pool.push(pool, positions, where=hardest)
        pool, again, ready = jimb.mining.pool.pop(pool)
        state = jax.lax.cond(ready[0], lambda: train_on(state, again)[0], lambda: state)
        return (state, pool), None

    (state, _), _ = jax.lax.scan(step, (state, pool), plan.reshape(-1, size))
    return state
