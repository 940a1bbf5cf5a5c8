"""Saving: checkpoints through Orbax, atomic, the newest two kept, damage found on reading.

A checkpoint is a folder `000007-step-120`: number 7 of those saved, after step 120. It is written
under another name and renamed when it is complete, so a training that is killed leaves whole
checkpoints, and a remainder that the next save clears away. Beside Orbax's files lies a
description: a digest of each file, and the path, shape, dtype and fingerprint of each array.
Reading checks the files first, and then the arrays as they are on the devices.

With several processes, all of them call `save` and `restore` on a folder that all can see.
"""

import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import SingleDeviceSharding
from orbax.checkpoint import v1 as ocp

from examples.train.description import damage, describe, described, different, fingerprints, layout

NAME = re.compile(r"(\d+)-step-(\d+)")


class Saved(NamedTuple):
    """A folder that Orbax completed."""

    serial: int
    step: int

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.serial:06d}-step-{self.step}"


def abstract(x: Any) -> jax.ShapeDtypeStruct:
    """Shape, dtype and place of an array to read."""
    place = x.sharding or SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)


def numbered(leaves: list[Any]) -> dict[str, Any]:
    """The leaves as Orbax gets them: their tree is compared here, and may hold anything."""
    return {str(i): leaf for i, leaf in enumerate(leaves)}


def reason(error: Exception) -> str:
    """What an error says: the system's words, where Orbax gives them, or its beginning."""
    if code := re.search(r"os_error_code='(\d+)'", str(error)):
        return os.strerror(int(code[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def check_room(folder: Path, size: int) -> None:
    """Raises OSError at once if so many bytes cannot be written.

    Where a write of Orbax fails, its threads print the failures of all others to the terminal.
    """
    if not hasattr(os, "posix_fallocate"):  # not on macOS
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)


class Checkpoints:
    """The checkpoints in a folder: `with Checkpoints(folder) as c: c.restore(like); c.save(…)`."""

    def __init__(self, folder: str | os.PathLike[str], *, keep: int = 2) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}.")
        self.folder, self.keep = Path(folder).absolute(), keep
        self.damaged: set[Saved] = set()  # as found by restore

    def __enter__(self) -> Self:
        """Silences Orbax's logs: what the user needs to know is raised."""
        self._before = [(log, log.level) for log in map(logging.getLogger, ("absl", "asyncio"))]
        for log, _ in self._before:
            log.setLevel(logging.CRITICAL + 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives Orbax its logs back."""
        for log, level in self._before:
            log.setLevel(level)

    def saved(self) -> list[Saved]:
        """All complete checkpoints, the oldest first, as the first process sees them."""
        try:
            names = os.listdir(self.folder) if jax.process_index() == 0 else []
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise OSError(
                f"cannot read the checkpoints in {self.folder}: {error.strerror}."
            ) from error
        matches = filter(None, map(NAME.fullmatch, names))
        found = sorted(Saved(*map(int, match.groups())) for match in matches)
        if jax.process_count() == 1:
            return found
        count = int(multihost_utils.broadcast_one_to_all(np.int32(len(found))))
        table = np.array(found if jax.process_index() == 0 else [(0, 0)] * count, np.int32)
        table = multihost_utils.broadcast_one_to_all(table.reshape(count, 2))
        return [Saved(int(serial), int(step)) for serial, step in table]

    def save(self, step: int, state: Any) -> None:
        """Saves a pytree of arrays, then removes what is older than the newest `keep`.

        Raises:
            OSError: it could not be written; what was saved before is as it was.
        """
        if jax.process_index() == 0:
            self._clear()
        before = self.saved()
        new = Saved(before[-1].serial + 1 if before else 0, step)
        problem, cause = "", None
        try:
            self._write(new, state)
            if jax.process_index() == 0:
                self._remove_old([*before, new])
        except Exception as error:
            problem, cause = reason(error), error
        _, problem = self._agreed(None, problem)
        if problem:
            if jax.process_index() == 0:
                self._clear()
            raise OSError(
                f"checkpoint {step} could not be written to {self.folder} ({problem}): "
                "the earlier ones are as they were."
            ) from cause

    def _write(self, new: Saved, state: Any) -> None:
        leaves = jax.tree.leaves(state)
        found = [int(np.asarray(x)) for x in fingerprints(leaves)]
        path = self.folder / f"{new.name}.written"
        if jax.process_index() == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            check_room(self.folder, sum(x.nbytes for x in leaves))
        ocp.save(path, numbered(leaves))
        if jax.process_index() == 0:
            describe(path, state, found)
            path.rename(self.folder / new.name)

    def _remove_old(self, saved: list[Saved]) -> None:
        good = [one for one in saved if one not in self.damaged]
        for one in set(saved) - set(good[-self.keep :]):
            path = self.folder / one.name
            path.rename(path.with_name(f"{one.name}.removed"))
        self._clear()

    def _clear(self) -> None:
        """Removes what is half written or half removed."""
        for path in self.folder.glob("*-step-*.*"):
            shutil.rmtree(path, ignore_errors=True)

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """The newest whole checkpoint, `(step, state)`; None where there is none at all.

        Args:
            like: the state of a fresh training, or its `ShapeDtypeStruct`s with shardings. The
                arrays come back with these shardings, whatever they had when they were saved.

        Raises:
            ValueError: all are damaged, or the newest whole one is of another training.
        """
        saved = self.saved()
        complaint = ""
        for one in reversed(saved):
            if complaint and jax.process_index() == 0:
                print(f"{complaint}: going on from {one.step}", file=sys.stderr)
            state, problem = self._agreed(*self._read(one, like))
            if not problem:
                return one.step, state
            self.damaged.add(one)
            complaint = f"checkpoint {one.step} in {self.folder} is damaged ({problem})"
        if saved:
            raise ValueError(f"{complaint}, and there is no earlier one that is whole.")
        return None

    def _read(self, one: Saved, like: Any) -> tuple[Any, str]:
        """The state and what is wrong with it."""
        path = self.folder / one.name
        problem = damage(path) if jax.process_index() == 0 else ""
        _, problem = self._agreed(None, problem)  # before Orbax reads, with all processes
        if problem:
            return None, problem
        description = described(path)
        difference = different(description["layout"], layout(like))
        if difference:
            raise ValueError(
                f"checkpoint {one.step} in {self.folder} belongs to another training "
                f"({difference}): give another folder, or the settings that it was saved with."
            )
        leaves, tree = jax.tree.flatten(like)
        try:
            arrays = ocp.load(path, numbered([abstract(x) for x in leaves]))
        except Exception as error:
            return None, reason(error)
        read = [arrays[str(i)] for i in range(len(leaves))]
        found = [int(np.asarray(x)) for x in fingerprints(read)]
        for name, x, y in zip(
            description["layout"], found, description["fingerprints"], strict=True
        ):
            if x != y:
                return None, f"{name or 'the array'} is not what was saved"
        return jax.tree.unflatten(tree, read), ""

    def _agreed(self, state: Any, problem: str) -> tuple[Any, str]:
        """All processes take the checkpoint, or none."""
        if jax.process_count() > 1:
            bad = multihost_utils.process_allgather(np.bool_(bool(problem)))
            if bad.any():
                return None, problem or "as another process found"
        return state, problem
