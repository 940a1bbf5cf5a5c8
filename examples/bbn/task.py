"""The images of each trial."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from examples.bbn.settings import DatasetName, Settings
from examples.data import pictures, subsets
from examples.training import Data


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: Data  # leading axis: the trial
    counts: np.ndarray  # [K], the same in every trial
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, features]
    test: Data
    tested: Array  # [S, T]: False where the trial trains on the image


def make_task(name: DatasetName, settings: Settings) -> Task:
    """Draws each trial's long-tailed training set; digits tests on all remaining images."""
    if name == "digits":
        images, labels = test_images, test_labels = pictures.load_digits()
        largest = 120 if settings.largest is None else settings.largest
    else:
        images, labels, test_images, test_labels = pictures.load_idx(name, settings.data_dir)
        largest = 500 if settings.largest is None else settings.largest
    index = np.stack(
        [
            subsets.long_tail(labels, largest, settings.imbalance, np.random.default_rng(trial))
            for trial in range(settings.seed, settings.seed + settings.seeds)
        ]
    )
    tested = np.ones((len(index), len(test_labels)), bool)
    if name == "digits":
        np.put_along_axis(tested, index, False, axis=1)
    mean, deviation = pictures.pixel_statistics(images[index])
    return Task(
        Data(jnp.asarray((images[index] - mean) / deviation), jnp.asarray(labels[index])),
        np.asarray(jimb.class_counts(labels[index[0]], 10)),
        (jnp.asarray(mean[:, 0]), jnp.asarray(deviation[:, 0])),
        Data(jnp.asarray(test_images), jnp.asarray(test_labels)),
        jnp.asarray(tested),
    )
