"""The models of `train.py`: rows of inputs to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec
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


class EmbeddingBag(nnx.Module):
    """The mean of the vectors of an input's words, whatever their order."""

    def __init__(
        self,
        vocabulary: int,
        hidden: int,
        classes: int,
        *,
        loss: str,
        rngs: nnx.Rngs,
        dtype: jax.typing.DTypeLike | None = None,
    ) -> None:
        init = nnx.initializers.normal(hidden**-0.5)  # a vector's length is about 1
        self.vectors = nnx.Param(init(rngs.params(), (vocabulary, hidden), jnp.float32))
        self.dtype = dtype
        self.output = Head(hidden, classes, loss=loss, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Logits `[batch, classes]` of word numbers `[batch, L]`; 0 is padding, no word.

        A number outside the vocabulary makes its logits NaN.
        """
        words = jax.typeof(inputs).sharding
        vectors = self.vectors[...].astype(self.dtype or jnp.float32)
        looked_up = vectors.at[inputs].get(
            mode="fill",
            fill_value=jnp.nan,
            wrap_negative_indices=False,
            out_sharding=NamedSharding(words.mesh, PartitionSpec(*words.spec, None)),
        )
        real = inputs != 0
        total = jnp.where(real[..., None], looked_up, 0).sum(-2)
        count = jnp.maximum(real.sum(-1, keepdims=True), 1)
        return self.output(total / count.astype(total.dtype))


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
    head: dict[str, Any] = {"loss": recipe.loss, "rngs": rngs}
    head["dtype"] = None if recipe.dtype == "float32" else jnp.dtype(recipe.dtype)
    if name == "bag":
        return EmbeddingBag(recipe.vocabulary, recipe.hidden, recipe.classes, **head)
    return MLP(recipe.features, recipe.hidden, recipe.classes, **head)


def augment(keys: Array, inputs: Array, shape: tuple[int, ...]) -> Array:
    """Each image of a batch flipped and shifted by its own key."""
    raise NotImplementedError
