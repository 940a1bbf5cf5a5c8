"""The network and one step of its training, in Flax NNX and Optax; pure functions of a state."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from examples import dense
from examples.segmentation.methods import Frequencies, LossFn
from examples.segmentation.task import Batch

SCALE = 4.0  # of normalised features at the start; with 1 the logits grow slowly


class State(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


class Segmenter(nnx.Module):
    """K + 1 logits for each pixel, or for one in each square of `stride`².

    The features of each location are normalised, which bounds the logits. Where these can grow
    freely, a loss of overlap drives them in its first steps to where the softmax is 0 or 1 and has
    no gradient; cross-entropy comes back from there.
    """

    def __init__(self, width: int, num_classes: int, stride: int, *, rngs: nnx.Rngs) -> None:
        self.pyramid = dense.Pyramid(width, rngs=rngs)
        self.block = dense.STRIDE // stride
        self.norm = nnx.RMSNorm(width, scale_init=nnx.initializers.constant(SCALE), rngs=rngs)
        small = nnx.initializers.normal(0.01)
        outputs = self.block**2 * num_classes
        self.classes = nnx.Linear(width, outputs, kernel_init=small, rngs=rngs)

    def __call__(self, pixels: Array) -> Array:
        """Logits `[batch, height / stride, width / stride, K + 1]`."""
        return to_pixels(self.classes(self.norm(self.pyramid(pixels))), self.block)


def to_pixels(x: Array, block: int) -> Array:
    """Depth to space: `[batch, h, w, block² · C]` to `[batch, h · block, w · block, C]`."""
    batch, height, width, _ = x.shape
    squares = x.reshape(batch, height, width, block, block, -1).swapaxes(2, 3)
    return squares.reshape(batch, height * block, width * block, -1)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled. Hashable."""

    width: int
    classes: int  # with the background
    stride: int
    steps: int  # of the whole training
    learning_rate: float

    def model(self, key: Array) -> Segmenter:
        """Freshly initialised, the same for every method."""
        return Segmenter(self.width, self.classes, self.stride, rngs=nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a warmed-up cosine."""
        return dense.optimizer(self.learning_rate, self.steps)


def init_state(key: Array, *, recipe: Recipe) -> State:
    """Before the first step."""
    params = nnx.state(recipe.model(key), nnx.Param)
    return State(params, recipe.optimizer.init(params))


def logits_of(params: nnx.State, pixels: Array, *, recipe: Recipe) -> Array:
    """The network's outputs."""
    graph = nnx.graphdef(nnx.eval_shape(lambda: recipe.model(jax.random.key(0))))
    logits: Array = nnx.merge(graph, params, copy=True)(pixels)
    return logits


def train_step(
    state: State, batch: Batch, frequencies: Frequencies, *, loss: LossFn, recipe: Recipe
) -> tuple[State, Array]:
    """One step of the optimiser, and the loss before it."""

    def of_batch(params: nnx.State) -> Array:
        logits = logits_of(params, jnp.asarray(batch.pixels), recipe=recipe)
        return loss(logits, jnp.asarray(batch.labels), frequencies)

    value, gradients = jax.value_and_grad(of_batch)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    return State(optax.apply_updates(state.params, updates), opt_state), value
