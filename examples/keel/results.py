"""The results that are kept: a file for each program, seed and setting.

Its name ends in a hash of all settings that matter, so that other settings are computed anew
beside it. It is written whole or not at all.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from examples.report import files


class Result(NamedTuple):
    """What one program found with one seed."""

    measures: np.ndarray  # [T, FOLDS, 2, C, M]; peers have [T, FOLDS, C, M]
    seconds: float


def path_of(folder: Path, settings: dict[str, Any]) -> Path:
    """The file of these settings, which have a name and a seed."""
    digest = hashlib.sha256(text_of(settings).encode()).hexdigest()[:10]
    return folder / f"{settings['name']}-seed{settings['seed']}-{digest}.npz"


def text_of(settings: dict[str, Any]) -> str:
    """One text for equal settings."""
    return json.dumps(settings, sort_keys=True)


def read(folder: Path, settings: dict[str, Any]) -> Result | None:
    """The result of exactly these settings, or None where there is none yet.

    Raises:
      ValueError: the file is damaged or of other settings.
    """
    path = path_of(folder, settings)
    if not path.is_file():
        return None
    try:
        with np.load(path) as content:
            kept, seconds = str(content["settings"]), float(content["seconds"])
            measures = content["measures"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged; remove it and it is computed anew.") from error
    if kept != text_of(settings):
        raise ValueError(f"{path} is of other settings; remove it and it is computed anew.")
    return Result(measures, seconds)


def write(folder: Path, settings: dict[str, Any], result: Result) -> None:
    """Keeps a result.

    Raises:
      OSError: the folder cannot be written to.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        settings=text_of(settings),
        measures=result.measures.astype(np.float32),
        seconds=result.seconds,
    )
    files.write(path_of(folder, settings), content.getvalue())
