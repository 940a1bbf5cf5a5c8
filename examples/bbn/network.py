"""The network of two branches, the schedule of α, and what is compiled into a training."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from examples.bbn.methods import Adaptor


def adaptor_of(name: Adaptor, epochs: int) -> optax.Schedule:
    """The weight α of the uniform branch in each epoch, counted from 0."""
    if name == "cumulative":  # 1 - (t/T)² is the rise 1 - (1 - s)² read backwards
        rise = optax.polynomial_schedule(0.0, 1.0, power=2, transition_steps=epochs)
        return lambda epoch: rise(epochs - epoch)
    if name == "linear":
        return optax.linear_schedule(1.0, 0.0, epochs)
    return optax.constant_schedule(0.5)


class TwoBranches(nnx.Module):
    """A shared trunk, a last block for each branch, one classifier on both."""

    def __init__(self, features: int, hidden: int, classes: int, *, rngs: nnx.Rngs) -> None:
        self.trunk = nnx.Linear(features, hidden, rngs=rngs)
        self.uniform = nnx.Linear(hidden, hidden, rngs=rngs)
        self.reversed = nnx.Linear(hidden, hidden, rngs=rngs)
        self.output = nnx.Linear(2 * hidden, classes, rngs=rngs)

    def __call__(self, first: Array, second: Array, alpha: ArrayLike) -> Array:
        """Logits `[..., classes]` of the mixed features."""
        f_a = nnx.relu(self.uniform(nnx.relu(self.trunk(first))))
        f_b = nnx.relu(self.reversed(nnx.relu(self.trunk(second))))
        mixed = 2 * jnp.concatenate([alpha * f_a, (1 - alpha) * f_b], axis=-1)
        return self.output(mixed)


class TrainState(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a training: model, optimiser, shapes. Hashable."""

    features: int
    classes: int
    hidden: int
    batch_size: int
    steps: int  # of one epoch
    epochs: int
    learning_rate: float

    def model(self, key: Array) -> TwoBranches:
        """A freshly initialised model."""
        return TwoBranches(self.features, self.hidden, self.classes, rngs=nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """SGD with momentum and weight decay. Adam would undo the α of a branch's gradients."""
        rate = optax.cosine_decay_schedule(self.learning_rate, self.steps * self.epochs)
        return optax.chain(optax.add_decayed_weights(2e-4), optax.sgd(rate, momentum=0.9))

    def apply(self, params: nnx.State, first: Array, second: Array, alpha: ArrayLike) -> Array:
        """Logits; pure."""
        graphdef = nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))
        logits: Array = nnx.merge(graphdef, params, copy=True)(first, second, alpha)
        return logits

    def predict(self, params: nnx.State, images: Array) -> Array:
        """Logits at inference: both branches see the image, α = ½."""
        return self.apply(params, images, images, 0.5)
