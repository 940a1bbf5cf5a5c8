"""Selection maps for Grain: how often, in what order, from any index, on any number of hosts."""

import concurrent.futures
import copy
import hashlib
import importlib
import itertools
import pickle
import subprocess
import sys
import threading

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from grain.sharding import ShardByJaxProcess, ShardOptions
from orbax.checkpoint import v1 as ocp

from jimb.sampling import epoch_plan
from jimb.sampling import grain as jgrain
from jimb.sampling._class_draws import BalancedDraws
from jimb.sampling._recent import Recent

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


# --- weighted -----------------------------------------------------------------------------------


def test_weighted_frequencies_are_the_weights():
    trials = 50_000
    counts = np.bincount(read(weighted(), trials), minlength=N)
    assert not counts[WEIGHTS == 0].any()
    assert_binomial(counts, trials, WEIGHTS / WEIGHTS.sum())


def test_a_million_weights_keep_their_probabilities():
    weights = np.ones(1_000_000, np.float32)
    # A float32 sum would lose the second of the rare ones.
    weights[[0, 500_000]], weights[[1, -1]] = 0.01, 0
    selection = jgrain.WeightedSelection(weights, 10)
    probabilities = np.diff(selection._ends, prepend=0)
    expected = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-8)  # measured 5.3e-9
    assert not probabilities[weights == 0].any()


def test_weighted_draws_do_not_depend_on_those_before():
    table = np.zeros((4, 4))
    draws = read(jgrain.WeightedSelection(np.array([1.0, 2, 3, 4]), 1, seed=3), 30_000)
    np.add.at(table, (draws[:-1], draws[1:]), 1)
    share = np.array([0.1, 0.2, 0.3, 0.4])
    assert_binomial(table, 29_999, share[:, None] * share[None, :])


def test_weights_of_any_scale_and_float_type():
    draws = read(weighted(), 500)
    for scale in (2.0**-1000, 2.0**1000):
        selection = jgrain.WeightedSelection(WEIGHTS * scale, N)
        np.testing.assert_array_equal(read(selection, 500), draws)
    rounded = jnp.asarray(WEIGHTS, jnp.bfloat16)
    same = jgrain.WeightedSelection(rounded, N), jgrain.WeightedSelection(np.float64(rounded), N)
    np.testing.assert_array_equal(*(read(selection, 500) for selection in same))


def test_replaced_weights_keep_the_random_numbers_and_the_position():
    first = weighted()
    assert repr(first.with_weights(WEIGHTS)) == repr(first)
    np.testing.assert_array_equal(
        read(first.with_weights(WEIGHTS), 700, 900), read(first, 700, 900)
    )
    small = np.where(np.arange(N) < 3, WEIGHTS * 1.01, WEIGHTS)
    assert (
        np.mean(read(first.with_weights(small), 900) == read(first, 900)) > 0.98
    )  # measured 0.994

    second = first.with_weights(WEIGHTS[::-1])
    assert repr(second) != repr(first)
    trials = 30_000
    counts = np.bincount(read(second, trials), minlength=N)
    assert_binomial(counts, trials, WEIGHTS[::-1] / WEIGHTS.sum())

    source = grain.MapDataset.range(N)
    iterator = iter(jgrain.select(source, first).repeat().to_iter_dataset())
    for _ in range(1000):
        next(iterator)
    resumed = iter(jgrain.select(source, second).repeat().to_iter_dataset())
    resumed.set_state(iterator.get_state())
    np.testing.assert_array_equal([next(resumed) for _ in range(50)], read(second, 1000, 1050))


# --- class-balanced -----------------------------------------------------------------------------


def power_probabilities(power):
    sizes = COUNTS[COUNTS > 0].astype(np.float64)
    probabilities = np.zeros(5)
    probabilities[COUNTS > 0] = sizes**power / np.sum(sizes**power)
    return probabilities


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, -1.0])
@pytest.mark.parametrize(("host", "num_hosts"), [(0, 1), (0, 8), (5, 8)])
def test_classes_are_drawn_by_the_power_of_their_size_on_every_host(power, host, num_hosts):
    trials = 2 * 4096
    selection = jgrain.ClassBalancedSelection(
        LABELS, 5, N, power=power, shard_options=ShardOptions(host, num_hosts)
    )
    counts = np.bincount(LABELS[read(selection, trials)], minlength=5)
    # The second block ends within five draws, one per class, of here.
    assert np.max(np.abs(counts - trials * power_probabilities(power))) <= 4  # measured 2.1


def test_classes_are_drawn_by_their_weights():
    class_weights = np.array([1, 0, 2, 0, 1e-3])
    selection = jgrain.ClassBalancedSelection(LABELS, 5, N, class_weights=class_weights)
    counts = np.bincount(LABELS[read(selection, 8192)], minlength=5)
    assert np.max(np.abs(counts - 8192 * class_weights / class_weights.sum())) <= 4
    assert counts[[1, 3]].tolist() == [0, 0]


def test_a_class_rarer_than_once_per_block_has_its_expectation():
    probabilities = np.array([0.7, 0, 0.2, 0.09995, 0.00005])  # 0.2 draws per block
    for host in (0, 5):
        visits = np.zeros((500, 6, 5), int)
        for seed in range(500):
            draws = BalancedDraws(LABELS, COUNTS, probabilities, seed=seed, host=host, hosts=8)
            visits[seed] = [draws.due(block)[1] for block in range(6)]
        assert_binomial(visits[:, :, 4].sum(0), 500, 0.2048)
        # Six blocks have 1.2 draws, so one or two whatever the seed.
        assert set(visits[:, :, 4].sum(1)) == {1, 2}
        assert np.all(np.abs(visits.cumsum(1)[:, -1] - 6 * 4096 * probabilities) < 1)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_every_image_of_a_class_is_seen_before_any_a_second_time(power):
    draws = read(jgrain.ClassBalancedSelection(LABELS, 5, N, power=power), 12_000)
    for label in (0, 2, 3, 4):
        visits, size = draws[LABELS[draws] == label], COUNTS[label]
        cycles = [visits[i : i + size] for i in range(0, len(visits) - size + 1, size)]
        assert len(cycles) >= 3
        for cycle in cycles:
            np.testing.assert_array_equal(np.sort(cycle), IMAGES[label])
        # Every order is new: of three images, each of the six orders has its share.
        orders = np.unique(np.stack(cycles), axis=0, return_counts=True)[1]
        if label != 4:
            assert orders.max() == 1
        elif power == 0:
            assert_binomial(orders, len(cycles), np.full(6, 1 / 6))


def test_a_batch_has_about_as_many_of_each_class():
    labels = np.repeat(np.arange(1000), 3)
    draws = labels[read(jgrain.ClassBalancedSelection(labels, 1000, 3000), 12_288)]
    # Of 256 independent draws 226 would be of different classes, of 256 from a block about 231.
    different = [len(np.unique(draws[i : i + 256])) for i in range(0, 12_288, 256)]
    assert 226 < np.mean(different) < 236  # measured 232.1
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4.5 / np.sqrt(12_288)
    assert abs(np.corrcoef(draws, np.arange(12_288) % 4096)[0, 1]) < 4.5 / np.sqrt(12_288)


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


# --- label-shuffled -----------------------------------------------------------------------------


@pytest.mark.parametrize("as_published", [False, True])
@pytest.mark.parametrize(
    ("sizes", "num_hosts"),
    [
        (COUNTS, 1),
        (COUNTS, 2),
        (COUNTS, 8),
        (np.array([5600, 40, 3]), 2),
        (np.array([11, 3, 0, 4]), 5),
        (np.array([4, 3]), 8),
        (np.ones(500, int), 3),
        (np.array([1]), 1),
    ],
    ids=str,
)
def test_label_shuffling_is_exact_in_every_epoch(sizes, num_hosts, as_published):
    labels = np.random.default_rng(2).permutation(np.repeat(np.arange(len(sizes)), sizes))
    most, present = sizes.max(), np.flatnonzero(sizes)
    selections = [
        jgrain.LabelShuffledSelection(
            labels,
            len(sizes),
            as_published=as_published,
            shard_options=ShardOptions(host, num_hosts),
        )
        for host in range(num_hosts)
    ]
    lengths = [len(range(host, most * len(present), num_hosts)) for host in range(num_hosts)]
    assert [len(selection) for selection in selections] == lengths
    for epoch in range(2):
        draws = [read(s, epoch * len(s), (epoch + 1) * len(s)) for s in selections]
        for of_host in draws:
            on_host = np.bincount(labels[of_host], minlength=len(sizes))[present]
            assert np.max(np.abs(on_host - most / num_hosts)) < 1
        visits = np.bincount(np.concatenate(draws), minlength=len(labels))
        for label in present:
            images = np.flatnonzero(labels == label)
            low, more = divmod(most, len(images))
            assert np.sum(visits[images] == low + 1) == more
            assert np.sum(visits[images] == low) == len(images) - more
            if as_published:
                assert (visits[images[:more]] == low + 1).all()


def test_which_images_come_once_more_is_drawn_for_every_epoch():
    labels = np.repeat([0, 1], [7, 5])
    selection = jgrain.LabelShuffledSelection(labels, 2)
    draws = read(selection, 14 * 400).reshape(400, 14)
    extra = [np.bincount(of_epoch, minlength=12)[7:] == 2 for of_epoch in draws]
    assert_binomial(np.sum(extra, axis=0), 400, np.full(5, 2 / 5))
    # And one epoch does not begin as another ended: two images are the same two by chance.
    visits = np.stack([of_epoch[labels[of_epoch] == 1] for of_epoch in draws])
    same = np.all(visits[:-1, 5:] == visits[1:, :2], axis=1)
    assert_binomial(same.sum(), 399, np.float64(1 / 20))


def test_label_shuffling_shuffles():
    draws = LABELS[read(shuffled(), EPOCH)]
    slots = np.arange(EPOCH)
    for order in (draws, read(shuffled(), EPOCH)):
        assert abs(np.corrcoef(order, slots)[0, 1]) < 4.5 / np.sqrt(EPOCH)
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 4.5 / np.sqrt(EPOCH)
    again = LABELS[read(shuffled(), EPOCH, 2 * EPOCH)]
    assert abs(np.mean(draws == again) - 0.25) < 0.04  # measured 0.240


def test_hosts_take_turns_with_a_class_that_not_all_have_in_an_epoch():
    labels = np.repeat(np.arange(4), [2, 2, 1, 1])
    seen = np.zeros((4, 4))
    for host in range(4):
        selection = jgrain.LabelShuffledSelection(labels, 4, shard_options=ShardOptions(host, 4))
        np.add.at(seen[host], labels[read(selection, 8)], 1)
    np.testing.assert_array_equal(seen, 2)


# --- plans --------------------------------------------------------------------------------------


def test_a_plan_is_read_exactly_and_repeated_until_replaced():
    plan = epoch_plan(jax.random.key(0), WEIGHTS, 500)
    selection = jgrain.PlanSelection(plan, N)
    np.testing.assert_array_equal(read(selection, 500), plan)
    np.testing.assert_array_equal(read(selection, 500, 1000), plan)
    other = epoch_plan(jax.random.key(1), WEIGHTS, 500)
    np.testing.assert_array_equal(read(selection.with_plan(other), 500, 1000), other)
    for host in range(3):
        shard = jgrain.PlanSelection(plan, N, shard_options=ShardOptions(host, 3))
        np.testing.assert_array_equal(read(shard, len(shard)), plan[host::3])


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


@every_drawn_map
def test_far_indexes_are_as_near_ones(make):
    far = read(make(), 10**12, 10**12 + 4096)
    counts = np.bincount(LABELS[far], minlength=5)
    if make is weighted:
        expected = np.bincount(LABELS, WEIGHTS, minlength=5) / WEIGHTS.sum()
        assert_binomial(counts, 4096, expected)
    else:
        assert np.max(np.abs(counts[COUNTS > 0] - 1024)) <= 4.5 * np.sqrt(1024)
    assert np.mean(far[:2000] == read(make(), 2000)) < 0.1


# Checkpoints of other versions go on where they were only if these stay.
FIRST = {
    "weighted": "11c0addb0b9a",
    "balanced": "36ff0f25379d",
    "shuffled": "44b2da64ec0b",
    "planned": "9b4811c95dfc",
}


def digest(positions):
    return hashlib.sha256(np.ascontiguousarray(positions, "<i8").tobytes()).hexdigest()[:12]


@every_map
def test_the_draws_are_those_of_every_version(make):
    assert digest(read(make(seed=7), 2000)) == FIRST[make.__name__]


def test_a_fresh_process_draws_the_same():
    script = """
import sys
sys.path.insert(0, "tests")
import test_grain
for make in test_grain.MAPS:
    selection = make(shard=test_grain.ShardOptions(1, 3))
    print(repr(selection), test_grain.digest(test_grain.read(selection, 2000)))
"""
    out = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=120, capture_output=True, text=True
    ).stdout
    expected = [make(shard=ShardOptions(1, 3)) for make in MAPS]
    assert out.splitlines() == [f"{s!r} {digest(read(s, 2000))}" for s in expected]


@every_drawn_map
def test_seeds_have_nothing_in_common(make):
    draws = {seed: read(make(seed=seed), 2000) for seed in (0, 1, 2**64 - 1)}
    for one, other in itertools.combinations(draws.values(), 2):
        for shift in range(-3, 4):
            assert np.mean(np.roll(one, shift) == other) < 0.05  # 0.026 by chance for the last two


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


# --- Grain itself -------------------------------------------------------------------------------


def pipeline(selection):
    dataset = jgrain.select(grain.MapDataset.range(N), selection)
    return dataset.repeat(3).batch(32).to_iter_dataset()


@every_map
def test_grains_state_goes_on_in_the_middle_of_an_epoch(make):
    iterator = iter(pipeline(make()))
    for _ in range(40):  # beyond the first epoch
        next(iterator)
    state = iterator.get_state()
    expected = [next(iterator) for _ in range(8)]
    np.testing.assert_array_equal(np.concatenate(expected), read(make(), 40 * 32, 48 * 32))
    resumed = iter(pipeline(make()))
    resumed.set_state(state)
    np.testing.assert_array_equal([next(resumed) for _ in range(8)], expected)


def test_orbax_restores_the_position(tmp_path):
    iterator = iter(pipeline(balanced()))
    for _ in range(5):
        next(iterator)
    with ocp.training.Checkpointer(tmp_path) as checkpointer:
        checkpointer.save_checkpointables(5, {"data": iterator})
        expected = [next(iterator) for _ in range(3)]
        restored = iter(pipeline(balanced()))
        loaded = checkpointer.load_checkpointables(5, {"data": restored})["data"]
    np.testing.assert_array_equal([next(loaded) for _ in range(3)], expected)


def test_epochs_are_drawn_anew_unless_grain_is_told_to_repeat_one():
    dataset = jgrain.select(grain.MapDataset.range(N), balanced())
    fresh, same = dataset.repeat(2), dataset.repeat(2, reseed_each_epoch=False)
    first, second = [fresh[i] for i in range(N)], [fresh[N + i] for i in range(N)]
    assert np.mean(np.equal(first, second)) < 0.1
    assert [same[N + i] for i in range(N)] == first


def test_worker_processes_read_the_same():
    flags.FLAGS.mark_as_parsed()  # as absl.app.run does in a program
    workers = grain.multiprocessing.MultiprocessingOptions(num_workers=2)
    dataset = pipeline(balanced())
    got = list(itertools.islice(dataset.mp_prefetch(workers), 4))
    np.testing.assert_array_equal(np.concatenate(got), read(balanced(), 128))


def test_select_is_select_from_datasets_of_the_right_length():
    with pytest.raises(ValueError, match=f"the selection is of {N} examples.* has {N - 1};"):
        jgrain.select(grain.MapDataset.range(N - 1), weighted())
    both = [
        jgrain.select(grain.MapDataset.range(N), weighted()),
        grain.MapDataset.select_from_datasets([grain.MapDataset.range(N)], weighted()),
    ]
    assert len(both[0]) == len(both[1]) == N
    assert [both[0][i] for i in range(50)] == [both[1][i] for i in range(50)]


# --- repr ---------------------------------------------------------------------------------------


def test_repr_tells_every_setting_apart_and_nothing_else():
    changed = WEIGHTS.copy()
    changed[-2] *= 1 + 1e-12
    relabelled = LABELS.copy()
    relabelled[:2] = 0, 2
    assert (relabelled != LABELS).any()
    two = ShardOptions(1, 2)
    makes = [
        weighted,
        lambda: weighted(seed=1),
        lambda: weighted(shard=two),
        lambda: weighted(shard=ShardOptions(1, 2, drop_remainder=True)),
        lambda: jgrain.WeightedSelection(changed, N),
        lambda: jgrain.WeightedSelection(WEIGHTS, N + 1),
        balanced,
        lambda: balanced(seed=1),
        lambda: balanced(shard=two),
        lambda: jgrain.ClassBalancedSelection(LABELS, 5, N, power=0.5),
        lambda: jgrain.ClassBalancedSelection(
            LABELS, 5, N, class_weights=np.array([1.0, 0, 0, 0, 1])
        ),
        lambda: jgrain.ClassBalancedSelection(LABELS, 6, N),
        lambda: jgrain.ClassBalancedSelection(relabelled, 5, N),
        shuffled,
        lambda: shuffled(seed=1),
        lambda: jgrain.LabelShuffledSelection(LABELS, 5, as_published=True),
        lambda: jgrain.LabelShuffledSelection(relabelled, 5),
        lambda: jgrain.LabelShuffledSelection(LABELS, 6),
        planned,
        lambda: planned(seed=1),
        lambda: jgrain.PlanSelection(np.arange(N), N + 1),
    ]
    first, second = [repr(make()) for make in makes], [repr(make()) for make in makes]
    assert first == second
    assert len(set(first)) == len(makes)
    assert not any("0x" in text or "..." in text for text in first)
    assert repr(balanced()).startswith("ClassBalancedSelection(labels=")
    assert repr(jgrain.ClassBalancedSelection(LABELS.tolist(), 5, N)) == repr(balanced())
    source = grain.MapDataset.range(N)
    assert repr(jgrain.select(source, balanced())) == repr(jgrain.select(source, balanced()))


# --- wrong input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: jgrain.WeightedSelection(-WEIGHTS, N), ValueError, r"weights must lie in \[0, in"),
        (lambda: jgrain.WeightedSelection([1.0, np.nan], 1), ValueError, r"got nan \(1 such\)"),
        (lambda: jgrain.WeightedSelection([np.inf], 1), ValueError, "weights must lie in"),
        (lambda: jgrain.WeightedSelection(np.zeros(3), 1), ValueError, "weights are all 0"),
        (lambda: jgrain.WeightedSelection([], 1), ValueError, r"one number per example, \[N\]"),
        (lambda: jgrain.WeightedSelection(np.ones((2, 2)), 1), ValueError, "one number per"),
        (lambda: jgrain.WeightedSelection([1, 2], 1), TypeError, "weights must be floating"),
        (lambda: jgrain.WeightedSelection(["a"], 1), TypeError, "weights must be floating"),
        (lambda: jgrain.WeightedSelection([[1.0], []], 1), TypeError, "an array of numbers"),
        (lambda: jgrain.WeightedSelection(WEIGHTS, 0), ValueError, r"num must lie in \[1, 2\*\*63"),
        (lambda: weighted(seed=-1), ValueError, r"seed must lie in \[0, 2\*\*64\), got -1"),
        (lambda: weighted(seed=2**64), ValueError, "seed must lie in"),
        (lambda: weighted().with_weights(WEIGHTS[1:]), ValueError, f"same {N} examples, got"),
        (lambda: weighted()[-1], IndexError, "index must be at least 0, got -1"),
        (lambda: jgrain.ClassBalancedSelection([0, 5], 5, 9), ValueError, r"labels .* \[0, 5\), g"),
        (lambda: jgrain.ClassBalancedSelection([0, -1], 5, 9), ValueError, r"got -1 \(1 of 2\)"),
        (lambda: jgrain.ClassBalancedSelection([], 5, 9), ValueError, r"per example, \[N\]"),
        (lambda: jgrain.ClassBalancedSelection([[0]], 5, 9), ValueError, r"per example, \[N\]"),
        (lambda: jgrain.ClassBalancedSelection([0.0], 5, 9), TypeError, "labels must be integers"),
        (lambda: jgrain.ClassBalancedSelection([0], 0, 9), ValueError, "num_classes must lie in"),
        (
            lambda: jgrain.ClassBalancedSelection([0], 1, 9, power=1.5),
            ValueError,
            "power must be a finite number of at most 1, got 1.5",
        ),
        (
            lambda: jgrain.ClassBalancedSelection([0], 1, 9, power=-np.inf),
            ValueError,
            "power must be a finite",
        ),
        (
            lambda: jgrain.ClassBalancedSelection([0], 1, 9, power=0.5, class_weights=[1.0]),
            ValueError,
            "power and class_weights both say",
        ),
        (
            lambda: jgrain.ClassBalancedSelection([0], 1, 9, class_weights=[1.0, 0.0]),
            ValueError,
            r"class_weights must be one number per class, \[1\], got 2",
        ),
        (
            lambda: jgrain.ClassBalancedSelection([0], 2, 9, class_weights=[1.0, 1.0]),
            ValueError,
            "class_weights must be 0 where a class has no images, as class 1",
        ),
        (
            lambda: jgrain.ClassBalancedSelection([0], 1, 9, class_weights=[0.0]),
            ValueError,
            "class_weights are all 0",
        ),
        (lambda: jgrain.LabelShuffledSelection([3], 3), ValueError, r"labels must lie in \[0, 3\)"),
        (
            lambda: jgrain.LabelShuffledSelection([0], 3, shard_options=ShardOptions(1, 2)),
            ValueError,
            "host 1 of 2 has nothing to read of 1 examples",
        ),
        (lambda: jgrain.PlanSelection([0, 3], 3), ValueError, r"plan must lie in \[0, 3\), got 3"),
        (lambda: jgrain.PlanSelection([], 3), ValueError, r"one number per visit, \[num\]"),
        (lambda: jgrain.PlanSelection([1.0], 3), TypeError, "plan must be integers"),
        (lambda: planned().with_plan([0]), ValueError, f"the plan before, {N}, got 1"),
        (lambda: weighted(shard=ShardOptions(2, 2)), ValueError, "shard_index must be in"),
    ],
)
def test_bad_input_says_what_is_wrong(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: jgrain.WeightedSelection(WEIGHTS, 2.0),
        lambda: jgrain.WeightedSelection(WEIGHTS, True),
        lambda: weighted(seed="0"),
        lambda: weighted(shard=(0, 2)),
        lambda: jgrain.LabelShuffledSelection(LABELS, 5, as_published=1),
    ],
)
def test_wrong_types_are_refused(call):
    with pytest.raises(TypeError):
        call()


def test_without_grain_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    monkeypatch.delitem(sys.modules, "jimb.sampling.grain")
    with pytest.raises(ImportError, match=r"needs Grain; install it with: pip install 'grain>="):
        importlib.import_module("jimb.sampling.grain")


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
