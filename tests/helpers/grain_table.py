"""One map of each kind over one data set, and what reads and compares them."""

import hashlib

import numpy as np
import pytest
from grain.sharding import ShardOptions

from jimb.sampling import grain as jgrain

COUNTS = np.array([700, 0, 90, 41, 3])
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), COUNTS))
N = len(LABELS)
IMAGES = [np.flatnonzero(label == LABELS) for label in range(5)]
WEIGHTS = np.random.default_rng(1).lognormal(0, 1, N) * (np.arange(N) % 7 != 0)
EPOCH = 700 * 4  # of label shuffling


def weighted(seed=0, shard=None):
    return jgrain.WeightedSelection(WEIGHTS, N, seed=seed, shard_options=shard)


def balanced(seed=0, shard=None):
    return jgrain.ClassBalancedSelection(LABELS, 5, N, seed=seed, shard_options=shard)


def shuffled(seed=0, shard=None):
    return jgrain.LabelShuffledSelection(LABELS, 5, seed=seed, shard_options=shard)


def planned(seed=0, shard=None):
    plan = np.random.default_rng(seed).permutation(N)
    return jgrain.PlanSelection(plan, N, shard_options=shard)


MAPS = [weighted, balanced, shuffled, planned]
every_map = pytest.mark.parametrize("make", MAPS, ids=lambda make: make.__name__)
every_drawn_map = pytest.mark.parametrize("make", MAPS[:3], ids=lambda make: make.__name__)


def hosts_of(make, num_hosts, **arguments):
    return [make(shard=ShardOptions(host, num_hosts), **arguments) for host in range(num_hosts)]


def read(selection, *window):
    """The positions at these indexes, as of `range`."""
    pairs = [selection[index] for index in range(*window)]
    assert {source for source, _ in pairs} <= {0}
    return np.array([position for _, position in pairs])


def assert_binomial(counts, trials, probabilities):
    """Within 4.5 standard deviations, which of 1000 numbers one exceeds in 150 runs of the test."""
    deviation = np.sqrt(trials * probabilities * (1 - probabilities))
    assert np.all(np.abs(counts - trials * probabilities) <= 4.5 * deviation)


def digest(positions):
    return hashlib.sha256(np.ascontiguousarray(positions, "<i8").tobytes()).hexdigest()[:12]
