"""The compiled epoch: one step, and an epoch of them as a pure function.

On a mesh, the arrays' shardings say what runs where: with a plan of sharding `P(None, "data")` each
device gathers its share of every batch, and JAX adds the gradients. No line here asks how many
devices there are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec

import jimb
from examples.training.adaptive import losses_of
from examples.training.augment import augment
from examples.training.hyper import Hyper
from examples.training.recipe import Recipe
from examples.training.state import Data, TrainState


def train_step(
    state: TrainState, inputs: Array, labels: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array, Array]:
    """One step of the optimiser on a batch: `(state, mean loss, loss of each example)`."""
    share = recipe.share(state.step)
    now = hyper._replace(class_weights=(1 - share) + share * hyper.class_weights)
    if recipe.augmented:
        keys = slot_keys(jax.random.fold_in(hyper.key, state.step), labels)
        inputs = augment(keys, inputs, recipe.shape)

    def mean_loss(params: nnx.State) -> tuple[Array, tuple[Array, nnx.State, Any]]:
        logits, batch_stats = recipe.apply_to_batch(params, state.batch_stats, inputs)
        losses, seen = losses_of(recipe.loss, state.loss, logits, labels, now)
        mean = jimb.weighted_mean(losses, recipe.kept(losses, labels, hyper))
        return mean, (losses, batch_stats, seen)

    (loss, aux), gradients = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    losses, batch_stats, seen = aux
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    # What AdamW adds is proportional to its learning rate.
    updates = jax.tree.map(lambda update: hyper.rate * update, updates)
    params = optax.apply_updates(state.params, updates)
    stepped = TrainState(state.step + 1, params, batch_stats, opt_state, state.difficulty, seen)
    return stepped, loss, losses


@jax.jit(static_argnames="recipe")
def run_epoch(
    state: TrainState, data: Data, plan: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """Trains on the positions of `plan`, a batch a step: `(state, loss of each step)`."""

    def step(state: TrainState, positions: Array) -> tuple[TrainState, Array]:
        inputs, labels = rows(data.inputs, positions), rows(data.labels, positions)
        state, loss, _ = train_step(state, inputs, labels, hyper, recipe=recipe)
        return state, loss

    batches = plan.reshape(-1, recipe.batch_size)
    return jax.lax.scan(step, state, batches, unroll=is_no_loop(len(batches)))


@jax.jit(static_argnames="recipe")
def run_batches(
    state: TrainState, batches: Data, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """As `run_epoch`, on batches `[steps, batch, ...]` that were read elsewhere."""

    def step(state: TrainState, batch: Data) -> tuple[TrainState, Array]:
        state, loss, _ = train_step(state, batch.inputs, batch.labels, hyper, recipe=recipe)
        return state, loss

    return jax.lax.scan(step, state, batches, unroll=is_no_loop(len(batches.labels)))


def rows(table: Array, positions: Array) -> Array:
    """`table[positions]`, each device the rows of its own positions."""
    sharding = jax.typeof(positions).sharding
    spec = PartitionSpec(*sharding.spec, *[None] * (table.ndim - 1))
    return table.at[positions].get(out_sharding=NamedSharding(sharding.mesh, spec))


def slot_keys(key: Array, labels: Array) -> Array:
    """A key for each slot of a batch, the same on any number of devices."""
    sharding = jax.typeof(labels).sharding
    slots = jax.lax.broadcasted_iota(jnp.uint32, labels.shape, 0, out_sharding=sharding)
    keys: Array = jax.vmap(jax.random.fold_in, (None, 0))(key, slots)
    return keys


def is_no_loop(steps: int) -> bool:
    """One step is unrolled: a convolution's gradient in a loop is five times slower on a CPU."""
    return steps == 1
