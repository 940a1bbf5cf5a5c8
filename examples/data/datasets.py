"""The data sets of the examples, as NumPy arrays: a row of numbers per example, labels int32.

Nothing is downloaded. A data set that is not there raises one sentence with the command that
brings it. What is standardised has mean 0 and variance 1 over the training examples: each pixel of
a grey image, each channel of a coloured one, each column of a table.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from examples.data import cifar, tabular, wordnet
from examples.data.pictures import load_digits, load_idx, pixel_statistics
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
    rng = np.random.default_rng(seed)
    if name in LOADERS:
        return LOADERS[name](name, data_dir, rng)
    if name == "digits":
        images, labels = load_digits()
        train = long_tail(labels, 100, ratio, rng)
        test = np.setdiff1d(np.arange(len(labels)), train)
        test_images, test_labels = images[test], labels[test]
    elif name.startswith("cifar"):
        return load_cifar(name, data_dir, ratio, rng)
    else:
        images, labels, test_images, test_labels = load_idx(name, data_dir)
        train = long_tail(labels, int(np.bincount(labels).min()), ratio, rng)
    mean, deviation = pixel_statistics(images[train])
    side = math.isqrt(images.shape[1])
    return Dataset(
        (images[train] - mean) / deviation,
        labels[train],
        (test_images - mean) / deviation,
        test_labels,
        num_classes=10,
        shape=(side, side, 1),
    )


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


def load_wordnet(name: str, data_dir: str | None, rng: np.random.Generator) -> Dataset:
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


def load_table(name: str, data_dir: str | None, rng: np.random.Generator) -> Dataset:
    """A table with a rare event."""
    features, labels = tabular.load(name, "rda", data_dir)  # type: ignore[arg-type]
    train, test = split(labels, rng)
    mean, deviation = features[train].mean(0), features[train].std(0)
    rows = (features - mean) / np.where(deviation == 0, 1, deviation)
    return Dataset(rows[train], labels[train], rows[test], labels[test], num_classes=2)


LOADERS: dict[str, Callable[[str, str | None, np.random.Generator], Dataset]] = {
    "shuttle": load_table,
    "caravan": load_table,
    "wordnet": load_wordnet,
}
