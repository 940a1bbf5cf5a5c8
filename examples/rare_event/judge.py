"""PR-AUC, and recall and precision at three thresholds."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from sklearn.metrics import average_precision_score

import jimb
from examples.rare_event.task import Task


class Result(NamedTuple):
    """One method on the test part of each trial; shares of 1."""

    pr_auc: np.ndarray  # [S]
    validation_pr_auc: np.ndarray  # [S]
    recall: np.ndarray  # [S, 3], at the three thresholds
    precision: np.ndarray  # [S, 3]; NaN where nothing was called an event
    threshold: np.ndarray  # [S], chosen on validation


def judge(task: Task, counts: Array, validation: Array, test: Array) -> Result:
    """PR-AUC, and recall and precision at the three thresholds, of every trial on the test part."""
    labels = task.validation.labels
    thresholds, confusions = confusions_of_trials(
        validation, jnp.asarray(labels), test, jnp.asarray(task.test.labels), counts
    )
    cells = np.asarray(confusions.counts)  # [S, 3, 2, 2]
    alarms, hits = cells[..., 1].sum(-1), cells[..., 1, 1]
    return Result(
        pr_auc=pr_auc(task.test.labels, test),
        validation_pr_auc=pr_auc(labels, validation),
        recall=hits / cells[..., 1, :].sum(-1),
        precision=np.where(alarms > 0, hits / np.maximum(alarms, 1), np.nan),
        threshold=np.asarray(thresholds),
    )


def pr_auc(labels: np.ndarray, margins: Array) -> np.ndarray:
    """Average precision of each trial."""
    pairs = zip(labels, np.asarray(margins), strict=True)
    return np.array([average_precision_score(label, margin) for label, margin in pairs])


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def confusions_of_trials(
    validation: Array, labels: Array, test: Array, test_labels: Array, counts: Array
) -> tuple[Array, jimb.metrics.ConfusionState]:
    """The chosen threshold, and the test part's confusion at 0.5, at the prior, and at it."""
    chosen = jimb.posthoc.choose_threshold(
        jax.nn.sigmoid(validation), labels, criterion=jimb.metrics.f1
    )
    probabilities = jax.nn.sigmoid(test)
    moved = jimb.posthoc.move_threshold(probabilities, counts)
    alarms = jnp.stack([probabilities >= 0.5, moved, probabilities >= chosen.value])
    empty = jimb.metrics.init(2)
    confuse = functools.partial(jimb.metrics.update, empty, labels=test_labels)
    return chosen.value, jax.vmap(confuse)(alarms.astype(jnp.int32))
