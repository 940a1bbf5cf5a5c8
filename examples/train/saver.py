"""Saving: when a training is saved, and what it goes on from."""

import time
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec as P

from examples.train import mesh
from examples.train.checkpoint import Checkpoints
from examples.train.programs import Progress
from examples.train.terminal import say


class Saver:
    """Checkpoints by the clock of the lead process; none without a folder."""

    def __init__(self, folder: Path | None, minutes: float) -> None:
        self.checkpoints = None if folder is None else Checkpoints(folder / "checkpoints")
        self.minutes, self.before = minutes, time.monotonic()

    def restore(self, start: Progress) -> tuple[int, Progress]:
        """The last checkpoint, and its step; the start if there is none yet."""
        if self.checkpoints is None:
            return 0, start
        with self.checkpoints as checkpoints:
            saved = checkpoints.restore(on_devices(start))
        if saved is None:
            say(f"no checkpoint in {self.checkpoints.folder}: from the beginning.")
            return 0, start
        step, (state, last, losses, epochs) = saved
        say(f"going on after step {step}.")
        return step, Progress(state, last, np.array(losses), np.array(epochs))

    def save_if_due(self, step: int, progress: Progress, *, due: bool = False) -> None:
        """Saves if it is time to, or due in any case."""
        if self.checkpoints is not None and (due or self.is_time()):
            with self.checkpoints as checkpoints:
                checkpoints.save(step, on_devices(progress))

    def is_time(self) -> bool:
        """True so many minutes after it was last true."""
        is_time = time.monotonic() - self.before >= 60 * self.minutes
        if jax.process_count() > 1:
            is_time = bool(multihost_utils.broadcast_one_to_all(np.bool_(is_time)))
        if is_time:
            self.before = time.monotonic()
        return is_time


def on_devices(progress: Progress) -> Progress:
    """With the host's numbers as arrays too, as a checkpoint has them."""
    numbers = mesh.laid_out((progress.losses, progress.epochs), P())
    return Progress(progress.state, progress.last, *numbers)
