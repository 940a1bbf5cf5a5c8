"""All trials: trained, their backbones frozen, and every head scored on the test images."""

from typing import NamedTuple

import jax
import numpy as np
from flax import nnx
from jax import Array

import jimb
from examples.decoupling.heads import METHODS, Head, Part, Seen
from examples.decoupling.settings import Settings
from examples.decoupling.stages import Stage, train_all
from examples.decoupling.task import CLASSES, Split, Task, make_task


class Result(NamedTuple):
    """One method's accuracies over the test images, a number per trial."""

    balanced: np.ndarray  # [S], mean recall of all classes
    many: np.ndarray  # of the classes with more than 100 training images
    medium: np.ndarray  # 20 to 100
    few: np.ndarray  # fewer than 20
    tau: np.ndarray  # chosen on validation; NaN where there is nothing to choose


def run(settings: Settings) -> tuple[dict[str, Result], Array]:
    """Every method, in the order of the table, and the class counts."""
    task = make_task(settings)
    stage, params = train_all(settings, task)
    seen = see_trials(params["joint"], task, stage=stage)
    results = {}
    for name, (trained, head) in METHODS.items():
        scores = score_trials(params[trained], seen, task.counts, head=head, stage=stage)
        results[name] = Result(*map(np.asarray, scores))
    return results, task.counts


@jax.jit(static_argnames="stage")
def see_trials(params: nnx.State, task: Task, *, stage: Stage) -> Seen:
    """All images through the backbone; trial after trial, for the images of all are many."""

    def one(trial: tuple[nnx.State, Array, Split, Array, Array]) -> Seen:
        params, labels, split, mean, deviation = trial
        classifier = stage.restore(params)

        def part(positions: Array) -> Part:
            images = (task.images[positions] - mean) / deviation
            return Part(classifier.backbone(images), labels[positions])

        return Seen(*map(part, split))

    return jax.lax.map(one, (params, task.labels, task.splits, task.mean, task.deviation))


@jax.jit(static_argnames=("head", "stage"))
def score_trials(
    params: nnx.State, seen: Seen, counts: Array, *, head: Head, stage: Stage
) -> tuple[Array, ...]:
    """The fields of a method's `Result`: each trial's accuracies on test images, and its τ."""

    def one(params: nnx.State, seen: Seen) -> tuple[Array, ...]:
        predictions, tau = head(stage.restore(params), seen, counts / counts.sum())
        empty = jimb.metrics.init_tally(CLASSES)
        tally = jimb.metrics.update(empty, predictions, seen.test.labels)
        shots = jimb.metrics.shot_accuracy(tally, counts)
        return jimb.metrics.balanced_accuracy(tally), *shots, tau

    return jax.vmap(one)(params, seen)
