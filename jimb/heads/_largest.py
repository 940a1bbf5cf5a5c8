"""The largest logit of each row, and its class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb._axes import Names
from jimb._numerics import compute_dtype
from jimb._typing import Array, Float, Integer
from jimb.heads._blocks import Layer, Walk, block_of, over_blocks, part_of

_NONE = np.int32(2**31 - 1)


class Largest(NamedTuple):
    """Of each row: the largest logit, NaN if one is, and the first class that has it."""

    value: Float[Array, "*batch"]
    place: Integer[Array, "*batch"]


def largest(layer: Layer, _: None, walk: Walk) -> Largest:
    """Of a layer, without gradient."""

    def step(so_far: Largest, start: Array | int, width: int) -> Largest:
        found = _of_block(block_of(part_of(layer, start, width), walk).logits, start)
        value = jnp.maximum(so_far.value, found.value)
        places = [jnp.where(_is(x.value, value), x.place, _NONE) for x in (so_far, found)]
        return Largest(value, jnp.minimum(*places))

    layer = jax.lax.stop_gradient(layer)
    batch = layer.features.shape[:-1]
    lowest = jnp.full(batch, -jnp.inf, compute_dtype(layer.features))
    own = over_blocks(
        step, Largest(lowest, jnp.full(batch, _NONE)), layer.kernel.shape[1], walk.size
    )
    return _over_devices(own, layer.kernel.shape[1], walk.axes)


def largest_of(logits: Float[Array, "*batch k"], axes: Names) -> Largest:
    """Of logits, each device's of its own classes, without gradient."""
    logits = jax.lax.stop_gradient(logits)
    return _over_devices(_of_block(logits, 0), logits.shape[-1], axes)


def _of_block(z: Array, start: Array | int) -> Largest:
    value = jnp.max(z, axis=-1, keepdims=True)
    classes = start + jnp.arange(z.shape[-1], dtype=jnp.int32)
    classes = classes.reshape((1,) * (z.ndim - 1) + classes.shape)
    place = jnp.min(jnp.where((z == value) | jnp.isnan(z), classes, _NONE), axis=-1)
    return Largest(jnp.squeeze(value, -1), place)


def _over_devices(own: Largest, size: int, axes: Names) -> Largest:
    if not axes:
        return own
    first = jax.lax.axis_index(axes) * size
    missing = jax.lax.pmax(jnp.isnan(own.value).astype(jnp.int32), axes) > 0
    value = jnp.where(missing, jnp.nan, jax.lax.pmax(own.value, axes))
    place = jnp.where(_is(own.value, value), first + own.place, _NONE)
    return Largest(value, jax.lax.pmin(place, axes))


def _is(value: Array, largest: Array) -> Array:
    return (value == largest) | (jnp.isnan(value) & jnp.isnan(largest))
