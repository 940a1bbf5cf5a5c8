"""The real images that canvases are made of, by class: garments of Fashion-MNIST, and digits."""

from typing import NamedTuple

import numpy as np

from examples.data import pictures

GARMENTS = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "boot"),
)
# The long tail's order, frequent classes first: garments and digits in turn, so that both have
# frequent and rare ones.
CLASSES = tuple(name for pair in zip(GARMENTS, map(str, range(10)), strict=True) for name in pair)


class Cutouts(NamedTuple):
    """Grey images of each class, in the order of `CLASSES`; `[n, side, side]` of bytes each."""

    train: list[np.ndarray]
    test: list[np.ndarray]


def load(data_dir: str | None) -> Cutouts:
    """Fashion-MNIST as it is split, and of scikit-learn's digits two thirds for training.

    Raises:
      MissingData: Fashion-MNIST is not there.
      ValueError: a file of it is damaged.
    """
    images, labels, test_images, test_labels = pictures.load_idx("fashion-mnist", data_dir)
    digits, names = pictures.load_digits()
    digits = np.rint(digits * (255 / 16))
    cut = 2 * len(digits) // 3
    train = by_class(images, labels), by_class(digits[:cut], names[:cut])
    test = by_class(test_images, test_labels), by_class(digits[cut:], names[cut:])
    return Cutouts(in_turn(*train), in_turn(*test))


def by_class(images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Rows of pixels as square images of bytes, those of each of ten classes."""
    side = round(images.shape[1] ** 0.5)
    squares = images.reshape(-1, side, side).astype(np.uint8)
    return [squares[labels == label] for label in range(10)]


def in_turn(garments: list[np.ndarray], digits: list[np.ndarray]) -> list[np.ndarray]:
    """In the order of `CLASSES`."""
    return [images for pair in zip(garments, digits, strict=True) for images in pair]
