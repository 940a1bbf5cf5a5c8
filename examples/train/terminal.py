"""Watching: what a training prints, a bar and a line for each epoch."""

import sys

from tqdm import tqdm

from examples.train import mesh
from examples.train.job import Job
from examples.train.log import Epoch
from examples.train.settings import describe


def say(sentence: str) -> None:
    """To the terminal, once."""
    if mesh.is_lead():
        print(f"examples.train: {sentence}", file=sys.stderr)


COLUMNS = ("epoch", "step", "loss", "bal. acc.", "effective", "largest")


def header() -> str:
    """The line above the epochs."""
    epoch, step, *rest = COLUMNS
    return f"{epoch:>5} {step:>8} " + " ".join(f"{name:>10}" for name in rest)


def line(row: Epoch) -> str:
    """An epoch, aligned under the header."""
    return (
        f"{row.epoch:>5} {row.step:>8} {row.loss:>10.4f} {row.balanced_accuracy:>10.1%} "
        f"{row.effective_share:>10.1%} {row.largest_share:>10.2%}"
    )


def print_epoch(row: Epoch, *, first: bool) -> None:
    """The line of an epoch, above a progress bar; before the first one of a run, the header."""
    if first:
        tqdm.write(header())
    tqdm.write(line(row))


class Bar:
    """Rate and remaining time, and a row for each epoch, in the lead process."""

    def __init__(self, job: Job, done: int) -> None:
        self.job, self.is_first = job, True
        self.bar = tqdm(
            total=job.total_steps,
            initial=done,
            desc=describe(job.settings),
            unit=" steps",
            disable=None if mesh.is_lead() else True,
            leave=False,
        )

    def advance(self, steps: int, loss: float) -> None:
        """After a call."""
        self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self.bar.update(steps)

    def epoch(self, row: Epoch) -> None:
        """After an epoch."""
        if mesh.is_lead():
            if self.is_first:
                self.bar.write(describe(self.job.settings))
            print_epoch(row, first=self.is_first)
            self.is_first = False

    def close(self) -> None:
        """Takes the bar away."""
        self.bar.close()
