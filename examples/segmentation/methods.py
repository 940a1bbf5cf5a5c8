"""What is compared: losses of the K + 1 logits of each pixel, one number for the batch.

The losses of regions sum over all pixels of the batch: a loss to each class.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jax import Array

import jimb

REGION = (0, 1, 2)


class Frequencies(NamedTuple):
    """Of each class, with the background, in training."""

    pixels: np.ndarray | Array  # [K + 1]
    images: np.ndarray | Array  # [K + 1], canvases that have any of it


# From logits `[batch, height, width, K + 1]` and labels `[batch, height, width]` to a scalar.
LossFn = Callable[[Array, Array, Frequencies], Array]


def cross_entropy(logits: Array, labels: Array, of: Frequencies) -> Array:
    """The baseline: every pixel alike."""
    return jimb.weighted_mean(jimb.softmax_cross_entropy_loss(logits, labels))


def weighted(logits: Array, labels: Array, class_weights: Array) -> Array:
    """Cross-entropy over the sum of the pixels' weights."""
    losses = jimb.softmax_cross_entropy_loss(logits, labels)
    return jimb.weighted_mean(losses, jimb.take_class(class_weights, labels))


def median_frequency(logits: Array, labels: Array, of: Frequencies) -> Array:
    """SegNet's weights; a class that no canvas has weighs nothing."""
    weights = jimb.median_frequency_weights(of.pixels, image_counts=of.images, allow_empty=True)
    return weighted(logits, labels, weights)


def log_frequency(logits: Array, labels: Array, of: Frequencies) -> Array:
    """ENet's weights."""
    return weighted(logits, labels, jimb.log_frequency_weights(of.pixels, allow_empty=True))


def focal(logits: Array, labels: Array, of: Frequencies) -> Array:
    """With the γ of its paper, every pixel alike."""
    return jimb.weighted_mean(jimb.softmax_focal_loss(logits, labels, gamma=2.0))


def hard_pixels(logits: Array, labels: Array, of: Frequencies) -> Array:
    """Cross-entropy of the hardest quarter of the batch's pixels."""
    losses = jimb.softmax_cross_entropy_loss(logits, labels)
    return jimb.weighted_mean(losses, jimb.mining.hard_example_weights(losses, keep=0.25))


def present_mean(losses: Array, logits: Array, labels: Array) -> Array:
    """Over the classes that the batch has; most are absent."""
    return jimb.weighted_mean(losses, where=jimb.present_regions(logits, labels, axis=REGION))


def dice(logits: Array, labels: Array, of: Frequencies) -> Array:
    """Of the classes that are present, with the background."""
    return present_mean(jimb.dice_loss(logits, labels, axis=REGION), logits, labels)


def dice_of_all(logits: Array, labels: Array, of: Frequencies) -> Array:
    """An absent class counts: it asks that nothing of it is predicted."""
    return jimb.weighted_mean(jimb.dice_loss(logits, labels, axis=REGION))


def tversky(logits: Array, labels: Array, of: Frequencies, *, gamma: float = 1.0) -> Array:
    """Misses (β) cost more than false alarms (α)."""
    losses = jimb.tversky_loss(logits, labels, alpha=0.3, beta=0.7, gamma=gamma, axis=REGION)
    return present_mean(losses, logits, labels)


def dice_and_cross_entropy(logits: Array, labels: Array, of: Frequencies) -> Array:
    """Their sum, as nnU-Net has it."""
    return dice(logits, labels, of) + cross_entropy(logits, labels, of)


METHODS: dict[str, LossFn] = {
    "cross-entropy (CE)": cross_entropy,
    "median-frequency CE": median_frequency,
    "log-frequency CE": log_frequency,
    "focal (γ=2)": focal,
    "OHEM (¼ of the pixels)": hard_pixels,
    "Dice": dice,
    "Dice with absent classes": dice_of_all,
    "Tversky": tversky,
    "focal Tversky": partial(tversky, gamma=0.75),
    "CE + Dice": dice_and_cross_entropy,
}
