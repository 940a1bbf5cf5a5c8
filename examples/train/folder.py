"""Settings: the folder of a run, and which run it holds."""

import dataclasses
import json
from pathlib import Path

from examples.train import log, mesh
from examples.train.settings import ELSEWHERE, Settings, describe, option

SETTINGS = "settings.json"


def open_folder(settings: Settings) -> Path:
    """The folder to write to: that of the run to go on with, or one without a run.

    Raises:
      ValueError: it holds another run, or there is none to go on with, or it cannot be written.
    """
    folder = next_free(Path("out/train")) if settings.out is None else Path(settings.out)
    holds_run = any(folder.glob("*/*"))  # of a run that failed before, only the settings are there
    if holds_run and not settings.resume:
        raise ValueError(
            f"{folder} holds a run: go on with it by --resume, or name another folder by --out."
        )
    if holds_run:
        check_same(settings, folder / SETTINGS)
    elif mesh.is_lead():
        try:
            log.write_json(folder / SETTINGS, settings)
        except OSError as error:
            raise ValueError(f"{error} Name another folder by --out.") from None
    return folder


def next_free(folder: Path) -> Path:
    """`out/train`, or `out/train-2`, and so on."""
    number = 1
    while (free := folder if number == 1 else Path(f"{folder}-{number}")).exists():
        number += 1
    return free


def check_same(settings: Settings, path: Path) -> None:
    """A run goes on with the settings that it began with."""
    before = json.loads(path.read_text())
    now = dataclasses.asdict(settings)
    for name, value in now.items():
        if name not in ELSEWHERE and before.get(name) != value:
            raise ValueError(
                f"{path.parent} holds a run with {option(name)} {before.get(name)}, not {value}: "
                "--resume goes on with the options it began with."
            )


def slug(settings: Settings) -> str:
    """`cb-focal, difficulty sampling` as the name of a folder."""
    return describe(settings).replace(", ", "_").replace(" ", "-").replace("%", "")
