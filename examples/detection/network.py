"""The detector and one step of its training, in Flax NNX and Optax; pure functions of a state."""

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb
from examples import dense
from examples.detection import boxes
from examples.detection.methods import Method
from examples.detection.task import Batch


class State(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


class Detector(nnx.Module):
    """K class logits, and the distances to the sides of a box, at every location."""

    def __init__(self, width: int, num_classes: int, prior: float, *, rngs: nnx.Rngs) -> None:
        self.pyramid = dense.Pyramid(width, rngs=rngs)
        bias = partial(jimb.one_vs_all_bias_init, prior=prior)
        small = nnx.initializers.normal(0.01)
        self.classes = nnx.Linear(width, num_classes, kernel_init=small, bias_init=bias, rngs=rngs)
        self.sides = nnx.Linear(width, 4, kernel_init=small, rngs=rngs)

    def __call__(self, pixels: Array) -> tuple[Array, Array]:
        """Logits `[batch, height, width, K]` and boxes `[batch, height, width, 4]` of the grid."""
        features = self.pyramid(pixels)
        distances = 12 * jnp.exp(jnp.minimum(self.sides(features), 4))
        return self.classes(features), boxes.from_distances(distances)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled. Hashable."""

    width: int
    classes: int
    steps: int  # of the whole training
    learning_rate: float
    prior: float  # of each class at the start

    def model(self, key: Array) -> Detector:
        """Freshly initialised; those of one key differ by the classes' bias alone."""
        return Detector(self.width, self.classes, self.prior, rngs=nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a warmed-up cosine."""
        return dense.optimizer(self.learning_rate, self.steps)


@partial(jax.jit, static_argnames="recipe")
def init_state(key: Array, *, recipe: Recipe) -> State:
    """Before the first step."""
    params = nnx.state(recipe.model(key), nnx.Param)
    return State(params, recipe.optimizer.init(params))


def apply(params: nnx.State, pixels: Array, *, recipe: Recipe) -> tuple[Array, Array]:
    """Class logits and boxes of every location."""
    graph = nnx.graphdef(nnx.eval_shape(lambda: recipe.model(jax.random.key(0))))
    outputs: tuple[Array, Array] = nnx.merge(graph, params, copy=True)(pixels)
    return outputs


def train_step(
    state: State, batch: Batch, counts: Array, *, method: Method, recipe: Recipe
) -> tuple[State, Array]:
    """One step of the optimiser, and the loss before it: that of the classes and of the boxes."""

    def total_loss(params: nnx.State) -> Array:
        logits, found = apply(params, batch.pixels, recipe=recipe)
        targets = boxes.assign(batch.boxes, batch.labels, logits.shape[1:3], recipe.classes)
        objects = targets.live.sum()
        losses, weights = method.loss(logits, targets.classes, targets.considered, counts)
        of_classes = jimb.weighted_mean(losses, weights, normalizer=objects, min_normalizer=1)
        own = jnp.take_along_axis(
            found.reshape(len(found), -1, 4), targets.cells[..., None], axis=1
        )
        overlaps = boxes.giou_loss(own, batch.boxes)
        of_boxes = jimb.weighted_mean(overlaps, where=targets.live)
        return of_classes + of_boxes

    value, gradients = jax.value_and_grad(total_loss)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    return State(optax.apply_updates(state.params, updates), opt_state), value
