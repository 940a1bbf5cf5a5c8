"""The canvases of each trial."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import dense
from examples.detection.settings import Settings


class Batch(NamedTuple):
    """Canvases and their objects."""

    pixels: Array  # [batch, height, width]
    boxes: Array  # [batch, M, 4]
    labels: Array  # [batch, M], -1 where no object is


class Task(NamedTuple):
    """One trial's canvases: a long tail to train on, all classes alike in the test."""

    train: Batch
    test: Batch
    counts: np.ndarray  # [K], objects to train on


def make_task(cutouts: dense.Cutouts, seed: int, settings: Settings) -> Task:
    """Composes them; training and test canvases have no image in common."""
    classes = len(cutouts.train)
    rng = np.random.default_rng(seed)
    tail = settings.imbalance ** (-np.arange(classes) / (classes - 1))
    alike = np.full(classes, 1 / classes)
    train = dense.compose(cutouts.train, tail / tail.sum(), settings.canvases, rng)
    test = dense.compose(cutouts.test, alike, settings.tested, rng)
    counts = np.bincount(train.labels[train.labels >= 0], minlength=classes)
    return Task(batch_of(train), batch_of(test), counts)


def batch_of(canvases: dense.Canvases) -> Batch:
    """What a detector is trained on."""
    return Batch(*map(jnp.asarray, (canvases.pixels, canvases.boxes, canvases.labels)))
