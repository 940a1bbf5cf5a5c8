"""Canvases: a few objects of several sizes on noise, among pieces that were cut from others.

A piece of a sleeve or of a digit is no object: these are the hard negatives. What is left of a
canvas is easy.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from examples.dense.cutouts import Cutouts

SIDE = 112  # pixels of a canvas
OBJECTS = 4  # at most, on one canvas; at least one
SIZES = 16, 44  # pixels of an object's longer side
CLUTTER = 4, 10  # pieces on a canvas
PIECES = 8, 24  # pixels of a piece's side
INK = 24  # of 255: what is darker is no part of an object


class Canvases(NamedTuple):
    """`N` canvases, and what is on them."""

    pixels: np.ndarray  # [N, SIDE, SIDE], bytes
    boxes: np.ndarray  # [N, OBJECTS, 4], left, top, right, bottom in pixels; 0 where no object is
    labels: np.ndarray  # [N, OBJECTS], -1 where no object is
    masks: np.ndarray  # [N, SIDE, SIDE], class of each pixel; K, the background, elsewhere


class Split(NamedTuple):
    """One trial's canvases: a long tail to train on, all classes alike in the test."""

    train: Canvases
    test: Canvases
    objects: np.ndarray  # [K], to train on


def compose_split(
    cutouts: Cutouts, seed: int, *, canvases: int, tested: int, imbalance: float
) -> Split:
    """Training and test canvases, which have no image in common.

    Args:
      cutouts: images of K classes.
      seed: of the trial.
      canvases: to train on.
      tested: canvases of the test.
      imbalance: objects of the first class for one of the last, in training.
    """
    classes = len(cutouts.train)
    rng = np.random.default_rng(seed)
    tail = imbalance ** (-np.arange(classes) / (classes - 1))
    alike = np.full(classes, 1 / classes)
    train = compose(cutouts.train, tail / tail.sum(), canvases, rng)
    test = compose(cutouts.test, alike, tested, rng)
    objects = np.bincount(train.labels[train.labels >= 0], minlength=classes)
    return Split(train, test, objects)


def compose(
    images: list[np.ndarray], shares: np.ndarray, number: int, rng: np.random.Generator
) -> Canvases:
    """Random canvases; an object is an image of class k with probability `shares[k]`."""
    made = [compose_one(images, shares, rng) for _ in range(number)]
    return Canvases(*(np.stack(parts) for parts in zip(*made, strict=True)))


def compose_one(
    images: list[np.ndarray], shares: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """One canvas, without the leading axis."""
    canvas = rng.normal(16, 8, (SIDE, SIDE))
    mask = np.full((SIDE, SIDE), len(images), np.uint8)
    boxes, labels = np.zeros((OBJECTS, 4), np.float32), np.full(OBJECTS, -1, np.int32)
    for _ in range(rng.integers(*CLUTTER, endpoint=True)):
        paste(canvas, piece(images, rng), rng, np.zeros((0, 4)))
    for slot in range(rng.integers(1, OBJECTS, endpoint=True)):
        label = rng.choice(len(images), p=shares)
        placed = paste(canvas, whole(pick(images[label], rng), rng), rng, boxes)
        if placed is not None:
            boxes[slot], labels[slot] = box_of(placed), label
            mask[placed] = label
    return np.clip(canvas, 0, 255).astype(np.uint8), boxes, labels, mask


def pick(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random image."""
    chosen: np.ndarray = images[rng.integers(len(images))]
    return chosen


def whole(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An object in a random size, without the margin around it."""
    rows, columns = (np.flatnonzero((image > INK).any(axis)) for axis in (1, 0))
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = rng.uniform(*SIZES) / max(cut.shape)
    return resized(cut, *(max(1, round(scale * size)) for size in cut.shape))


def piece(images: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A part of an image of any class, half as high and as wide, in a random size."""
    image = pick(images[rng.integers(len(images))], rng)
    half = len(image) // 2
    top, left = rng.integers(half, size=2, endpoint=True)
    side = int(rng.integers(*PIECES, endpoint=True))
    return resized(image[top : top + half, left : left + half], side, side)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """In another height and width."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def paste(
    canvas: np.ndarray, image: np.ndarray, rng: np.random.Generator, taken: np.ndarray
) -> tuple[np.ndarray, ...] | None:
    """Draws the image's ink at a random place: the rows and columns of it; None if there is none.

    The place is one where its rectangle touches none of the boxes that are taken.
    """
    for _ in range(20):
        top, left = (rng.integers(SIDE - size, endpoint=True) for size in image.shape)
        bottom, right = top + image.shape[0], left + image.shape[1]
        apart = (taken[:, 2] <= left) | (taken[:, 0] >= right)
        apart |= (taken[:, 3] <= top) | (taken[:, 1] >= bottom)
        if apart.all():
            rows, columns = np.nonzero(image > INK)
            where = rows + top, columns + left
            canvas[where] = image[rows, columns] * rng.uniform(0.6, 1.0)
            return where if len(rows) > 0 else None
    return None


def box_of(where: tuple[np.ndarray, ...]) -> list[int]:
    """The smallest box around pixels."""
    rows, columns = where
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
