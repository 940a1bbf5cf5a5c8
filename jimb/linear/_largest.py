"""The largest logit of each row, and its class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb._numerics import compute_dtype
from jimb._typing import Array, Float, Integer
from jimb.linear._blocks import Layer, Walk, block_of, first_class, over_blocks

_NONE = np.int32(2**31 - 1)


class Largest(NamedTuple):
    """Of each row: the largest logit, NaN if one is, and the first class that has it."""

    value: Float[Array, "*batch"]
    place: Integer[Array, "*batch"]


def largest(layer: Layer, _: None, walk: Walk) -> Largest:
    """Without gradient."""
    offset = first_class(layer, walk)

    def step(so_far: Largest, start: Array | int, width: int) -> Largest:
        z = block_of(layer, start, width, walk).logits
        value = jnp.max(z, axis=-1, keepdims=True)
        is_largest = (z == value) | jnp.isnan(z)
        classes = (offset + start) + jnp.arange(width, dtype=jnp.int32)
        classes = classes.reshape((1,) * (z.ndim - 1) + classes.shape)
        place = jnp.min(jnp.where(is_largest, classes, _NONE), axis=-1)
        return _first(so_far, Largest(jnp.squeeze(value, -1), place))

    layer = jax.lax.stop_gradient(layer)
    batch = layer.features.shape[:-1]
    nothing = Largest(
        jnp.full(batch, -jnp.inf, compute_dtype(layer.features)), jnp.full(batch, _NONE)
    )
    found = over_blocks(step, nothing, layer.kernel.shape[1], walk.size)
    if not walk.axes:
        return found
    missing = jnp.isnan(found.value).astype(jnp.int32)
    value = jax.lax.pmax(found.value, walk.axes)
    value = jnp.where(jax.lax.pmax(missing, walk.axes) > 0, jnp.nan, value)
    place = jnp.where(_is(found.value, value), found.place, _NONE)
    return Largest(value, jax.lax.pmin(place, walk.axes))


def _first(left: Largest, right: Largest) -> Largest:
    value = jnp.maximum(left.value, right.value)
    places = [jnp.where(_is(x.value, value), x.place, _NONE) for x in (left, right)]
    return Largest(value, jnp.minimum(*places))


def _is(value: Array, largest: Array) -> Array:
    return (value == largest) | (jnp.isnan(value) & jnp.isnan(largest))
