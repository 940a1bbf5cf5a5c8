"""The compiled epoch: what goes before and after it, its state, its plan and its evaluation.

The epoch itself, and the pass after it, are in `examples/training`.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import PartitionSpec as P

import jimb
from examples import training
from examples.train.arrays import TestSet
from examples.train.job import Job

FEW_CLASSES = 1000  # whose confusion can be looked at; of more it would be the largest array


class Progress(NamedTuple):
    """All that a checkpoint holds. The place in the plan is `state.step`."""

    state: training.TrainState
    last: training.Pass
    losses: np.ndarray  # of each step, NaN where it has not been; [total steps]
    epochs: np.ndarray  # what `Epoch` says of each, but its number and step; [epochs, 4]


def begin(key: Array, job: Job) -> Progress:
    """Before the first step."""
    losses = np.full(job.total_steps, np.nan, np.float32)
    epochs = np.full((job.settings.epochs, 4), np.nan, np.float32)
    state, last = init(key, job)
    return Progress(state, last, losses, epochs)


@functools.partial(jax.jit, static_argnums=(1,))
def init(key: Array, job: Job) -> tuple[training.TrainState, training.Pass]:
    """State and pass. What has a row per example is divided over the devices."""

    def by_rows(tree: Any) -> Any:
        return jax.tree.map(lambda x: jax.reshard(x, P("data", *[None] * (x.ndim - 1))), tree)

    state = training.init_state(key, job.recipe, job.rows)
    state = state._replace(difficulty=by_rows(state.difficulty))
    return state, by_rows(training.init_pass(job.rows))


@functools.partial(jax.jit, static_argnums=(0,))
def draw(
    job: Job,
    key: Array,
    epoch: Array,
    difficulty: jimb.difficulty.DifficultyState,
    last: training.Pass,
    labels: Array,
    hyper: training.Hyper,
) -> tuple[Array, jimb.difficulty.WeightSummary]:
    """The plan of an epoch, `[steps, batch]`, and what it draws."""
    difficulty, last = jax.tree.map(
        lambda x: jax.reshard(x, P(*[None] * x.ndim)), (difficulty, last)
    )
    sampler = job.settings.sampler or "uniform"
    data = training.Data(labels, labels)  # no sampler looks at the inputs
    weights = training.sampling_weights(sampler, difficulty, last, data, hyper, job.pseudocount)
    weights = jnp.where(jnp.arange(job.rows) < job.num_examples, weights, 0)
    weights = jimb.sampling.mix_uniform(weights, amount=1 - job.recipe.share(epoch * job.steps))
    num = job.steps * job.recipe.batch_size
    plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
    summary = jimb.difficulty.summarize_weights(weights, labels, job.recipe.classes)
    return plan.reshape(job.steps, -1), summary


@functools.partial(jax.jit, static_argnames="recipe")
def evaluate(
    state: training.TrainState, test: TestSet, *, recipe: training.Recipe
) -> tuple[jimb.metrics.ConfusionState | jimb.metrics.TallyState, Array]:
    """Counts on the test set, the confusion of few classes, and the balanced accuracy."""
    predictions = training.predict(state, test.data.inputs, recipe=recipe).argmax(-1)
    few = recipe.classes <= FEW_CLASSES
    empty = (jimb.metrics.init if few else jimb.metrics.init_tally)(recipe.classes)
    counts = jimb.metrics.update(empty, predictions, test.data.labels, where=test.real)
    return counts, jimb.metrics.balanced_accuracy(counts)
