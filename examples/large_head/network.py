"""The network and one step of its training, in plain JAX and Optax. All pure.

A gloss is the sum of its words' vectors over the root of their number: a text of many words would
else be longer, their mean shorter. The head has a column for each class. The step is the same on
one device and on a mesh, where the parameters' shardings say what lies where.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import jimb
from examples.large_head.methods import LossFn
from examples.large_head.settings import Head
from examples.training import Data


class Params(NamedTuple):
    """What is learnt."""

    vectors: Array  # [vocabulary, D]
    kernel: Array  # [D, K]
    bias: Array  # [K]


class State(NamedTuple):
    """Everything that changes."""

    params: Params
    opt_state: optax.OptState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled. Hashable."""

    vocabulary: int
    classes: int
    hidden: int
    batch_size: int
    steps: int  # of the whole training
    learning_rate: float
    head: Head
    block_size: int = 1024  # classes, where logits are not stored
    axis_name: str | None = None  # of a mesh, that divides the classes

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam along a cosine to 0."""
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.steps))


def init_state(key: Array, recipe: Recipe) -> State:
    """Before the first step: random vectors of length about 1, and a head of zeros."""
    vectors = jax.random.normal(key, (recipe.vocabulary, recipe.hidden)) / recipe.hidden**0.5
    kernel = jnp.zeros((recipe.hidden, recipe.classes))
    params = Params(vectors, kernel, jnp.zeros(recipe.classes))
    return State(params, recipe.optimizer.init(params))


def logits_of(params: Params, words: Array, *, recipe: Recipe) -> Any:
    """Logits of word numbers `[batch, L]`, where 0 is no word: an array, or what stands for it."""
    real = (words != 0)[..., None]
    total = jnp.where(real, params.vectors[words], 0).sum(-2)
    features = total / jnp.sqrt(jnp.maximum(real.sum(-2), 1))
    if recipe.head == "unstored":
        return jimb.LinearLogits(
            features,
            params.kernel,
            params.bias,
            axis_name=recipe.axis_name,
            block_size=recipe.block_size,
        )
    return features @ params.kernel + params.bias


def classes_of(params: Params, words: Array, *, recipe: Recipe) -> Array:
    """The class of the largest logit, `[batch]`."""
    predicted: Array = logits_of(params, words, recipe=recipe).argmax(-1)
    return predicted


def train_step(
    state: State, batch: Data, prior: Array, *, loss: LossFn, recipe: Recipe
) -> tuple[State, Array]:
    """One step of the optimiser, and the mean loss before it."""

    def mean_loss(params: Params) -> Array:
        logits = logits_of(params, batch.inputs, recipe=recipe)
        return jimb.weighted_mean(loss(logits, batch.labels, prior))

    value, gradients = jax.value_and_grad(mean_loss)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state)
    return State(optax.apply_updates(state.params, updates), opt_state), value
