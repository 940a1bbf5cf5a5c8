"""One epoch on two plans, as a pure function and for every trial, and the measures after it."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb
from examples.bbn.network import Recipe, TrainState
from examples.bbn.task import Task
from examples.training import Data


@jax.jit(static_argnames="recipe")
def init_trials(keys: Array, *, recipe: Recipe) -> TrainState:
    """The state of every trial before its first epoch."""

    def one(key: Array) -> TrainState:
        params = nnx.state(recipe.model(key), nnx.Param)
        return TrainState(params, recipe.optimizer.init(params))

    return jax.vmap(one)(keys)


@jax.jit(static_argnames="recipe", donate_argnames="states")
def epoch_of_trials(
    keys: Array,
    epoch: Array,
    states: TrainState,
    data: Data,
    counts: Array,
    powers: Array,
    streams: Array,
    alpha: Array,
    *,
    recipe: Recipe,
) -> tuple[TrainState, Array]:
    """Plans and epoch of every trial; powers, streams and α are traced: methods share it."""

    def one(key: Array, state: TrainState, data: Data) -> tuple[TrainState, Array]:
        key, num = jax.random.fold_in(key, epoch), recipe.steps * recipe.batch_size
        plans = draw_plans(key, data.labels, counts, powers, streams, num)
        return run_epoch(state, data, plans, alpha, recipe=recipe)

    return jax.vmap(one)(keys, states, data)


def draw_plans(
    key: Array, labels: Array, counts: Array, powers: Array, streams: Array, num: int
) -> Array:
    """A plan of `num` positions for each branch, `[2, num]`; equal streams and powers, one plan."""

    def one(power: Array, stream: Array) -> Array:
        weights = jimb.sampling.class_power(labels, counts, power=power)
        return jimb.sampling.epoch_plan(jax.random.fold_in(key, stream), weights, num)

    return jax.vmap(one)(powers, streams)


def run_epoch(
    state: TrainState, data: Data, plans: Array, alpha: Array, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """Trains on the positions of `plans`, one for each branch: `(state, loss of each step)`."""

    def train_step(state: TrainState, positions: Array) -> tuple[TrainState, Array]:
        loss, gradients = jax.value_and_grad(mixed_loss)(
            state.params, data.inputs[positions], data.labels[positions], alpha, recipe=recipe
        )
        updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
        return TrainState(optax.apply_updates(state.params, updates), opt_state), loss

    batches = plans.reshape(2, -1, recipe.batch_size).swapaxes(0, 1)
    return jax.lax.scan(train_step, state, batches)


def mixed_loss(
    params: nnx.State, images: Array, labels: Array, alpha: Array, *, recipe: Recipe
) -> Array:
    """`α·CE(y_a) + (1 - α)·CE(y_b)`, the mean over a batch `[2, B]` of pairs."""
    logits = recipe.apply(params, images[0], images[1], alpha)
    losses = jimb.softmax_cross_entropy_loss(jnp.stack([logits, logits]), labels)
    return jimb.weighted_mean(losses, jnp.stack([alpha, 1 - alpha]))


@jax.jit(static_argnames="recipe")
def measure_trials(params: nnx.State, task: Task, *, recipe: Recipe) -> Array:
    """Balanced accuracy, and that of the many-, medium- and few-shot classes, `[S, 4]`."""

    def one(params: nnx.State, mean: Array, deviation: Array, tested: Array) -> Array:
        def predict(image: Array) -> Array:
            return recipe.predict(params, (image - mean) / deviation).argmax(-1)

        predictions = jax.lax.map(predict, task.test.inputs, batch_size=1024)
        tally = jimb.metrics.init_tally(recipe.classes)
        tally = jimb.metrics.update(tally, predictions, task.test.labels, where=tested)
        shots = jimb.metrics.shot_accuracy(tally, task.counts)
        return jnp.stack([jimb.metrics.balanced_accuracy(tally), *shots])

    return jax.vmap(one)(params, *task.statistics, task.tested)
