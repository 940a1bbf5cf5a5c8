"""The network and one step of its training, in Flax NNX and Optax; pure functions of a state."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb
from examples.multi_label.methods import Method, Tables
from examples.training import Data, EmbeddingBag


class State(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled. Hashable."""

    vocabulary: int
    labels: int
    hidden: int
    batch_size: int
    steps: int  # of the whole training
    learning_rate: float

    def model(self, key: Array) -> EmbeddingBag:
        """The mean of the words' vectors and a linear head, whose labels all start at 1/K."""
        rngs = nnx.Rngs(key)
        return EmbeddingBag(self.vocabulary, self.hidden, self.labels, loss="sigmoid", rngs=rngs)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam along a cosine to 0."""
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.steps))


def init_state(key: Array, tables: Tables, *, method: Method, recipe: Recipe) -> State:
    """Before the first step; the methods of one key differ by the bias alone."""
    model = recipe.model(key)
    shape = (recipe.labels,)
    if method.start == "frequency":
        counts = {"counts": tables.counts, "num_examples": tables.num_examples}
        model.output.bias = nnx.Param(jimb.one_vs_all_bias_init(key, shape, **counts))
    if method.start == "half":
        model.output.bias = nnx.Param(jnp.zeros(shape))
    params = nnx.state(model, nnx.Param)
    return State(params, recipe.optimizer.init(params))


def logits_of(params: nnx.State, words: Array, *, recipe: Recipe) -> Array:
    """Logits `[batch, K]`."""
    graph = nnx.graphdef(nnx.eval_shape(lambda: recipe.model(jax.random.key(0))))
    logits: Array = nnx.merge(graph, params, copy=True)(words)
    return logits


def train_step(
    state: State, batch: Data, tables: Tables, *, method: Method, recipe: Recipe
) -> tuple[State, Array]:
    """One step of the optimiser, and the mean loss before it."""

    def mean_loss(params: nnx.State) -> Array:
        logits = logits_of(params, batch.inputs, recipe=recipe)
        return jnp.mean(method.loss(logits, batch.labels, tables).sum(-1))

    value, gradients = jax.value_and_grad(mean_loss)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state)
    return State(optax.apply_updates(state.params, updates), opt_state), value
