"""The results that are kept: a file for each program or data set, seed and setting.

Its name ends in a hash of all settings that matter, so that other settings are computed anew
beside it. It is written whole or not at all.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from examples.report import files, kept


class Result(NamedTuple):
    """What one program found with one seed."""

    measures: np.ndarray  # [T, FOLDS, 2, C, M]; peers have [FOLDS, P, M]
    seconds: float


def path_of(folder: Path, settings: dict[str, Any]) -> Path:
    """The file of these settings, which have a name and a seed."""
    digest = kept.digest_of(settings)
    return folder / f"{settings['name']}-seed{settings['seed']}-{digest}.npz"


def read(folder: Path, settings: dict[str, Any], shape: tuple[int, ...]) -> Result | None:
    """The result of exactly these settings, or None where there is none yet.

    Raises:
      ValueError: the file is damaged, of other settings, or not of this shape of numbers.
    """
    path = path_of(folder, settings)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as content:
            found, seconds = str(content["settings"]), float(content["seconds"])
            measures = content["measures"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise kept.refused(path, "damaged") from error
    if found != kept.text_of(settings):
        raise kept.refused(path, "of other settings")
    if measures.shape != shape or not np.isfinite(measures).all():
        raise kept.refused(path, "damaged")
    return Result(measures, seconds)


def write(folder: Path, settings: dict[str, Any], result: Result) -> None:
    """Keeps a result.

    Raises:
      OSError: the folder cannot be written to.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        settings=kept.text_of(settings),
        measures=result.measures.astype(np.float32),
        seconds=result.seconds,
    )
    files.write(path_of(folder, settings), content.getvalue())
