"""Between two epochs: the pass over the training set that learns nothing, and predictions."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import PartitionSpec

import jimb
from examples.training.recipe import Recipe
from examples.training.state import Data, TrainState

CHUNK = 4096  # inputs at a time, where nothing is learnt


class Pass(NamedTuple):
    """What the pass over the training set at the end of an epoch saw, `[N]` each."""

    losses: Array
    deltas: Array  # du + dl of this epoch


def init_pass(num_examples: int) -> Pass:
    """Before the first: all examples alike."""
    return Pass(jnp.ones(num_examples), jnp.ones(num_examples))


@jax.jit(static_argnames="recipe")
def end_epoch(state: TrainState, data: Data, *, recipe: Recipe) -> tuple[TrainState, Pass]:
    """One deterministic pass over the training set, which updates the difficulty."""
    before = state.difficulty
    after = jimb.difficulty.sweep(
        before,
        lambda models, x: recipe.apply(models[0], x, models[1]),
        (state.params, state.batch_stats),
        examples=data.inputs,
        labels=data.labels,
        chunk_size=CHUNK,
        mesh_axis=axis_of(before.unlearned),
    )
    return state._replace(difficulty=after), what_moved(before, after, data.labels)


def what_moved(
    before: jimb.difficulty.DifficultyState, after: jimb.difficulty.DifficultyState, labels: Array
) -> Pass:
    """What a pass over these examples saw."""
    assert after.log_probs is not None
    # Logarithms of probabilities are logits as good as any.
    losses = jimb.softmax_cross_entropy_loss(after.log_probs.astype(jnp.float32), labels)
    deltas = (after.unlearned - before.unlearned) + (after.learned - before.learned)
    return Pass(losses, deltas)


@jax.jit(static_argnames="recipe")
def end_chunk(
    state: TrainState, last: Pass, chunk: Data, start: Array, *, recipe: Recipe
) -> tuple[TrainState, Pass]:
    """A part of `end_epoch`: on each device, the rows of its share from `start` on.

    `chunk` has the rows of all devices, one device after the other.
    """
    Seen = tuple[jimb.difficulty.DifficultyState, Pass]

    def of_share(seen: Seen, model: Any, chunk: Data, start: Array) -> Seen:
        def part(x: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(x, start, len(chunk.labels))

        def written(x: Array, new: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(x, new, start, 0)

        before: jimb.difficulty.DifficultyState = jax.tree.map(part, seen[0])
        logits = recipe.apply(model[0], chunk.inputs, model[1])
        after = jimb.difficulty.update(before, logits, chunk.labels)
        new: Seen = jax.tree.map(written, seen, (after, what_moved(before, after, chunk.labels)))
        return new

    shares, everywhere = PartitionSpec(axis_of(chunk.labels)), PartitionSpec()
    difficulty, last = jax.shard_map(
        of_share, in_specs=(shares, everywhere, shares, everywhere), out_specs=shares
    )((state.difficulty, last), (state.params, state.batch_stats), chunk, start)
    return state._replace(difficulty=difficulty), last


@jax.jit(static_argnames="recipe")
def predict(state: TrainState, inputs: Array, *, recipe: Recipe) -> Array:
    """Logits of all inputs, in chunks that fit in memory; each device predicts its own share."""

    def logits(model: Any, inputs: Array) -> Array:
        def of_one(x: Array) -> Array:
            return recipe.apply(model[0], x[None], model[1])[0]

        return jax.lax.map(of_one, inputs, batch_size=CHUNK)

    model, axis = (state.params, state.batch_stats), axis_of(inputs)
    if axis is None:
        return logits(model, inputs)
    shares = PartitionSpec(axis)
    predicted: Array = jax.shard_map(logits, in_specs=(PartitionSpec(), shares), out_specs=shares)(
        model, inputs
    )
    return predicted


def axis_of(x: Array) -> Any:
    """The axis of the mesh that divides the rows; None if they are not divided."""
    spec = jax.typeof(x).sharding.spec
    return spec[0] if spec else None
