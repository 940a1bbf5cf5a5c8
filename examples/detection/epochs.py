"""Compiled: the training step, and what a trained detector finds."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from examples.detection.boxes import assign, not_suppressed
from examples.detection.network import Recipe, apply, train_step
from examples.detection.task import Batch

FOUND = 100  # detections on a canvas at most, as COCO counts them
CHUNK = 50  # canvases at a time, where nothing is learnt

compiled_step = jax.jit(train_step, static_argnames=("method", "recipe"), donate_argnames="state")


class Found(NamedTuple):
    """Detections on each canvas, the best first."""

    boxes: Array  # [N, FOUND, 4]
    classes: Array  # [N, FOUND]
    scores: Array  # [N, FOUND]; -1 where there are no more


@partial(jax.jit, static_argnames="recipe")
def detect(params: nnx.State, pixels: Array, *, recipe: Recipe) -> Found:
    """The highest scores of all locations and classes, without those that a better one covers."""
    logits, found = apply(params, pixels, recipe=recipe)

    def on_canvas(logits: Array, found: Array) -> Found:
        scores, places = jax.lax.top_k(jax.nn.sigmoid(logits).reshape(-1), FOUND)
        cells, classes = jnp.divmod(places, logits.shape[-1])
        chosen = found.reshape(-1, 4)[cells]
        return Found(chosen, classes, jnp.where(not_suppressed(chosen, classes), scores, -1))

    return jax.vmap(on_canvas)(logits, found)


def detect_all(params: nnx.State, pixels: Array, *, recipe: Recipe) -> Found:
    """Of all canvases, in chunks that fit in memory."""
    parts = [
        detect(params, pixels[start : start + CHUNK], recipe=recipe)
        for start in range(0, len(pixels), CHUNK)
    ]
    return Found(*(jnp.concatenate(arrays) for arrays in zip(*parts, strict=True)))


@partial(jax.jit, static_argnames="recipe")
def logits_of(params: nnx.State, batch: Batch, *, recipe: Recipe) -> tuple[Array, Array, Array]:
    """Of all locations and classes, `[batch, height, width, K]`; targets, and which are asked."""
    logits, _ = apply(params, batch.pixels, recipe=recipe)
    targets = assign(batch.boxes, batch.labels, logits.shape[1:3], recipe.classes)
    asked = jnp.broadcast_to(targets.considered[..., None], logits.shape)
    return logits, targets.classes, asked
