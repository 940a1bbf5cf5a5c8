"""Selection maps for Grain are the same from any index, copy, thread and process; hosts share."""

import concurrent.futures
import copy
import itertools
import pathlib
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from grain.sharding import ShardByJaxProcess, ShardOptions

from jimb.sampling import grain as jgrain
from jimb.sampling._recent import Recent
from tests.helpers.grain_table import (
    IMAGES,
    LABELS,
    MAPS,
    N,
    balanced,
    digest,
    every_map,
    hosts_of,
    read,
    weighted,
)

# --- any index, any copy, any process -----------------------------------------------------------


@every_map
def test_random_access_copies_and_threads_see_the_same(make):
    expected = read(make(), 3 * N)
    backwards = read(make(), 3 * N - 1, -1, -1)
    np.testing.assert_array_equal(backwards[::-1], expected)
    used = make()
    read(used, 100)
    some = range(0, 3 * N, 7)
    for same in (pickle.loads(pickle.dumps(used)), copy.deepcopy(used)):
        assert [same[i][1] for i in some] == expected[some].tolist()
    assert make()[np.int64(5)] == (0, expected[5])
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        got = list(threads.map(lambda i: used[i][1], some))
    np.testing.assert_array_equal(got, expected[some])


@every_map
def test_iterating_reads_one_epoch(make):
    selection = make(shard=ShardOptions(1, 8))
    assert [position for _, position in selection] == read(selection, len(selection)).tolist()


# Checkpoints of other versions go on where they were only if these stay.
FIRST = {
    "weighted": "11c0addb0b9a",
    "balanced": "36ff0f25379d",
    "shuffled": "44b2da64ec0b",
    "planned": "9b4811c95dfc",
}


@every_map
def test_the_draws_are_those_of_every_version(make):
    assert digest(read(make(seed=7), 2000)) == FIRST[make.__name__]


def test_a_fresh_process_draws_the_same():
    script = """
from tests.helpers import grain_table
for make in grain_table.MAPS:
    selection = make(shard=grain_table.ShardOptions(1, 3))
    print(repr(selection), grain_table.digest(grain_table.read(selection, 2000)))
"""
    out = subprocess.run(
        [sys.executable, "-c", script],
        cwd=pathlib.Path(__file__).parents[2],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    ).stdout
    expected = [make(shard=ShardOptions(1, 3)) for make in MAPS]
    assert out.splitlines() == [f"{s!r} {digest(read(s, 2000))}" for s in expected]


# --- hosts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_hosts", [2, 8])
def test_hosts_deal_out_one_stream_of_weighted_draws(num_hosts):
    parts = [read(host, 100) for host in hosts_of(weighted, num_hosts)]
    np.testing.assert_array_equal(np.stack(parts, 1).ravel(), read(weighted(), 100 * num_hosts))


@every_map
def test_lengths_of_hosts(make):
    whole = len(make())
    for num_hosts in (1, 2, 8):
        lengths = [len(host) for host in hosts_of(make, num_hosts)]
        assert lengths == [len(range(host, whole, num_hosts)) for host in range(num_hosts)]
        for host in range(num_hosts):
            even = make(shard=ShardOptions(host, num_hosts, drop_remainder=True))
            assert len(even) == whole // num_hosts
    assert len(make(shard=ShardByJaxProcess())) == whole


def test_eight_hosts_share_the_cycles_of_a_class_even_of_three_images():
    steps = 4096
    draws = np.stack([read(host, steps) for host in hosts_of(balanced, 8)])
    tail = np.sum(LABELS[draws] == 4, axis=1)
    assert np.ptp(tail) <= 2  # of 1024 on each host; measured 0
    visits = np.bincount(draws.ravel(), minlength=N)
    for label in (0, 2, 3, 4):
        # Each host is within a draw of its share of the class.
        assert np.ptp(visits[IMAGES[label]]) <= 2  # measured 1
    for one, other in itertools.combinations(draws, 2):
        assert np.mean(one == other) < 0.05  # 0.026 by chance, since three images have a quarter


def test_hosts_take_turns_with_a_class_that_not_all_have_in_an_epoch():
    labels = np.repeat(np.arange(4), [2, 2, 1, 1])
    seen = np.zeros((4, 4))
    for host in range(4):
        selection = jgrain.LabelShuffledSelection(labels, 4, shard_options=ShardOptions(host, 4))
        np.add.at(seen[host], labels[read(selection, 8)], 1)
    np.testing.assert_array_equal(seen, 2)


# --- the cache ----------------------------------------------------------------------------------


def test_recent_results_are_made_once_and_bounded():
    made = []

    def make(number):
        made.append(number)
        return np.zeros(10)

    recent = Recent(make, 3 * (10 + 64) + 5)
    barrier = threading.Barrier(8)

    def ask(_):
        barrier.wait()
        return recent(0)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert len({id(result) for result in threads.map(ask, range(8))}) == 1
    for number in (1, 2, 0, 3, 3, 0):
        recent(number)
    assert made == [0, 1, 2, 3, 0]
