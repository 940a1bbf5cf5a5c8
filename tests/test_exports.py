"""States travel: through `jax.export`, and as bytes by Flax."""

import importlib
import pkgutil

import flax.serialization
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from jimb import difficulty, metrics, mining, posthoc

LOGITS = jnp.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0], [0.5, 0.0, 0.1], [0.0, 2.0, 0.0]])
LABELS = jnp.array([0, 2, 1, 1])
WEIGHTS = jnp.array([1.0, 2.0, 3.0, 0.5])


def tracked(tracker, *sizes, **kwargs):
    return tracker.update(tracker.init(*sizes, **kwargs), LOGITS, LABELS)


def pushed():
    example = {"image": jnp.zeros((2, 2)), "label": jnp.int32(0)}
    state = mining.pool.init(example, capacity=5, batch_size=3)
    return mining.pool.push(state, {"image": jnp.ones((4, 2, 2)), "label": LABELS})[0]


def counted():
    return metrics.update(metrics.init(3), jnp.argmax(LOGITS, -1).astype(jnp.int32), LABELS)


def tallied():
    return metrics.update(metrics.init_tally(3), jnp.array([0, 2, 0, 1]), LABELS)


def weighed(init):
    return metrics.update(init(3), jnp.array([0, 2, 0, 1]), LABELS, weights=WEIGHTS)


def ranked():
    return metrics.ranking.update(metrics.ranking.init(4), WEIGHTS / 4, jnp.array([0, 1, 1, 0]))


def calibrated():
    return metrics.calibration.update(metrics.calibration.init(4), LOGITS / 4, LABELS)


def averaged():
    return posthoc.class_means.update(posthoc.class_means.init(3, 3), LOGITS, LABELS)


def pulled():
    loss, state = jimb.equalization_loss, jimb.gradient_ratio.init(3)
    return jimb.gradient_ratio.update(state, LOGITS, jnp.eye(3)[LABELS], loss=loss)


STATES = {
    "DifficultyState": lambda: tracked(difficulty, 4, 3),
    "WeightSummary": lambda: difficulty.summarize_weights(WEIGHTS, LABELS, 3),
    "LastLossState": lambda: tracked(difficulty.last_loss, 4, 3),
    "ForgettingState": lambda: tracked(difficulty.forgetting, 4),
    "DataMapState": lambda: tracked(difficulty.data_map, 4),
    "ClassWiseState": lambda: tracked(difficulty.class_wise, 3),
    "PoolState": pushed,
    "ConfusionState": counted,
    "TallyState": tallied,
    "WeightedConfusionState": lambda: weighed(metrics.init_weighted),
    "WeightedTallyState": lambda: weighed(metrics.init_weighted_tally),
    "RankingState": ranked,
    "RankingMeasures": lambda: metrics.ranking.compute(ranked()),
    "CalibrationState": calibrated,
    "CalibrationMeasures": lambda: metrics.calibration.compute(calibrated(), num_bins=2),
    "Reliability": lambda: metrics.calibration.reliability(calibrated(), num_bins=1),
    "VectorScaling": lambda: posthoc.fit_vector_scaling(LOGITS, LABELS),
    "Measures": lambda: metrics.compute(counted()),
    "ShotAccuracy": lambda: metrics.shot_accuracy(counted(), jnp.array([200, 50, 5])),
    "Choice": lambda: posthoc.choose_threshold(jnp.array([0.1, 0.8]), jnp.array([0, 1])),
    "ClassMeansState": averaged,
    "GradientRatioState": pulled,
}


def public_states():
    """The NamedTuples that can be reached by public names, in all public modules."""
    names = [jimb.__name__]
    names += [m.name for m in pkgutil.walk_packages(jimb.__path__, "jimb.")]
    found = {}
    for module in (importlib.import_module(n) for n in names if "._" not in n):
        for name, value in vars(module).items():
            is_state = isinstance(value, type) and issubclass(value, tuple)
            if is_state and hasattr(value, "_fields") and not name.startswith("_"):
                found[name] = value
    return found


PUBLIC = public_states()


def assert_same(got, expected):
    assert type(got) is type(expected)
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_the_states_are_those_of_the_package():
    assert set(STATES) <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_function_that_takes_and_returns_it_can_be_exported(name):
    """By its type alone: one that is new and not known to `jax.export` fails here."""
    state = PUBLIC[name](*(jnp.arange(3.0) for _ in PUBLIC[name]._fields))
    exported = jax.export.export(jax.jit(lambda x: x))(state)
    assert_same(jax.export.deserialize(exported.serialize()).call(state), state)


DEAR = {
    "CalibrationMeasures",
    "CalibrationState",
    "Choice",
    "ClassWiseState",
    "GradientRatioState",
    "Measures",
    "RankingMeasures",
    "RankingState",
    "Reliability",
    "ShotAccuracy",
    "TallyState",
    "VectorScaling",
    "WeightSummary",
    "WeightedConfusionState",
    "WeightedTallyState",
}  # to compile


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in DEAR else ()) for n in STATES]
)
def test_a_real_one_goes_through_an_exported_function(name):
    state = STATES[name]()
    assert type(state) is PUBLIC[name]
    exported = jax.export.export(jax.jit(lambda x: jax.tree.map(jnp.copy, x)))(state)
    assert_same(jax.export.deserialize(exported.serialize()).call(state), state)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in DEAR else ()) for n in STATES]
)
def test_flax_writes_it_as_bytes_and_reads_it_back(name):
    state = STATES[name]()
    empty = jax.tree.map(jnp.zeros_like, state)
    data = flax.serialization.to_bytes(state)
    assert_same(flax.serialization.from_bytes(empty, data), state)
    held = flax.serialization.to_state_dict(state)
    assert_same(flax.serialization.from_state_dict(empty, held), state)


def test_a_module_may_be_imported_a_second_time():
    module = importlib.import_module("jimb.difficulty.class_wise")
    kept = dict(vars(module))
    try:
        importlib.reload(module)
    finally:
        vars(module).update(kept)
