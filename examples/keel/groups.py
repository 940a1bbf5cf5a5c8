"""Data sets of about one size, padded to the largest of them: what one program is compiled for."""

import zlib
from typing import NamedTuple

import numpy as np

from examples.data.keel import Table
from examples.keel.folds import FOLDS, Divisions, divide

# Rows and features; a data set belongs to the first in which it fits. Rows cost little, since no
# step sees the padding. Features cost in every step, and every group costs compilations.
BOXES = ((1100, 20), (5500, 24), (2500, 90))


class Group(NamedTuple):
    """`T` data sets of up to `N` rows and `F` features; rows behind the end are of class 0."""

    names: tuple[str, ...]
    features: np.ndarray  # [T, N, F]; 0 where there is none
    labels: np.ndarray  # [T, N]
    num_features: np.ndarray  # [T]
    trained: np.ndarray  # [T, FOLDS, 2, N], False behind the end
    judged: np.ndarray  # [T, FOLDS, 2, N], False behind the end
    mean: np.ndarray  # [T, FOLDS, 2, F], of the rows that are trained on
    scale: np.ndarray  # [T, FOLDS, 2, F]: 1 / deviation, or 0 where nothing varies
    identity: np.ndarray  # [T], of the name: keys depend on it


def grouped(tables: dict[str, Table]) -> list[dict[str, Table]]:
    """The data sets of each box that is not empty.

    Raises:
      ValueError: a data set fits nowhere.
    """
    groups: list[dict[str, Table]] = [{} for _ in BOXES]
    for name, table in tables.items():
        fitting = (g for g, box in zip(groups, BOXES, strict=True) if fits(table, box))
        group = next(fitting, None)
        if group is None:
            raise ValueError(f"{name} is larger than all BOXES: {table.features.shape}.")
        group[name] = table
    return [group for group in groups if group]


def fits(table: Table, box: tuple[int, int]) -> bool:
    """Whether a data set has no more rows and features than the box."""
    return all(size <= most for size, most in zip(table.features.shape, box, strict=True))


def pad(tables: dict[str, Table], seed: int) -> Group:
    """A group, divided by a seed; as large as its largest data set.

    Raises:
      ValueError: a class has fewer rows than there are folds.
    """
    rows, columns = np.max([table.features.shape for table in tables.values()], 0)
    parts = [pad_one(name, table, seed, rows, columns) for name, table in tables.items()]
    return Group(tuple(tables), *map(np.stack, zip(*parts, strict=True)))


def pad_one(name: str, table: Table, seed: int, rows: int, columns: int) -> tuple[np.ndarray, ...]:
    """The fields of one data set, but its name."""
    features, labels = table
    fewest = np.bincount(labels, minlength=2).min()
    if fewest < FOLDS:
        raise ValueError(
            f"{name} has {fewest} rows of a class; {FOLDS} folds need at least {FOLDS}."
        )
    identity = zlib.crc32(name.encode())
    divisions = divide(labels, seed)
    mean, scale = statistics(features, divisions)
    more, wider = rows - len(labels), columns - features.shape[1]
    behind = ((0, 0), (0, 0), (0, more))
    beside = ((0, 0), (0, 0), (0, wider))
    return (
        np.pad(features, ((0, more), (0, wider))),
        np.pad(labels, (0, more)),
        np.asarray(features.shape[1], np.float32),
        *(np.pad(part, behind) for part in divisions),
        np.pad(mean, beside),
        np.pad(scale, beside),
        np.asarray(identity, np.uint32),
    )


def statistics(features: np.ndarray, divisions: Divisions) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1 / deviation of the rows that are trained on, `[FOLDS, 2, F]`."""
    mean = np.empty((*divisions.trained.shape[:2], features.shape[1]))
    deviation = np.empty_like(mean)
    for place in np.ndindex(mean.shape[:2]):
        seen = features[divisions.trained[place]].astype(np.float64)
        mean[place], deviation[place] = seen.mean(0), seen.std(0)
    varies = deviation > 1e-6 * np.maximum(1, np.abs(mean))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
    return mean.astype(np.float32), scale.astype(np.float32)
