"""Selection maps for Grain: pipelines and checkpoints, repr, and what is refused."""

import importlib
import itertools
import sys

import grain
import numpy as np
import pytest
from absl import flags
from grain.sharding import ShardOptions
from orbax.checkpoint import v1 as ocp

from jimb.sampling import grain as jgrain
from tests.helpers.grain_table import (
    LABELS,
    WEIGHTS,
    N,
    balanced,
    every_map,
    planned,
    read,
    shuffled,
    weighted,
)

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


@pytest.mark.slow
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
        (lambda: jgrain.WeightedSelection(["a"], 1), TypeError, "weights must be an array of num"),
        (lambda: jgrain.WeightedSelection([[1.0], []], 1), TypeError, "an array of numbers"),
        (lambda: jgrain.WeightedSelection(WEIGHTS, 0), ValueError, r"num must lie in \[1, 2\*\*63"),
        (lambda: weighted(seed=-1), ValueError, r"seed must lie in \[0, 2\*\*64\), got -1"),
        (lambda: weighted(seed=2**64), ValueError, "seed must lie in"),
        (lambda: weighted().with_weights(WEIGHTS[1:]), ValueError, f"same {N} examples, got"),
        (lambda: weighted()[-1], IndexError, "index must be at least 0, got -1"),
        (
            lambda: jgrain.ClassBalancedSelection([0, 5], 5, 9),
            ValueError,
            r"labels .* \[0, 5\), the classes",
        ),
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
