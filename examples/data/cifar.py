"""CIFAR-10 and CIFAR-100 from their binary version: records of labels and 3072 bytes.

The Python version is a pickle, which runs whatever it holds when it is read: it is not.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

SHAPE = (32, 32, 3)
TEST_RECORDS = 10_000


class Format(NamedTuple):
    """Which files there are, and what a record is."""

    folder: str
    train: tuple[str, ...]
    test: str
    label_bytes: int  # of a record; the last one is the class
    num_classes: int
    records: int  # of each training file; the test file has 10 000


FORMATS = {
    "cifar-10": Format(
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        test="test_batch.bin",
        label_bytes=1,
        num_classes=10,
        records=10_000,
    ),
    "cifar-100": Format(
        folder="cifar-100-binary",
        train=("train.bin",),
        test="test.bin",
        label_bytes=2,  # the coarse class, then the fine one
        num_classes=100,
        records=50_000,
    ),
}


def read(folder: Path, kind: Format) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images `[N, 3072]` and classes `[N]`, and those of the test: uint8, int32.

    A row is an image by height, width and channel.

    Raises:
      FileNotFoundError: a file is not there.
      ValueError: a file is damaged.
    """
    parts = [read_file(folder / name, kind, kind.records) for name in kind.train]
    images, labels = (np.concatenate(x) for x in zip(*parts, strict=True))
    return images, labels, *read_file(folder / kind.test, kind, TEST_RECORDS)


def read_file(path: Path, kind: Format, records: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and classes of one file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; the other files of the set are there.")
    content = np.fromfile(path, np.uint8)
    size = kind.label_bytes + 3072
    if len(content) != records * size:
        raise ValueError(
            f"{path} has {len(content)} bytes, not {records} records of {size}; get it again."
        )
    rows = content.reshape(records, size)
    labels = rows[:, kind.label_bytes - 1].astype(np.int32)
    if labels.max() >= kind.num_classes:
        raise ValueError(f"{path} has a class {labels.max()}; get it again.")
    planes = rows[:, kind.label_bytes :].reshape(records, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1).reshape(records, -1), labels
