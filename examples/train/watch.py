"""Watching: all that shows a training while it runs, a bar, a CSV and TensorBoard events."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.train import log, mesh
from examples.train.events import Events, can_be_written
from examples.train.job import Job
from examples.train.log import Epoch
from examples.train.programs import Progress
from examples.train.terminal import Bar


class Watch:
    """Shows each call and epoch, in the lead process; without a folder in the terminal only."""

    def __init__(self, job: Job, folder: Path | None, done: int, progress: Progress) -> None:
        self.job = job
        self.folder = folder if mesh.is_lead() else None
        self.bar = Bar(job, done)
        self.events = Events(self.folder) if self.folder and can_be_written() else None
        self._write_again(done, progress)

    def _write_again(self, done: int, progress: Progress) -> None:
        """The events of a run that goes on, as its checkpoint has them: each of them once."""
        for first in range(0, done, self.job.call):
            last = min(first + self.job.call, done)
            self._write_call(last, progress.losses[first:last])
        for row in log.rows(progress.epochs[: done // self.job.steps], self.job.steps):
            self._write_epoch(row)
        if self.events is not None:
            self.events.drop_earlier()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        if self.events is not None:
            self.events.close()

    def call(self, done: int, losses: np.ndarray) -> None:
        """After a call, of these losses."""
        self.bar.advance(len(losses), losses[-1])
        self._write_call(done, losses)

    def epoch(self, epochs: np.ndarray) -> None:
        """After an epoch: all until now."""
        rows = log.rows(epochs, self.job.steps)
        self.bar.epoch(rows[-1])
        if self.folder is not None:
            log.write_log(self.folder / "log.csv", rows)
        self._write_epoch(rows[-1])

    def _write_call(self, done: int, losses: np.ndarray) -> None:
        if self.events is not None:
            self.events.write(done, {"call/loss": losses.mean()})

    def _write_epoch(self, row: Epoch) -> None:
        if self.events is not None:
            scalars = row._asdict()
            step = scalars.pop("step")
            del scalars["epoch"]
            self.events.write(step, {f"epoch/{name}": x for name, x in scalars.items()})
            self.events.flush()
