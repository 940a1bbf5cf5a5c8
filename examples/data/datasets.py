"""The data sets of the examples, as NumPy arrays: a row of numbers per example, labels int32.

Nothing is downloaded. A data set that is not there raises one sentence with the command that
brings it. What is standardised has mean 0 and variance 1 over the training examples: each pixel of
a grey image, each channel of a coloured one, each column of a table.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from examples.data import cifar, pictures, tabular, wordnet
from examples.data.sources import find_folder
from examples.data.subsets import long_tail, split, take_per_class


class Dataset(NamedTuple):
    """Training and test examples of one classification task."""

    train_inputs: np.ndarray  # [N, features]: float32, or the int32 words of a text
    train_labels: np.ndarray  # [N], int32
    test_inputs: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    shape: tuple[int, ...] = ()  # of an image, [height, width, channels]
    vocabulary: int = 0  # of words


NATURAL = ("shuttle", "caravan", "wordnet")  # their classes are unequal as they are


def load(name: str, data_dir: str | None, *, imbalance: float | None, seed: int) -> Dataset:
    """A data set with a long-tailed training part.

    Args:
      name: `digits`, `mnist`, `fashion-mnist`, `cifar-10`, `cifar-100`, which are made long-tailed;
        `shuttle`, `caravan`, `wordnet`, which are imbalanced as they are: four fifths of each class
        are for training.
      data_dir: folder of the files; None looks in the usual places.
      imbalance: images of the largest class per image of the smallest; 1 is balanced, None is 20.
      seed: chooses the examples.

    Raises:
      MissingData: the files are not there.
      ValueError: a file is damaged, the imbalance is below 1, or given for a set that has its own.
    """
    if name in NATURAL and imbalance is not None:
        raise ValueError(f"--imbalance is for balanced data sets: leave it out of {name}.")
    ratio = 20.0 if imbalance is None else imbalance
    if not ratio >= 1:
        raise ValueError(f"imbalance must be at least 1 (balanced), got {imbalance}.")
    return LOADERS[name](name, data_dir, ratio, np.random.default_rng(seed))


def load_digits(
    name: str, data_dir: str | None, imbalance: float, rng: np.random.Generator
) -> Dataset:
    """100 digits of the largest class; all that are not trained on are tested."""
    images, labels = pictures.load_digits()
    train = long_tail(labels, 100, imbalance, rng)
    test = np.setdiff1d(np.arange(len(labels)), train)
    return grey(images[train], labels[train], images[test], labels[test])


def load_mnist(
    name: str, data_dir: str | None, imbalance: float, rng: np.random.Generator
) -> Dataset:
    """MNIST or Fashion-MNIST, as many as there are of the largest class."""
    images, labels, test_images, test_labels = pictures.load_idx(name, data_dir)
    train = long_tail(labels, int(np.bincount(labels).min()), imbalance, rng)
    return grey(images[train], labels[train], test_images, test_labels)


def grey(
    images: np.ndarray, labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray
) -> Dataset:
    """Each pixel standardised by the training images."""
    mean, deviation = pictures.pixel_statistics(images)
    inputs, test_inputs = ((x - mean) / deviation for x in (images, test_images))
    side = math.isqrt(images.shape[1])
    return Dataset(inputs, labels, test_inputs, test_labels, num_classes=10, shape=(side, side, 1))


def load_cifar(
    name: str, data_dir: str | None, imbalance: float, rng: np.random.Generator
) -> Dataset:
    """Cao et al. 2019: `int(n_max · μ^(i/(K-1)))` images of class i, with μ = 1 / imbalance."""
    kind = cifar.FORMATS[name]
    folder = find_folder(name, data_dir, kind.train[0])
    images, labels, test_images, test_labels = cifar.read(folder, kind)
    largest, last = np.bincount(labels).min(), kind.num_classes - 1
    sizes = [int(largest * imbalance ** (-i / last)) for i in range(kind.num_classes)]
    train = take_per_class(labels, np.array(sizes), rng)
    pixels = images[train].reshape(-1, 3)
    mean, deviation = (
        np.tile(x, 32 * 32).astype(np.float32) for x in (pixels.mean(0), pixels.std(0))
    )
    inputs, test_inputs = ((x - mean) / deviation for x in (images[train], test_images))
    return Dataset(
        inputs, labels[train], test_inputs, test_labels, kind.num_classes, shape=cifar.SHAPE
    )


def load_wordnet(
    name: str, data_dir: str | None, imbalance: float, rng: np.random.Generator
) -> Dataset:
    """Glosses as numbers of words."""
    words, classes = wordnet.read(find_folder(name, data_dir, "data.noun"))
    train, test = split(classes, rng)
    return Dataset(
        words[train],
        classes[train],
        words[test],
        classes[test],
        wordnet.NUM_CLASSES,
        vocabulary=wordnet.VOCABULARY,
    )


def load_table(
    name: str, data_dir: str | None, imbalance: float, rng: np.random.Generator
) -> Dataset:
    """A table with a rare event."""
    features, labels = tabular.load(name, "rda", data_dir)  # type: ignore[arg-type]
    train, test = split(labels, rng)
    mean, deviation = features[train].mean(0), features[train].std(0)
    rows = (features - mean) / np.where(deviation == 0, 1, deviation)
    return Dataset(rows[train], labels[train], rows[test], labels[test], num_classes=2)


Loader = Callable[[str, str | None, float, np.random.Generator], Dataset]
LOADERS: dict[str, Loader] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "fashion-mnist": load_mnist,
    "cifar-10": load_cifar,
    "cifar-100": load_cifar,
    "shuttle": load_table,
    "caravan": load_table,
    "wordnet": load_wordnet,
}
