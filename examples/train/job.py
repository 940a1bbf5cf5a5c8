"""Data: the settings and a data set made into shapes, numbers and arrays."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import PartitionSpec as P

import jimb
from examples import training
from examples.data import datasets
from examples.train import mesh
from examples.train.settings import Settings
from examples.training import Hyper, Sampler

STEPS_A_CALL = 100  # at most: between two calls the host checks, saves and prints


@dataclasses.dataclass(frozen=True)
class Job:
    """A training as settings and data make it."""

    settings: Settings
    recipe: training.Recipe
    num_examples: int  # N, without padding
    steps: int  # of an epoch
    call: int  # steps of one call

    @property
    def rows(self) -> int:
        """N and padding, so that any number of devices that divides a batch divides them."""
        return -(-self.num_examples // self.recipe.batch_size) * self.recipe.batch_size

    @property
    def total_steps(self) -> int:
        """Of the whole training."""
        return self.steps * self.settings.epochs


def make_job(settings: Settings, dataset: datasets.Dataset) -> Job:
    """Shapes, and how many steps there are."""
    num_examples, features = dataset.train_inputs.shape
    if settings.batch_size > num_examples:
        raise ValueError(
            f"--batch-size {settings.batch_size} is larger than the training set: take at most "
            f"its {num_examples} examples."
        )
    architecture = settings.model or ("bag" if dataset.vocabulary else "mlp")
    steps = -(-num_examples // settings.batch_size)
    convolves = architecture in ("cnn", "resnet-32")
    longest = 1 if convolves and jax.default_backend() == "cpu" else STEPS_A_CALL
    calls = -(-steps // longest)
    call = -(-steps // calls)
    recipe = training.Recipe(
        features=features,
        classes=dataset.num_classes,
        loss=settings.loss or "ce",
        architecture=architecture,
        shape=dataset.shape,
        vocabulary=dataset.vocabulary,
        hidden=settings.hidden,
        dtype=settings.dtype,
        augmented=settings.augment,
        batch_size=settings.batch_size,
        steps=calls * call * settings.epochs,
        learning_rate=settings.learning_rate,
        rebalance=settings.rebalance or "always",
        mining=settings.keep is not None,
    )
    return Job(settings, recipe, num_examples, calls * call, call)


class Progress(NamedTuple):
    """All that a checkpoint holds. The place in the plan is `state.step`."""

    state: training.TrainState
    last: training.Pass
    losses: Array | np.ndarray  # of each step, NaN where it has not been; [total steps]
    epochs: Array | np.ndarray  # what `Epoch` says of each, but its number and step; [epochs, 4]


@functools.partial(jax.jit, static_argnums=(1,))
def begin(key: Array, job: Job) -> Progress:
    """Before the first step. What has a row per example is divided over the devices."""

    def by_rows(tree: Any) -> Any:
        return jax.tree.map(lambda x: jax.reshard(x, P("data", *[None] * (x.ndim - 1))), tree)

    state = training.init_state(key, job.recipe, job.rows)
    return Progress(
        state._replace(difficulty=by_rows(state.difficulty)),
        by_rows(training.init_pass(job.rows)),
        jnp.full(job.total_steps, jnp.nan),
        jnp.full((job.settings.epochs, 4), jnp.nan),
    )


@functools.partial(jax.jit, static_argnums=(0,))
def draw(
    job: Job,
    key: Array,
    difficulty: jimb.difficulty.DifficultyState,
    last: training.Pass,
    labels: Array,
    hyper: Hyper,
    pseudocount: Array,
    epoch: Array,
) -> tuple[Array, jimb.difficulty.WeightSummary]:
    """The plan of an epoch, `[steps, batch]`, and what it draws."""
    sampler: Sampler = job.settings.sampler or "uniform"
    difficulty, last = jax.tree.map(
        lambda x: jax.reshard(x, P(*[None] * x.ndim)), (difficulty, last)
    )
    data = training.Data(labels, labels)
    weights = training.sampling_weights(sampler, difficulty, last, data, hyper, pseudocount)
    weights = jnp.where(jnp.arange(job.rows) < job.num_examples, weights, 0)
    amount = 1 - job.recipe.share(epoch * job.steps)
    weights = jimb.sampling.mix_uniform(weights, amount=amount)
    num = job.steps * job.recipe.batch_size
    plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
    summary = jimb.difficulty.summarize_weights(weights, labels, job.recipe.classes)
    return plan.reshape(job.steps, -1), summary


class Test(NamedTuple):
    """The test set, divided over the devices."""

    data: training.Data
    real: Array  # False where a row is padding


@functools.partial(jax.jit, static_argnames="recipe")
def evaluate(
    state: training.TrainState, test: Test, *, recipe: training.Recipe
) -> tuple[jimb.metrics.ConfusionState, Array]:
    """Confusion counts on the test set, and the balanced accuracy."""
    predictions = training.predict(state, test.data.inputs, recipe=recipe).argmax(-1)
    confusion = jimb.metrics.init(recipe.classes)
    confusion = jimb.metrics.update(confusion, predictions, test.data.labels, where=test.real)
    return confusion, jimb.metrics.balanced_accuracy(confusion)


def padded(inputs: Any, labels: Any, rows: int) -> training.Data:
    """With the first examples again behind the last, up to so many rows."""
    index = np.arange(rows) % len(labels)
    return training.Data(inputs[index], labels[index])


def make_test(dataset: datasets.Dataset, batch_size: int) -> Test:
    """The test set on the mesh."""
    size = len(dataset.test_labels)
    rows = -(-size // batch_size) * batch_size
    data = padded(dataset.test_inputs, dataset.test_labels, rows)
    laid_out: tuple[training.Data, Array] = mesh.laid_out((data, np.arange(rows) < size), mesh.ROWS)
    return Test(*laid_out)


def make_hyper(settings: Settings, dataset: datasets.Dataset) -> Hyper:
    """The traced numbers of the training, on every device."""
    counts = jimb.class_counts(dataset.train_labels, dataset.num_classes)
    chosen = {name: getattr(settings, name) for name in ("gamma", "beta", "keep")}
    given = {name: value for name, value in chosen.items() if value is not None}
    weights = settings.weights or "none"

    @jax.jit
    def hyper(seed: int) -> Hyper:
        # The plans' key is one of `jax.random.key(seed)` too: this one is apart from it.
        key = jax.random.fold_in(jax.random.key(seed), 1)
        return training.hyper_of(counts, weights=weights, key=key, **given)

    on_mesh: Hyper = hyper(settings.seed)
    return on_mesh


@jax.jit
def make_keys(seed: int) -> tuple[Array, Array]:
    """Keys of the initial weights and of the plans."""
    initial, plans = jax.random.split(jax.random.key(seed))
    return initial, plans
