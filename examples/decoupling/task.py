"""The images that each trial gets."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from examples import training
from examples.data import pictures, subsets
from examples.decoupling.settings import Settings

CLASSES = 10


class Split(NamedTuple):
    """Positions of one trial's images, each image in one part."""

    train: Array  # [N], long-tailed
    validation: Array  # [V], balanced
    test: Array  # [T]


class Task(NamedTuple):
    """The images and the trials' splits of them; S trials."""

    images: Array  # [M, features], as they are in the file
    labels: Array  # [S, M]: every trial numbers the classes its own way, the largest is 0
    splits: Split  # [S, N], [S, V], [S, T]
    mean: Array  # [S, 1, features], of the training pixels
    deviation: Array
    counts: Array  # [K]: training images, the same in each trial

    def train_data(self) -> training.Data:
        """The standardised training images of each trial, `[S, N, features]`."""
        positions = self.splits.train
        images = (self.images[positions] - self.mean) / self.deviation
        return training.Data(images, jnp.take_along_axis(self.labels, positions, axis=1))


def make_task(settings: Settings) -> Task:
    """Draws each trial's order of the classes and its images."""
    if settings.dataset == "digits":
        images, classes = pictures.load_digits()
        pool, test = np.arange(len(classes)), None
    else:
        parts = pictures.load_idx(settings.dataset, settings.data_dir)
        images, classes = np.concatenate(parts[::2]), np.concatenate(parts[1::2])
        pool, test = np.split(np.arange(len(classes)), [len(parts[0])])
    labels, splits, statistics = [], [], []
    for trial in range(settings.seed, settings.seed + settings.seeds):
        rng = np.random.default_rng(trial)
        labels.append(rng.permutation(CLASSES).astype(np.int32)[classes])
        splits.append(split(labels[-1], pool, test, settings, rng))
        statistics.append(pictures.pixel_statistics(images[splits[-1][0]]))
    counts = jimb.class_counts(labels[0][splits[0][0]], CLASSES)
    mean, deviation = map(stack, *statistics)
    return Task(
        images=jnp.asarray(images),
        labels=stack(*labels),
        splits=Split(*map(stack, *splits)),
        mean=mean,
        deviation=deviation,
        counts=jnp.asarray(counts),
    )


def split(
    labels: np.ndarray,
    pool: np.ndarray,
    test: np.ndarray | None,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and validation images from the pool; without a test set, the rest of it is one."""
    small = settings.dataset == "digits"
    largest = settings.largest or (120 if small else 1000)
    imbalance = settings.imbalance or (50.0 if small else 100.0)
    chosen = pool[subsets.long_tail(labels[pool], largest, imbalance, rng)]
    rest = np.setdiff1d(pool, chosen)
    sizes = np.full(CLASSES, settings.validation)
    validation = rest[subsets.take_per_class(labels[rest], sizes, rng)]
    test = np.setdiff1d(rest, validation) if test is None else test
    if np.bincount(labels[test], minlength=CLASSES).min() == 0:
        raise ValueError("no test image is left of a class: lower --largest or --validation.")
    return chosen, validation, test


def stack(*rows: np.ndarray) -> Array:
    """One row per trial."""
    return jnp.asarray(np.stack(rows))
