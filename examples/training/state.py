"""Data, and the state: everything that changes in a training."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb
from examples.training.adaptive import init_loss
from examples.training.recipe import Recipe


class Data(NamedTuple):
    """A training set on the device."""

    inputs: Array  # [N, features]
    labels: Array  # [N]


class TrainState(NamedTuple):
    """Everything that changes; a checkpoint of it resumes the training."""

    step: Array
    params: nnx.State
    batch_stats: nnx.State  # running means of batch normalisation, where the model has it
    opt_state: optax.OptState
    difficulty: jimb.difficulty.DifficultyState
    loss: Any  # what the loss has seen of the classes, where it is one that learns


def init_state(key: Array, recipe: Recipe, num_examples: int) -> TrainState:
    """The state before the first epoch."""
    model = recipe.model(key)
    params, batch_stats = nnx.state(model, nnx.Param), nnx.state(model, nnx.BatchStat)
    difficulty = jimb.difficulty.init(num_examples, recipe.classes, dtype=jnp.float32)
    opt_state = recipe.optimizer.init(params)
    loss = init_loss(recipe.loss, recipe.classes)
    return TrainState(jnp.int32(0), params, batch_stats, opt_state, difficulty, loss)
