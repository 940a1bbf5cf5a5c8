"""The compiled epoch, and the measures of a trained model."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import jimb
from examples.large_head.methods import LossFn
from examples.large_head.network import Params, Recipe, State, classes_of, train_step
from examples.training import Data

CHUNK = 512  # glosses at a time, where nothing is learnt
MANY_ABOVE, FEW_BELOW = 20, 5  # training examples of a class


class Scores(NamedTuple):
    """Shares of 1."""

    accuracy: Array
    balanced: Array
    many: Array
    medium: Array
    few: Array


@jax.jit(static_argnames=("loss", "recipe"), donate_argnames="state")
def run_epoch(
    key: Array,
    state: State,
    data: Data,
    counts: Array,
    power: Array,
    *,
    loss: LossFn,
    recipe: Recipe,
) -> tuple[State, Array]:
    """Draws a plan, each class ∝ n^power, and trains on it: `(state, loss of each step)`."""
    num_steps = -(-data.labels.shape[0] // recipe.batch_size)
    weights = jimb.sampling.class_power(data.labels, counts, power=power)
    plan = jimb.sampling.epoch_plan(key, weights, num_steps * recipe.batch_size)
    prior = counts / counts.sum()

    def step(state: State, positions: Array) -> tuple[State, Array]:
        batch = Data(data.inputs[positions], data.labels[positions])
        return train_step(state, batch, prior, loss=loss, recipe=recipe)

    return jax.lax.scan(step, state, plan.reshape(num_steps, recipe.batch_size))


@jax.jit(static_argnames="recipe")
def predict(params: Params, words: Array, *, recipe: Recipe) -> Array:
    """The class of the largest logit, in chunks that fit in memory."""
    chunks = -(-len(words) // CHUNK)
    padded = jnp.pad(words, ((0, chunks * CHUNK - len(words)), (0, 0)))

    def of_chunk(words: Array) -> Array:
        return classes_of(params, words, recipe=recipe)

    predictions: Array = jax.lax.map(of_chunk, padded.reshape(chunks, CHUNK, -1))
    return predictions.reshape(-1)[: len(words)]


@jax.jit
def score(predictions: Array, labels: Array, counts: Array) -> Scores:
    """Accuracy of the examples, mean recall of the tested classes, and of their three groups."""
    tally = jimb.metrics.init_tally(counts.shape[0])
    tally = jimb.metrics.update(tally, predictions, labels)
    shots = jimb.metrics.shot_accuracy(tally, counts, many_above=MANY_ABOVE, few_below=FEW_BELOW)
    return Scores(jimb.metrics.accuracy(tally), jimb.metrics.balanced_accuracy(tally), *shots)
