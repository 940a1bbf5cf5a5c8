"""Boxes: where they stand on the grid of locations, how much two overlap, which are one too many.

A box is left, top, right, bottom in pixels, `[..., 4]`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from examples.dense import STRIDE


class Targets(NamedTuple):
    """What a canvas's locations should say; `height` and `width` are those of the grid."""

    classes: Array  # [batch, height, width, K], 1 for the class of an object whose centre it is
    considered: Array  # [batch, height, width], False beside a centre
    cells: Array  # [batch, M], number of each object's location; 0 where no object is
    live: Array  # [batch, M], whether there is an object


def assign(boxes: Array, labels: Array, grid: tuple[int, ...], num_classes: int) -> Targets:
    """An object belongs to the one location whose square has its centre.

    The eight locations around it see the same object: they are asked nothing, as an anchor that
    overlaps an object by half is asked nothing in RetinaNet.

    Args:
      boxes: `[batch, M, 4]`.
      labels: `[batch, M]`, -1 where no object is.
      grid: locations in a column and in a row.
      num_classes: K.
    """
    height, width = grid
    live = labels >= 0
    column, row = (((boxes[..., i] + boxes[..., i + 2]) / (2 * STRIDE)).astype(int) for i in (0, 1))
    rows_apart = jnp.abs(jnp.arange(height)[:, None] - row[..., None, None])
    columns_apart = jnp.abs(jnp.arange(width) - column[..., None, None])
    apart = jnp.where(live[..., None, None], jnp.maximum(rows_apart, columns_apart), height + width)
    own = (apart == 0).astype(jnp.float32)  # [batch, M, height, width]
    names = jax.nn.one_hot(labels, num_classes)
    classes = jnp.einsum("bmhw,bmk->bhwk", own, names)
    considered = (apart == 0).any(1) | (apart > 1).all(1)
    return Targets(classes, considered, jnp.where(live, row * width + column, 0), live)


def from_distances(distances: Array) -> Array:
    """Boxes of every location, `[..., height, width, 4]`, from the distances to their four sides.

    FCOS: left, top, right and bottom of the location's centre, in pixels.
    """
    height, width = distances.shape[-3:-1]
    x = (jnp.arange(width) + 0.5) * STRIDE
    y = ((jnp.arange(height) + 0.5) * STRIDE)[:, None]
    left, top, right, bottom = jnp.moveaxis(distances, -1, 0)
    return jnp.stack([x - left, y - top, x + right, y + bottom], -1)


def areas(boxes: Array) -> Array:
    """Of each, 0 where it is turned inside out."""
    return jnp.prod(jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1)


def overlap(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Intersection over union, and the area of the union."""
    corners = (
        jnp.maximum(ours[..., :2], theirs[..., :2]),
        jnp.minimum(ours[..., 2:], theirs[..., 2:]),
    )
    shared = areas(jnp.concatenate(corners, -1))
    union = jnp.maximum(areas(ours) + areas(theirs) - shared, 1e-6)
    return shared / union, union


def giou_loss(ours: Array, theirs: Array) -> Array:
    """One minus the generalised intersection over union (Rezatofighi et al., CVPR 2019)."""
    ratio, union = overlap(ours, theirs)
    corners = (
        jnp.minimum(ours[..., :2], theirs[..., :2]),
        jnp.maximum(ours[..., 2:], theirs[..., 2:]),
    )
    hull = jnp.maximum(areas(jnp.concatenate(corners, -1)), 1e-6)
    return 1 - ratio + (hull - union) / hull


def not_suppressed(boxes: Array, classes: Array, threshold: float = 0.5) -> Array:
    """Which boxes `[n, 4]`, the best first, overlap no better one of their class by so much."""
    ratio, _ = overlap(boxes[:, None], boxes)
    rivals = (ratio > threshold) & (classes[:, None] == classes)

    def decide(kept: Array, i: Array) -> tuple[Array, None]:
        earlier = jnp.arange(len(boxes)) < i
        return kept.at[i].set(~(rivals[i] & earlier & kept).any()), None

    kept, _ = jax.lax.scan(decide, jnp.zeros(len(boxes), bool), jnp.arange(len(boxes)))
    return kept
