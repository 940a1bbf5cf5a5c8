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
    train, test, counts = dense.compose_split(
        cutouts,
        seed,
        canvases=settings.canvases,
        tested=settings.tested,
        imbalance=settings.imbalance,
    )
    return Task(batch_of(train), batch_of(test), counts)


def batch_of(canvases: dense.Canvases) -> Batch:
    """What a detector is trained on."""
    return Batch(*map(jnp.asarray, (canvases.pixels, canvases.boxes, canvases.labels)))
