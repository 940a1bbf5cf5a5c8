"""Watching: the epochs of a training as CSV; and any numbers as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from examples.report import files


class Epoch(NamedTuple):
    """A row of the log. No times: a run that was interrupted leaves the same log."""

    epoch: int  # from 1
    step: int  # after it
    loss: float  # mean over the epoch's steps
    balanced_accuracy: float  # on the test set
    effective_share: float  # of the examples, that the weights amount to
    largest_share: float  # of the draws, that one example gets


def rows(epochs: np.ndarray, steps: int) -> list[Epoch]:
    """The epochs `[E, 4]` of so many steps each."""
    return [Epoch(epoch, epoch * steps, *row) for epoch, row in enumerate(epochs.tolist(), start=1)]


def write_log(path: Path, epochs: Iterable[Epoch]) -> None:
    """All epochs as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Epoch._fields)
    writer.writerows([*row[:2], *map(float, row[2:])] for row in epochs)
    files.write(path, text.getvalue())


def write_json(path: Path, contents: Any) -> None:
    """Settings and numbers; what is not finite is null."""
    text = json.dumps(plain(contents), allow_nan=False, indent=1, ensure_ascii=False)
    files.write(path, f"{text}\n")


def plain(value: Any) -> Any:
    """Dataclasses, named tuples, arrays and paths as JSON has them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [plain(x) for x in value]
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    array = np.asarray(value)  # also of a device
    if array.ndim:
        return [plain(x) for x in array.tolist()]
    number = array.astype(np.float64).item() if array.dtype.kind not in "biu" else array.item()
    return number if math.isfinite(number) else None
