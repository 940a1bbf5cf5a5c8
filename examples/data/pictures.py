"""Grey images as rows: the digits of scikit-learn, MNIST, Fashion-MNIST, and their statistics."""

import numpy as np

from examples.data import idx
from examples.data.sources import find_folder


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 scanned 8×8 digits that come with scikit-learn (UCI, CC BY 4.0)."""
    from sklearn import datasets

    digits = datasets.load_digits()
    return digits.data.astype(np.float32), digits.target.astype(np.int32)


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


def pixel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each pixel over the images.

    No deviation is below a tenth of the largest: a pixel that hardly changes in the training
    images must not be blown up in the others.
    """
    deviation = images.std(axis=-2, keepdims=True)
    floor = 0.1 * deviation.max(axis=-1, keepdims=True)
    return images.mean(axis=-2, keepdims=True), np.maximum(deviation, floor)
