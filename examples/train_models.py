"""The models of `train.py`: rows of inputs to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from train_losses import COSINE, ONE_VS_ALL

import jimb

if TYPE_CHECKING:
    from training import Recipe


class Head(nnx.Linear):
    """The output that a loss asks for, in float32; one-vs-all losses start at one in K."""

    def __init__(self, features: int, classes: int, *, loss: str, rngs: nnx.Rngs) -> None:
        bias_init = jimb.one_vs_all_bias_init if loss in ONE_VS_ALL else nnx.initializers.zeros
        super().__init__(features, classes, bias_init=bias_init, rngs=rngs)
        self.cosine = loss in COSINE

    def __call__(self, inputs: Array, out_sharding: Any = None) -> Array:
        """Logits `[..., classes]`, cosines for LDAM."""
        features = inputs.astype(jnp.float32)
        if self.cosine:
            return jimb.cosine_logits(features, self.kernel[...])
        logits: Array = super().__call__(features, out_sharding)
        return logits


class MLP(nnx.Module):
    """One hidden layer."""

    def __init__(
        self,
        features: int,
        hidden: int,
        classes: int,
        *,
        loss: str,
        rngs: nnx.Rngs,
        dtype: jax.typing.DTypeLike | None = None,
    ) -> None:
        self.hidden = nnx.Linear(features, hidden, dtype=dtype, rngs=rngs)
        self.output = Head(hidden, classes, loss=loss, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Logits `[..., classes]`."""
        return self.output(nnx.relu(self.hidden(inputs)))


def build(recipe: Recipe, rngs: nnx.Rngs) -> nnx.Module:
    """The model of a recipe, freshly initialised."""
    dtype = None if recipe.dtype == "float32" else jnp.dtype(recipe.dtype)
    return MLP(
        recipe.features, recipe.hidden, recipe.classes, loss=recipe.loss, dtype=dtype, rngs=rngs
    )


def augment(keys: Array, inputs: Array, shape: tuple[int, ...]) -> Array:
    """Each image of a batch flipped and shifted by its own key."""
    raise NotImplementedError
