"""The odd/even task: its options, and the images that each trial gets."""

import dataclasses
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.data import pictures, subsets


@dataclasses.dataclass(frozen=True)
class Settings:
    """The odd/even task with digit 8 rare, for every method, over paired seeds."""

    seeds: int = 50
    """Trials, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    long: bool = False
    """More images (120 / 20 / 40) and 40 epochs in place of 15: part of an effect is only faster
    convergence."""
    dataset: Literal["digits", "mnist"] = "digits"
    """digits comes with scikit-learn; mnist needs its files."""
    data_dir: str | None = None
    """Folder of the MNIST files."""
    figure: str = "out/parity.png"
    """Where the figure goes."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}.")


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: training.Data  # leading axis: the trial
    train_digits: np.ndarray  # [S, N]
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, 1, features]
    test_images: Array  # [T, features], as they are in the file
    test_digits: np.ndarray  # [T]
    tested: np.ndarray  # [S, T]: False where the trial trains on the image
    epochs: int


def make_task(settings: Settings) -> Task:
    """Draws each trial's training images; all remaining images are its test set."""
    if settings.dataset == "digits":
        images, digits = pictures.load_digits()
        test_images, test_digits = images, digits
    else:
        images, digits, test_images, test_digits = pictures.load_idx("mnist", settings.data_dir)
    others, eights, odds, epochs = (120, 20, 40, 40) if settings.long else (120, 10, 25, 15)
    sizes = np.array([others, odds] * 4 + [eights, odds])
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
    return Task(
        data, digits[index], statistics, jnp.asarray(test_images), test_digits, tested, epochs
    )
