"""The lemmas of each trial: to train on, to choose thresholds by, and to test."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from examples.data import wordnet
from examples.data.sources import find_folder
from examples.training import Data


class Split(NamedTuple):
    """One trial's lemmas; labels are multi-hot."""

    train: Data
    validation: Data
    test: Data


def read(data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Words `[N, 64]` and labels `[N, 45]` of all lemmas.

    Raises:
      MissingData: WordNet is not there.
      ValueError: a file of it is damaged.
    """
    return wordnet.read_lemmas(find_folder("wordnet", data_dir, "data.noun"))


def split(words: np.ndarray, labels: np.ndarray, seed: int) -> Split:
    """Three fifths, one and one, at random."""
    order = np.random.default_rng(seed).permutation(len(labels))
    cuts = len(order) * 3 // 5, len(order) * 4 // 5
    parts = np.split(order, cuts)
    return Split(*(Data(jnp.asarray(words[part]), jnp.asarray(labels[part])) for part in parts))
