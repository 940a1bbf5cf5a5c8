"""The glosses of each trial: what is trained on, and what is tested."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from examples.data import subsets, wordnet
from examples.data.sources import find_folder
from examples.large_head.settings import Settings
from examples.training import Data

TEST_SHARE = 0.2
WORDS = 16  # three of four glosses have no more; what comes late is mostly an example of use
SAMPLE = 8192  # training examples that the accuracy on the training set is of


class Split(NamedTuple):
    """One trial's glosses."""

    train: Data
    test: Data
    sample: Data  # of the training set


class Task(NamedTuple):
    """A split for each trial; their class counts are the same."""

    splits: list[Split]
    counts: np.ndarray  # [K], training examples
    tested: np.ndarray  # [K], test examples


def make_task(settings: Settings) -> Task:
    """Reads the nouns and splits them for each trial.

    Raises:
      MissingData: WordNet is not there.
      ValueError: its file is damaged.
    """
    folder = find_folder("wordnet", settings.data_dir, "data.noun")
    words, classes = wordnet.read_hypernyms(folder)
    tested = test_sizes(np.bincount(classes))
    trials = range(settings.seed, settings.seed + settings.seeds)
    splits = [
        split(words[:, :WORDS], classes, tested, np.random.default_rng(trial)) for trial in trials
    ]
    return Task(splits, np.bincount(classes) - tested, tested)


def test_sizes(sizes: np.ndarray) -> np.ndarray:
    """A fifth of each class, and at least one; none of a class of one, which is trained on."""
    share = np.maximum(1, np.round(TEST_SHARE * sizes)).astype(int)
    return np.where(sizes > 1, share, 0)


def split(
    words: np.ndarray, classes: np.ndarray, tested: np.ndarray, rng: np.random.Generator
) -> Split:
    """Random examples of each class for the test, the others for training."""
    test = subsets.take_per_class(classes, tested, rng)
    train = np.setdiff1d(np.arange(len(classes)), test)
    sample = rng.permutation(train)[:SAMPLE]
    return Split(
        *(Data(jnp.asarray(words[i]), jnp.asarray(classes[i])) for i in (train, test, sample))
    )
