"""The compiled epoch: its models, from rows of inputs to logits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec

import jimb
from examples.training.losses import COSINE, ONE_VS_ALL

Architecture = Literal["mlp", "cnn", "resnet-32", "bag"]


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


class CNN(nnx.Module):
    """Two convolutions, each halved by max-pooling, and one hidden layer."""

    def __init__(
        self,
        shape: tuple[int, ...],
        hidden: int,
        classes: int,
        *,
        loss: str,
        rngs: nnx.Rngs,
        dtype: jax.typing.DTypeLike | None = None,
    ) -> None:
        height, width, channels = self.shape = shape
        self.first = nnx.Conv(channels, 16, (3, 3), dtype=dtype, rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), dtype=dtype, rngs=rngs)
        pooled = (height // 4) * (width // 4) * 32
        self.hidden = nnx.Linear(pooled, hidden, dtype=dtype, rngs=rngs)
        self.output = Head(hidden, classes, loss=loss, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Logits `[batch, classes]` of images as rows, `[batch, features]`."""
        x = inputs.reshape(len(inputs), *self.shape)
        for convolution in (self.first, self.second):
            x = nnx.max_pool(nnx.relu(convolution(x)), (2, 2), (2, 2))  # type: ignore[no-untyped-call]
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1))))


class ConvNorm(nnx.Module):
    """A 3×3 convolution and batch normalisation, whose numbers are float32 in any `dtype`.

    On a mesh, mean and variance are those of the whole batch: the batch is one array, whatever its
    sharding.
    """

    def __init__(
        self,
        features: int,
        out: int,
        *,
        stride: int = 1,
        rngs: nnx.Rngs,
        dtype: jax.typing.DTypeLike | None = None,
    ) -> None:
        self.conv = nnx.Conv(
            features,
            out,
            (3, 3),
            strides=stride,
            padding=1,
            use_bias=False,
            kernel_init=nnx.initializers.variance_scaling(2.0, "fan_in", "normal"),
            dtype=dtype,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(out, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """`[batch, height, width, features]` to `[batch, height / stride, width / stride, out]`."""
        convolved = self.conv(x)
        normalised: Array = self.norm(convolved.astype(jnp.float32)).astype(convolved.dtype)
        return normalised


class Block(nnx.Module):
    """Two convolutions beside a shortcut without parameters."""

    def __init__(self, features: int, out: int, **kwargs: Any) -> None:
        self.stride, self.widen = (1, 0) if features == out else (2, (out - features) // 2)
        self.first = ConvNorm(features, out, stride=self.stride, **kwargs)
        self.second = ConvNorm(out, out, **kwargs)

    def __call__(self, x: Array) -> Array:
        """At a change of width, the shortcut takes every second pixel and adds zero channels."""
        short = x[:, :: self.stride, :: self.stride]
        short = jnp.pad(short, [(0, 0)] * 3 + [(self.widen, self.widen)])
        residual = self.second(nnx.relu(self.first(x)))
        return nnx.relu(residual + short.astype(residual.dtype))


class ResNet(nnx.Module):
    """The residual network for CIFAR of 6n + 2 layers (He et al., CVPR 2016, section 4.2).

    Three stages of n blocks, 16, 32 and 64 channels wide, then the mean over the image.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        blocks: int = 5,
        loss: str,
        rngs: nnx.Rngs,
        dtype: jax.typing.DTypeLike | None = None,
    ) -> None:
        self.shape = shape
        self.stem = ConvNorm(shape[-1], 16, dtype=dtype, rngs=rngs)
        widths = [16] * (blocks + 1) + [32] * blocks + [64] * blocks
        self.blocks = nnx.List(
            Block(features, out, dtype=dtype, rngs=rngs) for features, out in pairwise(widths)
        )
        self.output = Head(64, classes, loss=loss, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        """Logits `[batch, classes]` of images as rows, `[batch, features]`."""
        x = nnx.relu(self.stem(inputs.reshape(len(inputs), *self.shape)))
        for block in self.blocks:
            x = block(x)
        return self.output(x.astype(jnp.float32).mean((1, 2)))
