"""Which examples selection maps for Grain draw: how often, in what order, anew in each epoch."""

import itertools

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from grain.sharding import ShardOptions

from jimb.sampling import epoch_plan
from jimb.sampling import grain as jgrain
from jimb.sampling._class_draws import BalancedDraws
from tests.helpers.grain_table import (
    COUNTS,
    EPOCH,
    IMAGES,
    LABELS,
    WEIGHTS,
    N,
    assert_binomial,
    every_drawn_map,
    read,
    shuffled,
    weighted,
)

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


@pytest.mark.parametrize(
    "power", [*(pytest.param(p, marks=pytest.mark.slow) for p in (0.0, 1.0)), 0.5, -1.0]
)
@pytest.mark.parametrize(
    ("host", "num_hosts"), [(0, 1), pytest.param(0, 8, marks=pytest.mark.slow), (5, 8)]
)
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


# --- label-shuffled -----------------------------------------------------------------------------


@pytest.mark.parametrize("as_published", [False, True])
@pytest.mark.parametrize(
    ("sizes", "num_hosts"),
    [
        (COUNTS, 1),
        pytest.param(COUNTS, 2, marks=pytest.mark.slow),
        (COUNTS, 8),
        (np.array([560, 40, 3]), 2),
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


# --- far indexes and other seeds ----------------------------------------------------------------


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


@every_drawn_map
def test_seeds_have_nothing_in_common(make):
    draws = {seed: read(make(seed=seed), 2000) for seed in (0, 1, 2**64 - 1)}
    for one, other in itertools.combinations(draws.values(), 2):
        for shift in range(-3, 4):
            assert np.mean(np.roll(one, shift) == other) < 0.05  # 0.026 by chance for the last two


def test_a_jump_back_among_the_latest_blocks_plans_nothing_anew(monkeypatch):
    planned, due = [], BalancedDraws.due
    monkeypatch.setattr(BalancedDraws, "due", lambda *given: planned.append(given) or due(*given))
    selection = jgrain.ClassBalancedSelection(LABELS, len(COUNTS), 100_000)
    for start in range(0, 2 * 20 * 4096, 4096):
        selection[start % (20 * 4096) + 2048]
    assert len(planned) == 20
