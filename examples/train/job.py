"""Settings: the recipe, the traced numbers and the steps that they make with a data set."""

import dataclasses

import jax
import numpy as np
from jax import Array

import jimb
from examples import training
from examples.data import datasets
from examples.train.settings import Settings

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
        return whole_batches(self.num_examples, self.recipe.batch_size)

    @property
    def total_steps(self) -> int:
        """Of the whole training."""
        return self.steps * self.settings.epochs

    @property
    def pseudocount(self) -> np.float32:
        """Of the difficulty."""
        given = self.settings.pseudocount
        return np.float32(1 if given is None else given)


def make_job(settings: Settings, dataset: datasets.Dataset) -> Job:
    """Shapes, and how many steps there are."""
    num_examples, features = dataset.train_inputs.shape
    if settings.batch_size > num_examples:
        raise ValueError(
            f"--batch-size {settings.batch_size} is larger than the training set: take at most "
            f"its {num_examples} examples."
        )
    architecture = settings.model or ("bag" if dataset.vocabulary else "mlp")
    calls, call = calls_of(num_examples, settings.batch_size, architecture)
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


def calls_of(num_examples: int, batch_size: int, architecture: str) -> tuple[int, int]:
    """Calls of an epoch, and steps of a call."""
    convolves = architecture in ("cnn", "resnet-32")
    longest = 1 if convolves and jax.default_backend() == "cpu" else STEPS_A_CALL
    steps = -(-num_examples // batch_size)
    calls = -(-steps // longest)
    return calls, -(-steps // calls)


def whole_batches(examples: int, batch_size: int) -> int:
    """The next multiple of the batch."""
    return -(-examples // batch_size) * batch_size


def make_hyper(settings: Settings, dataset: datasets.Dataset) -> training.Hyper:
    """The traced numbers of the training, on every device."""
    counts = jimb.class_counts(dataset.train_labels, dataset.num_classes)
    chosen = {name: getattr(settings, name) for name in ("gamma", "beta", "keep")}
    given = {name: value for name, value in chosen.items() if value is not None}
    weights = settings.weights or "none"

    @jax.jit
    def hyper(seed: int) -> training.Hyper:
        # The plans' key is one of `jax.random.key(seed)` too: this one is apart from it.
        key = jax.random.fold_in(jax.random.key(seed), 1)
        return training.hyper_of(counts, weights=weights, key=key, **given)

    on_mesh: training.Hyper = hyper(settings.seed)
    return on_mesh


@jax.jit
def make_keys(seed: int) -> tuple[Array, Array]:
    """Keys of the initial weights and of the plans."""
    initial, plans = jax.random.split(jax.random.key(seed))
    return initial, plans
