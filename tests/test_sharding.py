"""The same numbers with no mesh, on an Auto mesh and on an Explicit one, of eight devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from tests.helpers.losses_table import LOSSES, assert_close, call, evaluate, half_masked
from tests.helpers.over_losses import FEW

ROWS, CLASSES = 16, 3
LABELS = np.resize(np.array([0, 0, 1, 2, 1], np.int32), ROWS)
BAD_LABELS = np.where(np.arange(ROWS) == 5, np.int32(CLASSES), LABELS)
WHERE = np.arange(ROWS) % 4 != 1
TABLE = np.array([0.5, 1.0, 2.0], np.float32)


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return jax.make_mesh((8,), ("data",), axis_types=(request.param,))


explicit_by_default = pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(AxisType.Auto, id="auto", marks=pytest.mark.slow),
        pytest.param(AxisType.Explicit, id="explicit"),
    ],
    indirect=True,
)


def split(mesh, tree):
    """Every array split over the devices along its first axis."""
    return jax.device_put(tree, NamedSharding(mesh, P("data")))


def everywhere(mesh, tree):
    return jax.device_put(tree, NamedSharding(mesh, P()))


def assert_split(mesh, array):
    """Laid out over the devices like the batch; on an Explicit mesh also by type."""
    assert array.sharding.is_equivalent_to(NamedSharding(mesh, P("data")), array.ndim)
    if mesh.axis_types == (AxisType.Explicit,):
        assert jax.typeof(array).sharding.spec[0] == "data"


def assert_everywhere(array):
    assert array.sharding.is_fully_replicated


# Losses and labels.


# The whole table takes four times as long to compile as these.
@pytest.mark.parametrize(
    "names", [FEW, pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_losses_and_gradients_equal_the_unsharded_and_keep_the_batch_sharding(mesh, names):
    table = [loss for loss in LOSSES if names is None or loss.name in names]
    inputs = {loss: half_masked(loss)[0] for loss in table}
    expected = {loss: evaluate(loss, inputs[loss]) for loss in table}

    def total_and_losses(loss, variables, labels, where):
        losses = call(loss, variables, labels, where)
        return jimb.weighted_mean(losses, where=where, normalizer=1), losses

    @jax.jit
    def gradients_and_losses(batches):  # one compilation for the whole table
        gradient = jax.grad(total_and_losses, argnums=1, has_aux=True)
        return [gradient(loss, *batch) for loss, batch in zip(table, batches, strict=True)]

    def sharded(variables, labels, where, weights):
        hyper = set(variables) - {"logits", "labels"}
        put = {name: everywhere if name in hyper else split for name in variables}
        variables = {name: put[name](mesh, value) for name, value in variables.items()}
        return variables, *split(mesh, (labels, where))

    with jax.set_mesh(mesh):
        results = gradients_and_losses([sharded(*inputs[loss]) for loss in table])
    for loss, (gradient, losses) in zip(table, results, strict=True):
        assert_close(losses, expected[loss].losses, message=loss.name)
        assert_close(gradient, expected[loss].gradient, message=loss.name)
        assert_split(mesh, losses)
        for name, value in gradient.items():
            assert_everywhere(value) if name in loss.hyper else assert_split(mesh, value)


@explicit_by_default
def test_losses_run_eagerly_on_a_sharded_batch(mesh):
    logits = np.random.default_rng(0).normal(size=(ROWS, CLASSES)).astype(np.float32)
    loss = functools.partial(jimb.softmax_focal_loss, class_weights=TABLE)
    expected = jax.jit(loss)(logits, LABELS, where=WHERE)
    with jax.set_mesh(mesh):
        losses = loss(*split(mesh, (logits, LABELS)), where=split(mesh, WHERE))
    assert_close(losses, expected)
    assert_split(mesh, losses)


jit_and_eager = pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])


@jit_and_eager
def test_take_class_keeps_the_batch_sharding(transform, mesh):
    soft = np.eye(CLASSES, dtype=np.float32)[LABELS]
    with jax.set_mesh(mesh):
        table = everywhere(mesh, TABLE)
        hard_taken = transform(jimb.take_class)(table, split(mesh, BAD_LABELS))
        soft_taken = transform(jimb.take_class)(table, split(mesh, soft))
    np.testing.assert_array_equal(
        hard_taken, np.where(BAD_LABELS == CLASSES, np.nan, TABLE[LABELS])
    )
    np.testing.assert_array_equal(soft_taken, TABLE[LABELS])
    assert_split(mesh, hard_taken)
    assert_split(mesh, soft_taken)


def test_the_gradient_of_take_class_sums_over_the_devices(mesh):
    values = np.arange(ROWS, dtype=np.float32)

    @jax.jit
    @jax.grad
    def gradient(table, labels, values):
        return jnp.sum(jimb.take_class(table, labels) * values)

    with jax.set_mesh(mesh):
        result = gradient(everywhere(mesh, TABLE), *split(mesh, (LABELS, values)))
    np.testing.assert_array_equal(result, np.bincount(LABELS, values, CLASSES))
    assert_everywhere(result)


@jit_and_eager
def test_class_counts_of_a_sharded_batch_count_all_of_it(transform, mesh):
    count = transform(lambda labels, where: jimb.class_counts(labels, CLASSES, where=where))
    with jax.set_mesh(mesh):
        counts = count(split(mesh, BAD_LABELS), split(mesh, WHERE))
    np.testing.assert_array_equal(counts, np.bincount(BAD_LABELS[WHERE])[:CLASSES])
    assert_everywhere(counts)


# The mean, of every kind at once.

VALUES = np.random.default_rng(1).normal(size=(ROWS, 2)).astype(np.float32)
VALUES[1] = np.nan  # masked, as every fourth row
WEIGHTS = np.random.default_rng(2).uniform(0, 2, ROWS).astype(np.float32)
WEIGHTS[:2] = 0  # the whole share of the first device
BATCH = VALUES, WEIGHTS, WHERE


def means(values, weights, where, axis_name=None):
    mean = functools.partial(jimb.weighted_mean, axis_name=axis_name)
    return {
        "plain": mean(jnp.where(where[:, None], values, 1)),
        "where": mean(values, where=where),
        "weights and where": mean(values, weights, where=where),
        "normalizer": mean(values, weights, where=where, normalizer=jnp.sum(weights)),
        "nothing left": mean(values, weights, where=where & ~where),
    }


def means_and_gradients(means):
    """Each mean and its gradients by values and by weights."""

    def both(values, weights, where):
        results, pullback = jax.vjp(lambda v, w: means(v, w, where), values, weights)
        none = jax.tree.map(jnp.zeros_like, results)
        return results, {name: pullback(none | {name: 1 + none[name]}) for name in none}

    return both


@pytest.fixture(scope="module")
def unsharded_means():
    return jax.tree.map(np.asarray, jax.jit(means_and_gradients(means))(*BATCH))


def test_means_of_a_sharded_batch_equal_the_unsharded(unsharded_means, mesh):
    with jax.set_mesh(mesh):
        values, gradients = jax.jit(means_and_gradients(means))(*split(mesh, BATCH))
    assert_close((values, gradients), unsharded_means)
    jax.tree.map(assert_everywhere, values)
    for by_values, by_weights in (gradients["weights and where"], gradients["normalizer"]):
        assert_split(mesh, by_values)
        assert_split(mesh, by_weights)


def test_means_in_shard_map_with_the_gradient_outside_equal_the_unsharded(unsharded_means, mesh):
    local_means = functools.partial(means, axis_name="data")
    mapped = jax.shard_map(local_means, mesh=mesh, in_specs=P("data"), out_specs=P())
    with jax.set_mesh(mesh):
        result = jax.jit(means_and_gradients(mapped))(*split(mesh, BATCH))
    assert_close(result, unsharded_means)


def test_means_in_shard_map_with_the_gradient_inside_equal_the_unsharded(unsharded_means, mesh):
    local = means_and_gradients(functools.partial(means, axis_name="data"))
    specs = {"in_specs": P("data"), "out_specs": (P(), P("data"))}
    with jax.set_mesh(mesh):
        result = jax.jit(jax.shard_map(local, mesh=mesh, **specs))(*split(mesh, BATCH))
    assert_close(result, unsharded_means)


def test_a_mean_over_two_mesh_axes_equals_the_unsharded(unsharded_means):
    both = "data", "model"
    mesh = jax.make_mesh((4, 2), both, axis_types=(AxisType.Auto,) * 2)
    local = means_and_gradients(functools.partial(means, axis_name=both))
    specs = {"in_specs": P(both), "out_specs": (P(), P(both))}
    assert_close(jax.jit(jax.shard_map(local, mesh=mesh, **specs))(*BATCH), unsharded_means)


def test_the_gradient_of_replicated_parameters_inside_shard_map_equals_the_unsharded(mesh):
    features = np.random.default_rng(3).normal(size=(ROWS, 5)).astype(np.float32)
    kernel = np.random.default_rng(4).normal(size=(5, CLASSES)).astype(np.float32)
    batch = features, LABELS, WHERE

    def loss(kernel, features, labels, where, axis_name=None):
        losses = jimb.softmax_focal_loss(features @ kernel, labels, where=where)
        weights = jimb.take_class(TABLE, labels)
        return jimb.weighted_mean(losses, weights, where=where, axis_name=axis_name)

    expected = jax.jit(jax.value_and_grad(loss))(kernel, *batch)
    local = jax.value_and_grad(functools.partial(loss, axis_name="data"))
    in_specs = (P(), P("data"), P("data"), P("data"))
    with jax.set_mesh(mesh):
        step = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=in_specs, out_specs=P()))
        assert_close(step(everywhere(mesh, kernel), *split(mesh, batch)), expected)


# States and plans.


def test_metrics_of_a_sharded_batch_equal_the_unsharded_and_keep_their_type(mesh):
    predictions = np.random.default_rng(5).integers(0, CLASSES, ROWS).astype(np.int32)
    expected = np.zeros((CLASSES, CLASSES), np.int32)
    np.add.at(expected, (LABELS[WHERE], predictions[WHERE]), 1)

    @jax.jit
    def update(state, predictions, labels, where):
        return jimb.metrics.update(state, predictions, labels, where=where)

    with jax.set_mesh(mesh):
        before = everywhere(mesh, jimb.metrics.init(CLASSES))
        after = update(before, *split(mesh, (predictions, LABELS, WHERE)))
        assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, after)
    np.testing.assert_array_equal(after.counts, expected)
    assert_everywhere(after.counts)


# XLA adds in another order from about 4096 numbers on: shapes whose eighths lie below.
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        pytest.param(np.float16, (ROWS, CLASSES), marks=pytest.mark.slow),
        pytest.param(np.float16, (1000, 10), marks=pytest.mark.slow),
        (np.float16, (64, 257)),
        pytest.param(np.float16, (8 * 997, 3), marks=pytest.mark.slow),
        pytest.param(np.float32, (1000, 10), marks=pytest.mark.slow),
        (None, (1000, 10)),
    ],
    ids=str,
)
def test_difficulty_of_a_sharded_data_set_has_the_bits_of_the_unsharded(dtype, shape, mesh):
    rng = np.random.default_rng(6)
    passes = rng.normal(0, 3, (3, *shape)).astype(np.float32)
    labels, where = rng.integers(0, shape[1], shape[0]).astype(np.int32), rng.random(shape[0]) < 0.7
    previous = [None] * 3 if dtype else [np.zeros_like(passes[0]), *passes[:-1]]
    batches = [(z, labels, where, z_before) for z, z_before in zip(passes, previous, strict=True)]
    start = jimb.difficulty.init(*shape, dtype=dtype)
    traces = []

    @jax.jit
    def update(state, logits, labels, where, previous_logits):
        traces.append(1)
        state = jimb.difficulty.update(
            state, logits, labels, where=where, previous_logits=previous_logits
        )
        return state, jimb.difficulty.sampling_weights(state)

    expected = start
    for batch in batches:
        expected, expected_weights = update(expected, *batch)
    traces.clear()
    with jax.set_mesh(mesh):
        state = split(mesh, start)
        for batch in batches:
            before = state
            state, weights = update(before, *split(mesh, batch))
            assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, state)
        compiled = update.lower(before, *split(mesh, batch)).compile().as_text()
    assert len(traces) == 1
    for got, one in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(got, one)
        assert_split(mesh, got)
    # The one number that is summed over all devices: measured 3.3e-7.
    np.testing.assert_allclose(weights, expected_weights, rtol=5e-7)
    assert_split(mesh, weights)
    assert compiled.count("all-reduce(") <= 1
    assert not any(word in compiled for word in ("all-gather", "all-to-all", "collective-permute"))


PLAN_WEIGHTS = np.random.default_rng(7).exponential(size=2**16 + 8).astype(np.float32)


def plan(weights):
    return jimb.sampling.epoch_plan(jax.random.key(0), weights, 1000)


@pytest.fixture(scope="module")
def unsharded_plan():
    return np.asarray(jax.jit(plan)(PLAN_WEIGHTS))


@explicit_by_default
def test_an_epoch_plan_of_sharded_weights_is_that_of_unsharded_ones(unsharded_plan, mesh):
    with jax.set_mesh(mesh):
        sharded_plan = jax.jit(plan)(split(mesh, PLAN_WEIGHTS))
    np.testing.assert_array_equal(sharded_plan, unsharded_plan)
    assert_everywhere(sharded_plan)
