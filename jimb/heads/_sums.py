"""What a softmax loss needs of a row of logits, block by block, and its gradient the same way.

For a row and its label y: `m = max_{j≠y} z_j`, `S = Σ_{j≠y} exp(z_j - m)`, and `z_y`, of which the
margin is `(m - z_y) + log S`. The backward pass computes each block again. It begins when the
cotangent of each row is known, so that losses may be weighed after they are computed.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jimb import _axes
from jimb._axes import Names
from jimb._numerics import compute_dtype
from jimb._typing import Array, Float, Integer
from jimb.heads._blocks import (
    Layer,
    Walk,
    block_of,
    first_of,
    is_class,
    over_blocks,
    part_of,
    product,
)


class Sums(NamedTuple):
    """Of each row, `[...]`. `largest` counts as a constant: `total` has the derivative of both.

    Attributes:
      largest: m, the largest logit of another class; -inf if there is none.
      total: S, at least 1 where there is another class.
      own: z_y, the label's logit.
      weighted: `Σ_c w_c z_c` with the weights of the layer, or None.
    """

    largest: Float[Array, "*batch"]
    total: Float[Array, "*batch"]
    own: Float[Array, "*batch"]
    weighted: Float[Array, "*batch"] | None


def sums_of(
    logits: Float[Array, "*batch k"],
    labels: Integer[Array, "*batch"],
    weights: Float[Array, " k"] | None,
    axes: Names,
) -> Sums:
    """Of stored logits in float32 or float64, each device's of its own classes."""
    size = logits.shape[-1]
    own = labels - first_of(size, axes)
    row = None if weights is None else weights.reshape((1,) * labels.ndim + weights.shape)
    nothing = _nothing(jnp.zeros(labels.shape, logits.dtype), weights)
    return _over_devices(_added(nothing, logits, own, row), axes)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def sums(layer: Layer, labels: Integer[Array, "*batch"], walk: Walk) -> Sums:
    """Of a layer; labels are of the classes of all devices."""
    return _forward(layer, labels, walk)[0]


def _forward(layer: Layer, labels: Array, walk: Walk) -> tuple[Sums, tuple[Layer, Array, Array]]:
    labels = labels - first_of(layer.kernel.shape[1], walk.axes)

    @_once_more
    def with_block(so_far: Sums, part: Layer, own: Array) -> Sums:
        block = block_of(part, walk)
        return _added(so_far, block.logits, own, block.weights)

    def step(so_far: Sums, start: Array | int, width: int) -> Sums:
        added: Sums = with_block(so_far, part_of(layer, start, width), labels - start)
        return added

    nothing = _nothing(jnp.zeros(labels.shape, compute_dtype(layer.features)), layer.weights)
    own = over_blocks(step, nothing, layer.kernel.shape[1], walk.size)
    found = _over_devices(own, walk.axes)
    return found, (layer, labels, found.largest)


def _nothing(zero: Array, weights: Array | None) -> Sums:
    return Sums(zero - jnp.inf, zero, zero, None if weights is None else zero)


def _added(so_far: Sums, logits: Array, labels: Array, weights: Array | None) -> Sums:
    """The sums with more classes, from the first of which labels are counted."""
    is_label = is_class(labels, logits.shape[-1])
    others = jnp.where(is_label, -jnp.inf, logits)
    largest = jnp.maximum(so_far.largest, jax.lax.stop_gradient(jnp.max(others, axis=-1)))
    odds = jnp.exp(others - jnp.expand_dims(_finite(largest), -1))
    total = _rescaled(so_far, largest) + jnp.sum(odds, axis=-1)
    own = so_far.own + jnp.sum(jnp.where(is_label, logits, 0), axis=-1)
    if weights is None or so_far.weighted is None:
        return Sums(largest, total, own, None)
    terms = jnp.where(weights == 0, 0, weights * logits)
    return Sums(largest, total, own, so_far.weighted + jnp.sum(terms, axis=-1))


def _over_devices(own: Sums, axes: Names) -> Sums:
    """The sums with the classes of all devices."""
    if not axes:
        return own
    largest = jax.lax.pmax(jax.lax.stop_gradient(own.largest), axes)
    parts = _rescaled(own, largest), own.own, own.weighted
    return Sums(largest, *_axes.summed_once(parts, axes))


def _rescaled(sums: Sums, largest: Array) -> Array:
    """The total for another largest logit."""
    return sums.total * jnp.exp(sums.largest - _finite(largest))


def _finite(largest: Array) -> Array:
    return jnp.where(jnp.isfinite(largest), largest, 0)


def _once_more(function: Callable[..., Any]) -> Callable[..., Any]:
    """For second derivatives: a block is computed again, and not kept."""
    return jax.checkpoint(function, prevent_cse=False)


class _Slopes(NamedTuple):
    """What the backward pass knows of each row, `[..., 1]` each."""

    base: Array
    of_total: Array
    of_own: Array
    of_weighted: Array | None


def _backward(
    walk: Walk, residuals: tuple[Layer, Array, Array], cotangents: Sums
) -> tuple[Layer, None]:
    layer, labels, largest = residuals
    given = [x for x in cotangents[1:] if x is not None]
    # What has no part in the result has none in the gradient either, even if it is NaN.
    counts = functools.reduce(jnp.logical_or, [x != 0 for x in given])
    layer = layer._replace(features=jnp.where(jnp.expand_dims(counts, -1), layer.features, 0))
    base = jnp.where(counts & jnp.isfinite(largest), largest, jnp.inf)
    columns = [jnp.expand_dims(x, -1) for x in (base, *given)]
    rows = _Slopes(*columns, *[None] * (4 - len(columns)))

    @_once_more
    def of_block(part: Layer, labels: Array, rows: _Slopes) -> Layer:
        return _gradient(part, labels, rows, walk)

    def step(so_far: Layer, start: Array | int, width: int) -> Layer:
        own = of_block(part_of(layer, start, width), labels - start, rows)

        def put(whole: Array, part: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(whole, part, start, axis=whole.ndim - 1)

        return Layer(so_far.features + own.features, *jax.tree.map(put, so_far[1:], own[1:]))

    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, base.dtype), layer)
    gradient = over_blocks(step, zeros, layer.kernel.shape[1], walk.size)
    return jax.tree.map(lambda x, like: x.astype(like.dtype), gradient, layer), None


def _gradient(layer: Layer, labels: Array, rows: _Slopes, walk: Walk) -> Layer:
    """Of one block, by its classes; by the features the block's share."""
    block, batch = block_of(layer, walk), tuple(range(labels.ndim))
    slopes = rows.of_total * jnp.exp(block.logits - rows.base)
    slopes = jnp.where(is_class(labels, slopes.shape[-1]), rows.of_own, slopes)
    bias = scale = weights = None
    if block.weights is not None and rows.of_weighted is not None:
        slopes = slopes + rows.of_weighted * block.weights
        finite = jnp.where(jnp.isfinite(block.logits), block.logits, 0)
        weights = jnp.sum(rows.of_weighted * finite, axis=batch)
    if layer.bias is not None:
        bias = jnp.sum(slopes, axis=batch)
    if block.scale is not None:
        scale = jnp.sum(slopes * block.plain, axis=batch)
        slopes = slopes * block.scale
    low = slopes.astype(layer.features.dtype)
    features = product(low, block.kernel, (labels.ndim,), (1,), walk)
    return Layer(features, product(layer.features, low, batch, batch, walk), bias, scale, weights)


sums.defvjp(_forward, _backward)
