"""Compiled: the initial state, the training step, predictions; and their measures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

import jimb
from examples.segmentation.network import Recipe, init_state, logits_of, train_step

CHUNK = 50  # canvases at a time, where nothing is learnt

compiled_init = jax.jit(init_state, static_argnames="recipe")
compiled_step = jax.jit(train_step, static_argnames=("loss", "recipe"), donate_argnames="state")


class Scores(NamedTuple):
    """Of all test pixels together, shares of 1."""

    iou: np.ndarray  # [K + 1]
    dice: np.ndarray  # [K + 1]
    recall: np.ndarray  # [K + 1]
    accuracy: np.ndarray  # []


@jax.jit(static_argnames="recipe")
def predict(params: nnx.State, pixels: Array, *, recipe: Recipe) -> Array:
    """The class of the largest logit, in the type of labels."""
    return logits_of(params, pixels, recipe=recipe).argmax(-1).astype(jnp.uint8)


def predict_all(params: nnx.State, pixels: np.ndarray | Array, *, recipe: Recipe) -> np.ndarray:
    """Of many canvases."""
    chunks = (pixels[i : i + CHUNK] for i in range(0, len(pixels), CHUNK))
    return np.concatenate([predict(params, chunk, recipe=recipe) for chunk in chunks])


def score(predictions: np.ndarray, labels: np.ndarray | Array, classes: int) -> Scores:
    """From one confusion matrix of all canvases; NaN for a class that none has or is given."""
    state = jimb.metrics.init(classes)
    state = jimb.metrics.update(state, jnp.asarray(predictions), jnp.asarray(labels))
    measured = (
        jimb.metrics.per_class_iou(state),
        jimb.metrics.per_class_f_beta(state, 1.0),
        jimb.metrics.per_class_recall(state),
        jimb.metrics.accuracy(state),
    )
    return Scores(*map(np.asarray, measured))
