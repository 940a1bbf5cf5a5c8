"""The canvases of each trial."""

from typing import NamedTuple

import numpy as np
from jax import Array

from examples import dense
from examples.segmentation.methods import Frequencies
from examples.segmentation.settings import Settings


class Batch(NamedTuple):
    """Canvases and their masks, on the host; a step takes its own to the device."""

    pixels: np.ndarray | Array  # [batch, height, width]
    labels: np.ndarray | Array  # [batch, height / stride, width / stride]; K is the background


class Task(NamedTuple):
    """One trial's canvases: a long tail to train on, all classes alike in the test."""

    train: Batch
    test: Batch
    objects: np.ndarray  # [K], to train on
    frequencies: Frequencies


def make_task(cutouts: dense.Cutouts, seed: int, settings: Settings) -> Task:
    """Composes them; training and test canvases have no image in common."""
    train, test, objects = dense.compose_split(
        cutouts,
        seed,
        canvases=settings.canvases,
        tested=settings.tested,
        imbalance=settings.imbalance,
    )
    frequencies = frequencies_of(train.masks, len(objects) + 1)
    learnt, tested = (batch_of(canvases, settings.stride) for canvases in (train, test))
    return Task(learnt, tested, objects, frequencies)


def batch_of(canvases: dense.Canvases, stride: int) -> Batch:
    """Of the masks one pixel in each square."""
    masks = canvases.masks[:, ::stride, ::stride]
    return Batch(canvases.pixels, np.ascontiguousarray(masks))


def frequencies_of(masks: np.ndarray, classes: int) -> Frequencies:
    """Pixels of each class, and canvases that have any."""
    per_canvas = np.stack([np.bincount(mask.ravel(), minlength=classes) for mask in masks])
    return Frequencies(per_canvas.sum(0), (per_canvas > 0).sum(0))
