"""Settings that are compiled into a training: model, loss, optimiser, shapes."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

import jimb
from examples.training.hyper import Hyper
from examples.training.models import CNN, MLP, Architecture, EmbeddingBag, ResNet

Rebalance = Literal["always", "deferred", "progressive"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a training: model, loss, optimiser, shapes. Hashable."""

    features: int
    classes: int
    loss: str
    architecture: Architecture = "mlp"
    shape: tuple[int, ...] = ()  # of one input as an image, [height, width, channels]
    vocabulary: int = 0  # of an input of words: a word is below it
    hidden: int = 64
    dtype: str = "float32"  # of the model's computation; parameters and logits are float32
    augmented: bool = False  # flip and shift each training image
    batch_size: int = 64
    steps: int = 300  # of the whole training, for the learning rate's cosine
    learning_rate: float = 3e-3
    rebalance: Rebalance = "always"
    mining: bool = False  # train on the hardest of each batch only

    def model(self, key: Array) -> nnx.Module:
        """A freshly initialised model."""
        return build(self, nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a cosine to 0."""
        return optax.adamw(optax.cosine_decay_schedule(self.learning_rate, self.steps))

    @property
    def share(self) -> optax.Schedule:
        """How far the re-balancing is on at a step, from 0 to 1."""
        if self.rebalance == "deferred":
            off, on = optax.constant_schedule(0.0), optax.constant_schedule(1.0)
            return optax.join_schedules([off, on], [self.steps * 4 // 5])
        if self.rebalance == "progressive":
            return optax.linear_schedule(0.0, 1.0, self.steps)
        return optax.constant_schedule(1.0)

    def kept(self, losses: Array, labels: Array, hyper: Hyper) -> Array | None:
        """Weights of a batch's mean: its hardest examples, or None for all."""
        if not self.mining:
            return None
        weights: Array = jimb.mining.hard_example_weights(losses, keep=hyper.keep)
        return weights

    @property
    def graphdef(self) -> nnx.GraphDef:
        """The model without its arrays."""
        return nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))

    def apply(
        self, params: nnx.State, inputs: Array, batch_stats: nnx.State | None = None
    ) -> Array:
        """Logits, each input by itself; pure."""
        stats = nnx.State({}) if batch_stats is None else batch_stats
        model = nnx.merge(self.graphdef, params, stats, copy=True)
        model = nnx.view(model, use_running_average=True, raise_if_not_found=False)
        logits: Array = model(inputs)
        return logits

    def apply_to_batch(
        self, params: nnx.State, batch_stats: nnx.State, inputs: Array
    ) -> tuple[Array, nnx.State]:
        """Logits as in training, normalised over the batch, and the new running means."""
        model = nnx.merge(self.graphdef, params, batch_stats, copy=True)
        return model(inputs), nnx.state(model, nnx.BatchStat)


def build(recipe: Recipe, rngs: nnx.Rngs) -> nnx.Module:
    """The model of a recipe, freshly initialised.

    Raises:
      ValueError: the model needs images or words and the data has none, or has words and the model
        has no use for them.
    """
    name, has_words = recipe.architecture, recipe.vocabulary > 0
    if name == "bag" and not has_words:
        raise ValueError("--model bag needs words; wordnet has them.")
    if name != "bag" and has_words:
        raise ValueError(f"--model {name} has no use for words: use --model bag.")
    if name in ("cnn", "resnet-32") and not recipe.shape:
        raise ValueError(f"--model {name} needs images; digits, fashion-mnist and cifar have them.")
    dtype = None if recipe.dtype == "float32" else jnp.dtype(recipe.dtype)
    rest: dict[str, Any] = {"loss": recipe.loss, "dtype": dtype, "rngs": rngs}
    if name == "bag":
        return EmbeddingBag(recipe.vocabulary, recipe.hidden, recipe.classes, **rest)
    if name == "cnn":
        return CNN(recipe.shape, recipe.hidden, recipe.classes, **rest)
    if name == "resnet-32":
        return ResNet(recipe.shape, recipe.classes, **rest)
    return MLP(recipe.features, recipe.hidden, recipe.classes, **rest)
