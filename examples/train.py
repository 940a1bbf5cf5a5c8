"""Train a classifier on imbalanced data, with any loss, class weights and sampler of jimb.

With no argument: cross-entropy, then class-balanced focal loss with difficulty sampling, on
long-tailed digits. `--help` lists the options. Read it from top to bottom.

It runs unchanged on a CPU, on one GPU or TPU and on several, and on several hosts: a mesh of all
devices divides each batch. Killed at any moment, it goes on with `--resume` from its last
checkpoint. The compiled part, one epoch as a pure function, is in `training.py`; this file is what
the host does: draw each plan, run it, check, save and print.
"""

import dataclasses
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import datasets
import jax
import numpy as np
import train_folder
import train_mesh
import train_report
import tyro
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec as P
from tqdm import tqdm
from train_checkpoint import Checkpoints
from train_feeds import Feed, FromGrain, OnDevice
from train_job import (
    Job,
    Progress,
    begin,
    draw,
    evaluate,
    make_hyper,
    make_job,
    make_keys,
    make_test,
    padded,
)
from train_report import Epoch
from train_settings import Settings, describe

import jimb

# -------------------------------------------------------------------------------------- the loop


class Outcome(NamedTuple):
    """What is left of a training."""

    settings: Settings
    confusion: np.ndarray  # [K, K]
    difficulty: np.ndarray  # of each training example
    losses: np.ndarray  # of each step
    epochs: list[Epoch]
    digest: str  # of every bit of the last state


def train(settings: Settings, dataset: datasets.Dataset, folder: Path | None = None) -> Outcome:
    """Trains one recipe on the mesh in context. With a folder it saves there, and can go on."""
    job = make_job(settings, dataset)
    training_set = padded(dataset.train_inputs, dataset.train_labels, job.rows)
    feed_of = FromGrain if settings.feed == "grain" else OnDevice
    feed: Feed = feed_of(training_set, job.recipe)
    labels = train_mesh.laid_out(training_set.labels, P())
    test = make_test(dataset, settings.batch_size)
    hyper = make_hyper(settings, dataset)
    pseudocount = np.float32(1 if settings.pseudocount is None else settings.pseudocount)
    init_key, plan_key = make_keys(settings.seed)
    progress = begin(init_key, job)
    saver = Saver(folder, settings.save_minutes)
    done = 0
    if settings.resume:
        done, progress = saver.restore(progress)
    state, last = progress.state, progress.last
    losses, epochs = np.array(progress.losses), np.array(progress.epochs)

    with Bar(job, done) as bar:
        while done < job.total_steps:
            epoch, position = divmod(done, job.steps)
            of_epoch = np.int32(epoch)
            plan, summary = draw(
                job, plan_key, state.difficulty, last, labels, hyper, pseudocount, of_epoch
            )
            # What these weights draw, not the data set, is what logit adjustment corrects for:
            # drawn class-balanced, the prior is uniform and nothing is left to adjust.
            hyper = hyper._replace(prior=summary.class_prior)
            feed.begin_epoch(np.asarray(plan), position)
            for _ in range(position, job.steps, job.call):
                state, new = feed.train(state, hyper, job.call)
                losses[done : done + job.call] = new
                stop_unless_finite(losses[done : done + job.call], done)
                done += job.call
                bar.advance(job.call, losses[done - 1])
                if done % job.steps:
                    saver.save_if_due(done, Progress(state, last, losses, epochs))
            state, last = feed.end_epoch(state, last)
            _, accuracy = evaluate(state, test, recipe=job.recipe)
            epochs[epoch] = (
                losses[done - job.steps : done].mean(),
                accuracy,
                summary.effective_sample_size / job.num_examples,  # far below 1: few examples
                summary.largest_share,
            )
            rows = rows_of(epochs[: epoch + 1], job)
            bar.epoch(rows[-1])
            if folder is not None and train_mesh.is_lead():
                train_report.write_log(folder / "log.csv", rows)
            ended = done == job.total_steps
            saver.save_if_due(done, Progress(state, last, losses, epochs), due=ended)

    confusion, _ = evaluate(state, test, recipe=job.recipe)
    score = jimb.difficulty.score(state.difficulty, pseudocount=pseudocount)
    counts, score, whole = train_mesh.to_host((confusion.counts, score, state))
    digest = hashlib.sha256(b"".join(x.tobytes() for x in jax.tree.leaves(whole))).hexdigest()
    difficulty = score[: job.num_examples]
    return Outcome(settings, counts, difficulty, losses, rows_of(epochs, job), digest)


def rows_of(epochs: np.ndarray, job: Job) -> list[Epoch]:
    """The log of these epochs."""
    return [
        Epoch(epoch, epoch * job.steps, *row) for epoch, row in enumerate(epochs.tolist(), start=1)
    ]


def stop_unless_finite(losses: np.ndarray, first: int) -> None:
    """Names the first step whose loss is not a number."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise FloatingPointError(
            f"the loss is not finite at step {first + bad[0]}: lower --learning-rate."
        )


# ----------------------------------------------------------------------------- saving and printing


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
            saved = checkpoints.restore(start)
        if saved is None:
            say(f"no checkpoint in {self.checkpoints.folder}: from the beginning.")
            return 0, start
        say(f"going on after step {saved[0]}.")
        return saved

    def save_if_due(self, step: int, progress: Progress, *, due: bool = False) -> None:
        """Saves if it is time to, or due in any case."""
        if self.checkpoints is None or not (due or self.is_time()):
            return
        numbers = train_mesh.laid_out((progress.losses, progress.epochs), P())
        with self.checkpoints as checkpoints:
            checkpoints.save(step, Progress(progress.state, progress.last, *numbers))

    def is_time(self) -> bool:
        """True so many minutes after it was last true."""
        is_time = time.monotonic() - self.before >= 60 * self.minutes
        if jax.process_count() > 1:
            is_time = bool(multihost_utils.broadcast_one_to_all(np.bool_(is_time)))
        if is_time:
            self.before = time.monotonic()
        return is_time


def say(sentence: str) -> None:
    """To the terminal, once."""
    if train_mesh.is_lead():
        print(f"train.py: {sentence}", file=sys.stderr)


class Bar:
    """Rate and remaining time, and a row for each epoch, in the lead process."""

    def __init__(self, job: Job, done: int) -> None:
        self.job, self.is_first = job, True
        self.bar = tqdm(
            total=job.total_steps,
            initial=done,
            desc=describe(job.settings),
            unit=" steps",
            disable=None if train_mesh.is_lead() else True,
            leave=False,
        )

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, steps: int, loss: float) -> None:
        """After a call."""
        self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self.bar.update(steps)

    def epoch(self, row: Epoch) -> None:
        """After an epoch."""
        if train_mesh.is_lead():
            if self.is_first:
                self.bar.write(describe(self.job.settings))
            train_report.print_epoch(row, first=self.is_first)
            self.is_first = False


def leave(outcome: Outcome, dataset: datasets.Dataset, folder: Path) -> None:
    """Every setting and number as JSON, and the figure."""
    settings = outcome.settings
    counts = np.bincount(dataset.train_labels, minlength=dataset.num_classes)
    recall = train_report.recalls(outcome.confusion) / 100
    numbers = {
        "settings": settings,
        "balanced_accuracy": np.nanmean(recall),
        "recall": recall,
        "train_counts": counts,
        "confusion": outcome.confusion,
        "epochs": outcome.epochs,
        "losses": outcome.losses,
        "difficulty": outcome.difficulty,
        "state_sha256": outcome.digest,
    }
    train_report.write_json(folder / "results.json", numbers)
    train_report.draw_figure(
        folder / "figure.png",
        f"{settings.dataset}: {describe(settings)}, {settings.epochs} epochs",
        counts=counts,
        confusion=outcome.confusion,
        difficulty=outcome.difficulty,
        labels=dataset.train_labels,
    )


def print_table(outcomes: Sequence[Outcome], counts: np.ndarray) -> None:
    """Recall of each class and their mean, per recipe, in per cent; of many classes the mean."""
    names = [describe(outcome.settings) for outcome in outcomes]
    width = max(map(len, [*names, "training examples"])) + 2
    shown = len(counts) if len(counts) <= 20 else 0
    print(f"{'class':<{width}}" + "".join(f"{k:>6}" for k in range(shown)) + "   balanced")
    sizes = "".join(f"{n:>6}" for n in counts[:shown])
    print(f"{'training examples':<{width}}{sizes}   accuracy")
    for name, outcome in zip(names, outcomes, strict=True):
        recall = train_report.recalls(outcome.confusion)
        row = "".join(f"{r:6.1f}" for r in recall[:shown])
        print(f"{name:<{width}}{row}   {np.nanmean(recall):8.1f}")


# ---------------------------------------------------------------------------------------- main


def run(settings: Settings) -> None:
    """Trains one recipe, or the two that a newcomer compares, and shows what came out."""
    settings.check()
    recipes = [settings]
    if settings.loss is None and settings.weights is None and settings.sampler is None:
        recipes = [
            dataclasses.replace(settings, loss="ce"),
            dataclasses.replace(settings, loss="cb-focal", sampler="difficulty"),
        ]
    with train_mesh.started(settings):
        dataset = datasets.load(
            settings.dataset, settings.data_dir, imbalance=settings.imbalance, seed=settings.seed
        )
        for recipe in recipes:
            make_job(recipe, dataset)  # what cannot be is told before a folder is made
        folder = train_folder.open_folder(settings)
        outcomes = []
        for recipe in recipes:
            own = folder / train_folder.slug(recipe)
            outcomes.append(train(recipe, dataset, own))
            if train_mesh.is_lead():
                leave(outcomes[-1], dataset, own)
    if not train_mesh.is_lead():
        return
    print(f"Recall on the test set of {settings.dataset}, per class, in per cent:")
    print_table(outcomes, np.bincount(dataset.train_labels, minlength=dataset.num_classes))
    print(f"checkpoints, log, figure and results: {folder}")


def main() -> None:
    """Reads the command line; what cannot be done is said in one sentence."""
    try:
        run(tyro.cli(Settings, description=__doc__))
    except (ValueError, FloatingPointError, OSError, ImportError) as error:
        sys.exit(f"train.py: {error}")


if __name__ == "__main__":
    main()
