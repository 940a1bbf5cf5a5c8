"""The network and one step of its training, in Flax NNX and Optax; pure functions of a state."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb


class State(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


class Rows(NamedTuple):
    """A training set or a batch of it."""

    inputs: Array  # [N, F]
    targets: Array  # [N], standardised
    weights: Array  # [N], of mean 1 over the training set


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled. Hashable."""

    features: int
    hidden: int
    batch_size: int
    steps: int  # of an epoch
    epochs: int
    learning_rate: float

    def model(self, key: Array) -> nnx.Sequential:
        """Two hidden layers, and one number."""
        rngs, wide = nnx.Rngs(key), self.hidden
        first = nnx.Linear(self.features, wide, rngs=rngs)
        second = nnx.Linear(wide, wide, rngs=rngs)
        return nnx.Sequential(first, nnx.relu, second, nnx.relu, nnx.Linear(wide, 1, rngs=rngs))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a cosine to 0."""
        steps = self.steps * self.epochs
        return optax.adamw(optax.cosine_decay_schedule(self.learning_rate, steps))


def init_state(key: Array, recipe: Recipe) -> State:
    """Before the first step."""
    params = nnx.state(recipe.model(key), nnx.Param)
    return State(params, recipe.optimizer.init(params))


def predict(params: nnx.State, inputs: Array, recipe: Recipe) -> Array:
    """Standardised targets `[N]`."""
    graph = nnx.graphdef(nnx.eval_shape(lambda: recipe.model(jax.random.key(0))))
    return nnx.merge(graph, params, copy=True)(inputs)[..., 0]


def train_step(state: State, batch: Rows, recipe: Recipe) -> State:
    """One step of the optimiser down the weighted mean of the absolute errors."""

    def mean_loss(params: nnx.State) -> Array:
        errors = jnp.abs(predict(params, batch.inputs, recipe) - batch.targets)
        return jimb.weighted_mean(errors, batch.weights, normalizer=recipe.batch_size)

    gradients = jax.grad(mean_loss)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    return State(optax.apply_updates(state.params, updates), opt_state)
