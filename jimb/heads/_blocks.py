"""A walk over the classes of a linear layer, a block of logits at a time."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from jimb._axes import Names
from jimb._numerics import compute_dtype
from jimb._typing import Array, Bool, Float, Integer

Carry = TypeVar("Carry")


class Layer(NamedTuple):
    """What one device holds of a layer whose logits are `s·(x·W) + b`, and weights of its classes.

    Attributes:
      features: x, `[..., D]`.
      kernel: W, `[D, K]`.
      bias: b, `[K]`, or None for 0.
      scale: s, `[K]`, or None for 1.
      weights: `[K]`, those of a sum of logits; None if it is not asked for.
    """

    features: Float[Array, "*batch D"]
    kernel: Float[Array, "D K"]
    bias: Float[Array, " K"] | None = None
    scale: Float[Array, " K"] | None = None
    weights: Float[Array, " K"] | None = None


class Block(NamedTuple):
    """Some classes of a layer.

    Attributes:
      kernel: their columns, in the features' precision.
      plain: `x·W`, `[..., k]`, float32 or float64.
      logits: `s·(x·W) + b`.
      scale: s, shaped like a row of logits, or None.
      weights: likewise.
    """

    kernel: Float[Array, "D k"]
    plain: Float[Array, "*batch k"]
    logits: Float[Array, "*batch k"]
    scale: Array | None
    weights: Array | None


class Walk(NamedTuple):
    """How it is gone through, which is compiled in.

    Attributes:
      size: classes in a block.
      precision: of the products, as in `jax.lax.dot_general`.
      axes: mapped axes over which the classes are divided.
    """

    size: int
    precision: jax.lax.Precision | None
    axes: Names


# Logits of a block: on a CPU they should stay near its caches, elsewhere fill the machine.
_ENTRIES = {"cpu": 2**22}
_ENTRIES_ELSEWHERE = 2**26
_LEAST = 512  # classes, of which products are fast
_BLOCKS = 4  # with one or two XLA unrolls the loop, and keeps the blocks of the forward pass


def block_size(rows: int, num_classes: int) -> int:
    """Classes whose logits are computed together, from the platform and the size of the batch."""
    entries = _ENTRIES.get(jax.default_backend(), _ENTRIES_ELSEWHERE)
    wanted = max(min(entries // max(rows, 1), num_classes // _BLOCKS), _LEAST)
    blocks = math.ceil(num_classes / wanted)
    even = math.ceil(num_classes / blocks)
    return min(num_classes, 128 * math.ceil(even / 128))


def over_blocks(
    step: Callable[[Carry, Array | int, int], Carry], carry: Carry, num_classes: int, size: int
) -> Carry:
    """`step(carry, start, width)` for every block, of which the last may be smaller.

    One block comes before the loop: its result has the type, inside `jax.shard_map` too, that the
    loop keeps.
    """
    whole, rest = divmod(num_classes, size)
    before = (whole * size, rest) if rest else (0, size)
    carry = step(carry, jnp.int32(before[0]), before[1])
    starts = size * jnp.arange(0 if rest else 1, whole, dtype=jnp.int32)
    if starts.size == 0:
        return carry
    carry, _ = jax.lax.scan(lambda so_far, start: (step(so_far, start, size), None), carry, starts)
    return carry


def part_of(layer: Layer, start: Array | int, width: int) -> Layer:
    """The layer with some of its classes."""

    def part(table: Array) -> Array:
        return jax.lax.dynamic_slice_in_dim(table, start, width, axis=table.ndim - 1)

    return Layer(layer.features, *jax.tree.map(part, layer[1:]))


def block_of(layer: Layer, walk: Walk) -> Block:
    """The logits of a layer, of which there are not many."""
    features, columns = layer.features, layer.kernel.astype(layer.features.dtype)
    plain = product(features, columns, (features.ndim - 1,), (0,), walk)

    def row(table: Array | None) -> Array | None:
        if table is None:
            return None
        return table.astype(plain.dtype).reshape((1,) * (plain.ndim - 1) + table.shape)

    bias, scale, weights = row(layer.bias), row(layer.scale), row(layer.weights)
    logits = plain if scale is None else scale * plain
    logits = logits if bias is None else logits + bias
    return Block(columns, plain, logits, scale, weights)


def product(
    left: Array,
    right: Array,
    over_left: tuple[int, ...],
    over_right: tuple[int, ...],
    walk: Walk,
) -> Array:
    """The sum over these axes of a product, in float32 or float64."""
    return jax.lax.dot_general(
        left,
        right,
        ((over_left, over_right), ((), ())),
        precision=walk.precision,
        preferred_element_type=compute_dtype(left, right),
    )


def is_class(labels: Integer[Array, "*batch"], width: int) -> Bool[Array, "*batch k"]:
    """Which of a block's classes is the label, counted from the first of them."""
    classes = jnp.arange(width, dtype=jnp.int32).reshape((1,) * labels.ndim + (width,))
    return jnp.expand_dims(labels, -1) == classes


def first_of(size: int, axes: Names) -> Array | int:
    """The number of the first class that this device holds, where each holds as many."""
    return jax.lax.axis_index(axes) * size if axes else 0
