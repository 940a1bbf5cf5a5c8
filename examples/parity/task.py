"""The odd/even task: the images that each trial gets."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.data import pictures, subsets
from examples.parity.settings import Settings


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: training.Data  # leading axis: the trial
    train_digits: np.ndarray  # [S, N]
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, 1, features]
    test_images: Array  # [T, features], as they are in the file
    test_digits: np.ndarray  # [T]
    tested: np.ndarray  # [S, T]: False where the trial trains on the image


def make_task(settings: Settings) -> Task:
    """Draws each trial's training images; all remaining images are its test set."""
    if settings.dataset == "digits":
        images, digits = pictures.load_digits()
        test_images, test_digits = images, digits
    else:
        images, digits, test_images, test_digits = pictures.load_idx("mnist", settings.data_dir)
    sizes = subsets.RARE_EIGHT_LONG if settings.long else subsets.RARE_EIGHT
    trials = range(settings.seed, settings.seed + settings.seeds)
    rows = [subsets.take_per_class(digits, sizes, np.random.default_rng(s)) for s in trials]
    index = np.stack(rows)
    tested = np.ones((len(index), len(test_digits)), bool)
    if settings.dataset == "digits":
        np.put_along_axis(tested, index, False, axis=1)
    mean, deviation = pictures.pixel_statistics(images[index])
    data = training.Data(
        jnp.asarray((images[index] - mean) / deviation), jnp.asarray(digits[index] % 2)
    )
    statistics = jnp.asarray(mean), jnp.asarray(deviation)
    return Task(data, digits[index], statistics, jnp.asarray(test_images), test_digits, tested)
