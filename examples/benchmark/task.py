"""What a task is, and how each kind is made from its data."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.data import datasets, pictures, subsets, tabular
from examples.training import Architecture

HELD_OUT = 10  # examples of each class, for what must be measured on held-out data
FASHION = 0.2860, 0.3530  # mean and deviation of all training pixels
Columns = Literal["shots", "thirds", "parity", "event"]


class Task(NamedTuple):
    """`S` trials of `N` training examples in `K` classes; the test examples are in `G` groups."""

    train: training.Data  # [S, N, ...]
    held_out: training.Data  # [S, H, ...]
    spared: np.ndarray  # [S, N]: also held out, from the methods that need held-out data
    counts: np.ndarray  # [K], of every training set
    statistics: tuple[Array, Array] | None  # mean and deviation, [S, 1, features] or [S, 1, 1]
    pool: Array  # [P, features], from which the test examples are, as they are in the file
    tested: np.ndarray  # [S, T], their positions
    groups: np.ndarray  # [P], in [0, G): a class, or a part of one
    class_of_group: np.ndarray  # [G]
    shape: tuple[int, ...] = ()  # of an image
    vocabulary: int = 0


@dataclasses.dataclass(frozen=True)
class Spec:
    """A task and how it is trained."""

    title: str
    about: str  # of the data, in a sentence
    make: Callable[[np.ndarray, str | None], Task]  # (seeds [S], folder of the data)
    columns: Columns
    epochs: int
    batch_size: int
    learning_rate: float = 3e-3
    hidden: int = 64
    architecture: Architecture = "mlp"
    seeds: int = 5


def digits(seeds: np.ndarray, data_dir: str | None) -> Task:
    """The largest class has 120 images and the smallest 6; the rest is the test set."""
    del data_dir  # they come with scikit-learn
    images, labels = pictures.load_digits()
    sizes = subsets.tail_sizes(10, 120, 20.0)
    drawn = [take_apart(labels, sizes, np.random.default_rng(seed)) for seed in seeds]
    return split_task(images, labels, labels, np.arange(10), drawn, pictures.pixel_statistics)


def parity(seeds: np.ndarray, data_dir: str | None) -> Task:
    """Odd or even, the images of `examples/parity`: digit 8 is rare in the larger class."""
    del data_dir
    images, labels = pictures.load_digits()
    drawn = [take_apart(labels, subsets.RARE_EIGHT, np.random.default_rng(seed)) for seed in seeds]
    statistics = pictures.pixel_statistics
    return split_task(images, labels % 2, labels, np.arange(10) % 2, drawn, statistics)


def fashion(seeds: np.ndarray, data_dir: str | None, imbalance: float, order: tuple) -> Task:
    """6000 images of the first class in this order; the balanced test set."""
    images, labels, test_images, test_labels = pictures.load_idx("fashion-mnist", data_dir)
    images, test_images = ((x / 255 - FASHION[0]) / FASHION[1] for x in (images, test_images))
    sizes = np.zeros(10, int)
    sizes[list(order)] = subsets.tail_sizes(10, 6000, imbalance)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    index = np.stack([subsets.take_per_class(labels, sizes, rng) for rng in rngs])
    spared = np.stack([hold_out(labels[rows], rng) for rows, rng in zip(index, rngs, strict=True)])
    return Task(
        training.Data(jnp.asarray(images[index]), jnp.asarray(labels[index])),
        held_out_of(images[index], labels[index], spared),
        spared,
        sizes,
        None,
        jnp.asarray(test_images),
        np.broadcast_to(np.arange(len(test_labels)), (len(seeds), len(test_labels))),
        test_labels,
        np.arange(10),
        shape=(28, 28, 1),
    )


def rare(seeds: np.ndarray, data_dir: str | None, name: tabular.Name) -> Task:
    """A stratified 60/20/20 split: the 20 % between are held out."""
    table = tabular.load(name, "rda", data_dir)
    features, labels = tabular.signed_log(table.features), table.labels
    drawn = [subsets.split_in_three(labels, np.random.default_rng(seed)) for seed in seeds]
    return split_task(features, labels, labels, np.arange(2), drawn, pictures.pixel_statistics)


def loaded(seeds: np.ndarray, data_dir: str | None, name: str, imbalance: float | None) -> Task:
    """Training and test sets that `datasets.load` draws, standardised there."""
    sets = [datasets.load(name, data_dir, imbalance=imbalance, seed=int(seed)) for seed in seeds]
    first = sets[0]
    inputs = np.stack([each.train_inputs for each in sets])
    labels = np.stack([each.train_labels for each in sets])
    rngs = [np.random.default_rng(seed) for seed in seeds]
    spared = np.stack([hold_out(rows, rng) for rows, rng in zip(labels, rngs, strict=True)])
    num_tested = len(first.test_labels)
    return Task(
        training.Data(jnp.asarray(inputs), jnp.asarray(labels)),
        held_out_of(inputs, labels, spared),
        spared,
        np.bincount(labels[0], minlength=first.num_classes),
        None,
        jnp.asarray(np.concatenate([each.test_inputs for each in sets])),
        np.arange(len(seeds) * num_tested).reshape(len(seeds), num_tested),
        np.concatenate([each.test_labels for each in sets]),
        np.arange(first.num_classes),
        first.shape,
        first.vocabulary,
    )


def split_task(
    inputs: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    class_of_group: np.ndarray,
    drawn: Sequence[tuple[np.ndarray, ...]],
    statistics: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> Task:
    """A task from one table, of which each trial trains on, holds out and tests other rows."""
    index, other, tested = (np.stack(rows) for rows in zip(*drawn, strict=True))
    mean, deviation = statistics(inputs[index])
    train, held_out = (
        training.Data(
            jnp.asarray((inputs[rows] - mean) / deviation), jnp.asarray(labels[rows], jnp.int32)
        )
        for rows in (index, other)
    )
    return Task(
        train,
        held_out,
        np.zeros(index.shape, bool),
        np.bincount(labels[index[0]]),
        (jnp.asarray(mean), jnp.asarray(deviation)),
        jnp.asarray(inputs),
        tested,
        groups,
        class_of_group,
    )


def take_apart(
    labels: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Positions to train on, to hold out, and to test."""
    both = subsets.take_per_class(labels, sizes + HELD_OUT, rng)
    first = np.concatenate([np.arange(n + HELD_OUT) < n for n in sizes])
    return both[first], both[~first], np.setdiff1d(np.arange(len(labels)), both)


def hold_out(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """True for ten examples of each class."""
    sizes = np.full(labels.max() + 1, HELD_OUT)
    spared = np.zeros(len(labels), bool)
    spared[subsets.take_per_class(labels, sizes, rng)] = True
    return spared


def held_out_of(inputs: np.ndarray, labels: np.ndarray, spared: np.ndarray) -> training.Data:
    """The spared examples of every trial."""
    trials = len(labels)
    rows = inputs[spared].reshape(trials, -1, inputs.shape[-1])
    return training.Data(jnp.asarray(rows), jnp.asarray(labels[spared].reshape(trials, -1)))
