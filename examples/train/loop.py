"""The host's loop: draw each plan, run it, check, save and show; read `train` first."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import PartitionSpec as P

import jimb
from examples.data import datasets
from examples.train import log, mesh
from examples.train.arrays import TestSet, make_test_set, make_training_set
from examples.train.calibration import calibrate
from examples.train.feeds import Feed, make_feed
from examples.train.job import Job, make_hyper, make_job, make_keys
from examples.train.outcome import Outcome, read
from examples.train.programs import Progress, begin, draw, evaluate
from examples.train.saver import Saver
from examples.train.settings import Settings
from examples.train.watch import Watch
from examples.training import Hyper


class Given(NamedTuple):
    """What a training is given and does not change."""

    feed: Feed
    labels: Array  # of the training set, on every device
    test: TestSet
    hyper: Hyper
    plan_key: Array


def train(settings: Settings, dataset: datasets.Dataset, folder: Path | None = None) -> Outcome:
    """Trains one recipe on the mesh in context. With a folder it saves there, and can go on."""
    job = make_job(settings, dataset)
    init_key, plan_key = make_keys(settings.seed)
    training_set = make_training_set(job, dataset)
    given = Given(
        make_feed(job, training_set),
        mesh.laid_out(training_set.labels, P()),
        make_test_set(job, dataset),
        make_hyper(settings, dataset),
        plan_key,
    )
    saver = Saver(folder, settings.save_minutes)
    done, progress = 0, begin(init_key, job)
    if settings.resume:
        done, progress = saver.restore(progress)

    with Watch(job, folder, done, progress) as watch:
        while done < job.total_steps:
            progress = train_epoch(job, given, done, progress, saver, watch)
            done += job.steps - done % job.steps
    return outcome_of(job, given, progress)


def train_epoch(
    job: Job, given: Given, done: int, progress: Progress, saver: Saver, watch: Watch
) -> Progress:
    """From step `done` to the end of its epoch."""
    state, last, losses, epochs = progress  # the last two are written to in place
    epoch, position = divmod(done, job.steps)
    end = done - position + job.steps
    plan, drawn = draw(
        job, given.plan_key, np.int32(epoch), state.difficulty, last, given.labels, given.hyper
    )
    # What these weights draw, not the data set, is what logit adjustment corrects for: drawn
    # class-balanced, the prior is uniform and nothing is left to adjust.
    hyper = given.hyper._replace(prior=drawn.class_prior)

    given.feed.begin_epoch(np.asarray(plan), position)
    while done < end:
        before, done = done, min(done + job.call, end)
        state, new = given.feed.train(state, hyper, done - before)
        losses[before:done] = check_finite(np.asarray(new), before)
        watch.call(done, losses[before:done])
        if done < end:
            saver.save_if_due(done, Progress(state, last, losses, epochs))

    state, last = given.feed.end_epoch(state, last)
    _, accuracy = evaluate(state, given.test, recipe=job.recipe)
    epochs[epoch] = (
        losses[end - job.steps : end].mean(),
        accuracy,
        drawn.effective_sample_size / job.num_examples,  # far below 1: few examples
        drawn.largest_share,
    )
    progress = Progress(state, last, losses, epochs)
    watch.epoch(epochs[: epoch + 1])
    saver.save_if_due(end, progress, due=end == job.total_steps)
    return progress


def check_finite(losses: np.ndarray, first: int) -> np.ndarray:
    """The losses; FloatingPointError with the first step whose loss is not a number."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise FloatingPointError(
            f"the loss is not finite at step {first + bad[0]}: lower --learning-rate."
        )
    return losses


def outcome_of(job: Job, given: Given, progress: Progress) -> Outcome:
    """What is left when the last step is done."""
    state = progress.state
    tested, _ = evaluate(state, given.test, recipe=job.recipe)
    difficulty = jimb.difficulty.score(state.difficulty, pseudocount=job.pseudocount)
    calibrated = calibrate(state, given.test, recipe=job.recipe)
    tested, difficulty, calibrated, whole = mesh.to_host((tested, difficulty, calibrated, state))
    recall, confusion = read(tested)
    return Outcome(
        settings=job.settings,
        recall=recall,
        confusion=confusion,
        calibration=calibrated,
        difficulty=difficulty[: job.num_examples],
        losses=progress.losses,
        epochs=log.rows(progress.epochs, job.steps),
        digest=hashlib.sha256(b"".join(x.tobytes() for x in jax.tree.leaves(whole))).hexdigest(),
    )
