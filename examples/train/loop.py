"""The host's loop: draw each plan, run it, check, save and print.

The compiled part, one epoch as a pure function, is in `examples/training`.
"""

import hashlib
from pathlib import Path

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

import jimb
from examples.data import datasets
from examples.train import log, mesh
from examples.train.feeds import Feed, FromGrain, OnDevice
from examples.train.job import (
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
from examples.train.log import Epoch
from examples.train.outcome import Outcome
from examples.train.saver import Saver
from examples.train.settings import Settings
from examples.train.terminal import Bar


def train(settings: Settings, dataset: datasets.Dataset, folder: Path | None = None) -> Outcome:
    """Trains one recipe on the mesh in context. With a folder it saves there, and can go on."""
    job = make_job(settings, dataset)
    training_set = padded(dataset.train_inputs, dataset.train_labels, job.rows)
    feed_of = FromGrain if settings.feed == "grain" else OnDevice
    feed: Feed = feed_of(training_set, job.recipe)
    labels = mesh.laid_out(training_set.labels, P())
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
            if folder is not None and mesh.is_lead():
                log.write_log(folder / "log.csv", rows)
            ended = done == job.total_steps
            saver.save_if_due(done, Progress(state, last, losses, epochs), due=ended)

    confusion, _ = evaluate(state, test, recipe=job.recipe)
    score = jimb.difficulty.score(state.difficulty, pseudocount=pseudocount)
    counts, score, whole = mesh.to_host((confusion.counts, score, state))
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
