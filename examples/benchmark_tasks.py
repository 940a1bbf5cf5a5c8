"""The tasks of `benchmark.py`: the training sets of all trials, the test set, how they are trained.

Digits, odd/even parity, long-tailed Fashion-MNIST in three forms, two rare events in tables,
WordNet's glosses, and long-tailed CIFAR. Training settings are those that suit cross-entropy, the
same for every method.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple

import datasets
import jax.numpy as jnp
import numpy as np
import tabular
import training
from jax import Array
from train_settings import Architecture

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


# -------------------------------------------------------------------------------------- images


def digits(seeds: np.ndarray, data_dir: str | None) -> Task:
    """The largest class has 120 images and the smallest 6; the rest is the test set."""
    del data_dir  # they come with scikit-learn
    images, labels = datasets.load_digits()
    sizes = tail(120, 20.0)
    drawn = [take_apart(labels, sizes, np.random.default_rng(seed)) for seed in seeds]
    return split_task(images, labels, labels, np.arange(10), drawn, datasets.pixel_statistics)


def parity(seeds: np.ndarray, data_dir: str | None) -> Task:
    """Odd or even, the images of `parity.py`: digit 8 is rare in the larger class."""
    del data_dir
    images, labels = datasets.load_digits()
    sizes = np.array([120, 25] * 4 + [10, 25])
    drawn = [take_apart(labels, sizes, np.random.default_rng(seed)) for seed in seeds]
    statistics = datasets.pixel_statistics
    return split_task(images, labels % 2, labels, np.arange(10) % 2, drawn, statistics)


def fashion(seeds: np.ndarray, data_dir: str | None, imbalance: float, order: tuple) -> Task:
    """6000 images of the first class in this order; the balanced test set."""
    images, labels, test_images, test_labels = datasets.load_idx("fashion-mnist", data_dir)
    images, test_images = ((x / 255 - FASHION[0]) / FASHION[1] for x in (images, test_images))
    sizes = np.zeros(10, int)
    sizes[list(order)] = tail(6000, imbalance)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    index = np.stack([datasets.take_per_class(labels, sizes, rng) for rng in rngs])
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


def tail(largest: int, imbalance: float) -> np.ndarray:
    """Sizes of ten classes, `largest · imbalance^(-k/9)`."""
    return np.round(largest * imbalance ** (-np.arange(10) / 9)).astype(int)


def take_apart(
    labels: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Positions to train on, to hold out, and to test."""
    both = datasets.take_per_class(labels, sizes + HELD_OUT, rng)
    first = np.concatenate([np.arange(n + HELD_OUT) < n for n in sizes])
    return both[first], both[~first], np.setdiff1d(np.arange(len(labels)), both)


def hold_out(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """True for ten examples of each class."""
    sizes = np.full(labels.max() + 1, HELD_OUT)
    spared = np.zeros(len(labels), bool)
    spared[datasets.take_per_class(labels, sizes, rng)] = True
    return spared


def held_out_of(inputs: np.ndarray, labels: np.ndarray, spared: np.ndarray) -> training.Data:
    """The spared examples of every trial."""
    trials = len(labels)
    rows = inputs[spared].reshape(trials, -1, inputs.shape[-1])
    return training.Data(jnp.asarray(rows), jnp.asarray(labels[spared].reshape(trials, -1)))


def split_task(
    inputs: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    class_of_group: np.ndarray,
    drawn: list[tuple[np.ndarray, ...]],
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


# --------------------------------------------------------------------------------- rare events


def rare(seeds: np.ndarray, data_dir: str | None, name: tabular.Name) -> Task:
    """A stratified 60/20/20 split: the 20 % between are held out."""
    table = tabular.load(name, "rda", data_dir)
    features = np.sign(table.features) * np.log1p(np.abs(table.features))
    drawn = []
    for seed in seeds:
        rng, parts = np.random.default_rng(seed), []
        for label in (0, 1):
            rows = rng.permutation(np.flatnonzero(table.labels == label))
            parts.append(np.split(rows, [round(0.6 * len(rows)), round(0.8 * len(rows))]))
        drawn.append(tuple(np.concatenate(pair) for pair in zip(*parts, strict=True)))
    labels = table.labels
    return split_task(features, labels, labels, np.arange(2), drawn, datasets.pixel_statistics)


# -------------------------------------------------------------------------- as `datasets` has it


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


# --------------------------------------------------------------------------------------- all


def _fashion(imbalance: float, order: tuple[int, ...] = tuple(range(10))) -> Callable[..., Task]:
    return lambda seeds, data_dir: fashion(seeds, data_dir, imbalance, order)


def _rare(name: tabular.Name) -> Callable[..., Task]:
    return lambda seeds, data_dir: rare(seeds, data_dir, name)


def _loaded(name: str, imbalance: float | None) -> Callable[..., Task]:
    return lambda seeds, data_dir: loaded(seeds, data_dir, name, imbalance)


FASHION_ABOUT = "Fashion-MNIST with round(6000 · {}^(-k/9)) training images of the k-th class"
TASKS: dict[str, Spec] = {
    "digits": Spec(
        "Digits, imbalance 20",
        "The 8×8 digits of scikit-learn with round(120 · 20^(-k/9)) training images of digit k; "
        "all others but ten held out of each class are tested.",
        digits,
        "shots",
        epochs=30,
        batch_size=64,
        seeds=20,
    ),
    "parity": Spec(
        "Odd or even, digit 8 rare",
        "Digits in two classes: 120 training images each of 0, 2, 4 and 6, ten of 8, and 25 of "
        "each odd digit, as in `parity.py`. The mean is over the ten digits.",
        parity,
        "parity",
        epochs=15,
        batch_size=64,
        seeds=20,
    ),
    "fashion-100": Spec(
        "Fashion-MNIST, imbalance 100",
        FASHION_ABOUT.format(100) + " in the order of their numbers; the balanced test set.",
        _fashion(100.0),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "fashion-10": Spec(
        "Fashion-MNIST, imbalance 10",
        FASHION_ABOUT.format(10) + " in the order of their numbers; the balanced test set.",
        _fashion(10.0),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "fashion-hard-100": Spec(
        "Fashion-MNIST, hard tail, imbalance 100",
        FASHION_ABOUT.format(100)
        + f" in the order {', '.join(map(str, datasets.HARD_TAIL))}, which puts the confusable "
        "tops into the tail; the balanced test set.",
        _fashion(100.0, datasets.HARD_TAIL),
        "thirds",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "shuttle": Spec(
        "Valve faults of the Shuttle",
        "A rare event in a table of nine numbers; stratified 60/20/20 splits, the last part "
        "tested, as in `rare_event.py`.",
        _rare("shuttle"),
        "event",
        epochs=15,
        batch_size=256,
    ),
    "caravan": Spec(
        "Caravan policies",
        "A noisy event in a table of 132 columns; splits as for the Shuttle.",
        _rare("caravan"),
        "event",
        epochs=15,
        batch_size=256,
        learning_rate=1e-3,
    ),
    "wordnet": Spec(
        "WordNet glosses",
        "Short texts in 45 classes, a natural long tail; a stratified fifth is tested.",
        _loaded("wordnet", None),
        "thirds",
        epochs=6,
        batch_size=512,
        learning_rate=1e-2,
        hidden=32,
        architecture="bag",
    ),
    "cifar-10": Spec(
        "CIFAR-10, imbalance 100",
        "The recipe of Cao 2019; the balanced test set.",
        _loaded("cifar-10", 100.0),
        "shots",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    "cifar-100": Spec(
        "CIFAR-100, imbalance 100",
        "The recipe of Cao 2019; the balanced test set.",
        _loaded("cifar-100", 100.0),
        "shots",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
}
