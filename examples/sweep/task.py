"""The odd/even task, with images to choose by and others to report."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.data import pictures, subsets
from examples.sweep.settings import Settings

SIZES = subsets.RARE_EIGHT


class Trials(NamedTuple):
    """`S` trials; the images that a trial does not train on are in two halves."""

    train: training.Data  # [S, N, ...]
    keys: Array  # of initial weights and plans, [S, 2]
    images: Array  # all, standardised as each trial's training images, [S, T, features]
    digits: Array  # [S, T]
    halves: Array  # [S, 2, T]: held out to choose by, and to report


def make_trials(settings: Settings) -> Trials:
    """Draws each trial's images."""
    images, digits = pictures.load_digits()
    seeds = np.arange(settings.seed, settings.seed + settings.seeds)
    drawn = [draw(digits, np.random.default_rng(seed)) for seed in seeds]
    rows, halves = (np.stack(each) for each in zip(*drawn, strict=True))
    mean, deviation = pictures.pixel_statistics(images[rows])
    return Trials(
        training.Data(
            jnp.asarray((images[rows] - mean) / deviation), jnp.asarray(digits[rows] % 2)
        ),
        jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(seeds),
        jnp.asarray((images - mean) / deviation),
        jnp.tile(digits, (len(seeds), 1)),
        jnp.asarray(halves),
    )


def draw(digits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on `[N]`, and the two halves `[2, T]` of the others."""
    rows = subsets.take_per_class(digits, SIZES, rng)
    others = np.setdiff1d(np.arange(len(digits)), rows)
    parts = subsets.split(digits[others], rng, share=0.5)
    halves = np.zeros((2, len(digits)), bool)
    for half, part in zip(halves, parts, strict=True):
        half[others[part]] = True
    return rows, halves
