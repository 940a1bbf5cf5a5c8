"""The results that are kept: a small JSON file for each task, method and setting.

Its name ends in a hash of all settings that matter, so that other settings are computed anew
beside it. It is written whole or not at all.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from examples.report import files, kept


class Result(NamedTuple):
    """What one method did on one task."""

    confusion: np.ndarray  # [S, G, K]: test examples of each group that are called each class
    calibration: np.ndarray  # [S, readings, figures], shares of 1
    seconds: float


def path_of(folder: Path, settings: dict[str, Any]) -> Path:
    """The file of these settings, which name their task and method."""
    digest = kept.digest_of(settings)
    name = re.sub(r"[^a-z0-9]+", "-", str(settings["method"]).lower()).strip("-")
    return folder / str(settings["task"]) / f"{name}-{digest}.json"


def read(folder: Path, settings: dict[str, Any]) -> Result | None:
    """The result of exactly these settings, or None where there is none yet.

    Raises:
      ValueError: the file is damaged or of other settings.
    """
    path = path_of(folder, settings)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        confusion = np.asarray(content["confusion"], np.int64)
        calibration = np.asarray(content["calibration"], np.float64)
        result = Result(confusion, calibration, float(content["seconds"]))
        found = content["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise kept.refused(path, "damaged") from error
    if found != settings or not result.confusion.ndim == result.calibration.ndim == 3:
        raise kept.refused(path, "of other settings")
    return result


def write(folder: Path, settings: dict[str, Any], result: Result) -> None:
    """Keeps a result.

    Raises:
      OSError: the folder cannot be written to.
    """
    path = path_of(folder, settings)
    content = {
        "settings": settings,
        "seconds": round(result.seconds, 1),
        "confusion": result.confusion.tolist(),
        "calibration": result.calibration.tolist(),
    }
    files.write(path, json.dumps(content))
