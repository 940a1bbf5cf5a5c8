"""The odd/even task, with images to choose by and others to report."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from examples import training
from examples.data import pictures, subsets
from examples.sweep.settings import Settings

SIZES = np.array([120, 25] * 4 + [10, 25])  # training images of each digit


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
    index, halves = [], []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        rng = np.random.default_rng(seed)
        index.append(subsets.take_per_class(digits, SIZES, rng))
        others = np.setdiff1d(np.arange(len(digits)), index[-1])
        held_out, _ = subsets.split(digits[others], rng, share=0.5)
        half = np.zeros((2, len(digits)), bool)
        half[1, others] = True
        half[0, others[held_out]] = True
        half[1, others[held_out]] = False
        halves.append(half)
    rows = np.stack(index)
    mean, deviation = pictures.pixel_statistics(images[rows])
    seeds = np.arange(settings.seed, settings.seed + settings.seeds)
    return Trials(
        training.Data(
            jnp.asarray((images[rows] - mean) / deviation), jnp.asarray(digits[rows] % 2)
        ),
        jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(seeds),
        jnp.asarray((images - mean) / deviation),
        jnp.tile(digits, (settings.seeds, 1)),
        jnp.asarray(np.stack(halves)),
    )
