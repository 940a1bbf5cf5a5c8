"""Heads whose classes are divided over devices, 2 × 4: half of the batch, a quarter of the classes.

Losses and gradients are those of one device; neither the kernel nor the classes of a row are
gathered.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb import DividedLogits, LinearLogits
from jimb.difficulty import data_map, forgetting, last_loss
from tests.test_class_sharding import CE, HARD, LABELS, SMOOTH, WHERE, assert_near, collectives

ROWS, WIDTH, CLASSES = 6, 5, 64  # a device has 3 rows and 16 classes, in blocks of 7
RNG = np.random.default_rng(1)
ARRAYS = [
    RNG.normal(0, 1, shape).astype(np.float32)
    for shape in ((ROWS, WIDTH), (WIDTH, CLASSES), (CLASSES,))
]
ARRAYS[0][3] = np.nan  # masked
COTANGENTS = RNG.normal(0, 1, ROWS).astype(np.float32)
LOSSES = {k: v for k, v in (HARD | SMOOTH).items() if "sigmoid" not in k}
del LOSSES["class_balanced_focal"]  # one-vs-all
FEW = "ldam", "smoothing_weights"

few_or_all = pytest.mark.parametrize(
    "names", [FEW, pytest.param(tuple(LOSSES), marks=pytest.mark.slow)], ids=["few", "all"]
)


def mesh_of(kind):
    return jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind,) * 2)


def weighed(names, axis_name, *arrays, labels, where, cotangents):
    """The gradients of every loss, weighed after it is computed."""

    def total(name, *arrays):
        logits = LinearLogits(*arrays, axis_name=axis_name, block_size=7)
        losses = LOSSES[name](logits, labels, where=where)
        return jnp.sum(jnp.where(jnp.isnan(losses), 0, losses) * cotangents), losses

    gradients = {
        name: jax.grad(functools.partial(total, name), (0, 1, 2), has_aux=True) for name in names
    }
    return {name: gradient(*arrays) for name, gradient in gradients.items()}


ROW_ARRAYS = {"labels": LABELS, "where": WHERE, "cotangents": COTANGENTS}


@functools.cache
def on_one_device(names):
    results = jax.jit(functools.partial(weighed, names, None))(*ARRAYS, **ROW_ARRAYS)
    return jax.tree.map(np.asarray, results)


def placed(mesh, batch="data"):
    def put(x, *spec):
        return jax.device_put(x, NamedSharding(mesh, P(*spec)))

    x, w, b = ARRAYS
    arrays = put(x, batch), put(w, None, "model"), put(b, "model")
    return arrays, {name: put(x, batch) for name, x in ROW_ARRAYS.items()}


def assert_the_same(results, names):
    for name, (gradients, losses) in results.items():
        expected_gradients, expected = on_one_device(names)[name]
        assert_near(losses, expected, name, 2e-6)
        for got, exact in zip(gradients, expected_gradients, strict=True):
            assert np.abs(got - exact).max() <= 2e-6 * np.abs(exact).max(), name


@few_or_all
@pytest.mark.parametrize(
    "kind",
    [AxisType.Explicit, pytest.param(AxisType.Auto, marks=pytest.mark.slow)],
    ids=["explicit", "auto"],
)
def test_losses_and_gradients_are_those_of_one_device(names, kind):
    mesh = mesh_of(kind)
    arrays, rows = placed(mesh)
    axis_name = None if kind == AxisType.Explicit else "model"  # else from the types
    with jax.set_mesh(mesh):
        program = jax.jit(functools.partial(weighed, names, axis_name)).lower(*arrays, **rows)
        program = program.compile()
        results = program(*arrays, **rows)
    assert_the_same(results, names)
    for gradients, losses in results.values():
        for x, spec in zip((losses, *gradients), ("data",), strict=False):
            assert x.sharding.is_equivalent_to(NamedSharding(mesh, P(spec)), x.ndim)
        assert gradients[1].sharding.is_equivalent_to(NamedSharding(mesh, P(None, "model")), 2)
    # Largest and sums of each row; gradients of the features by row, and of a device's classes.
    own = {7, CLASSES // 4 % 7, CLASSES // 4}
    for name, shape in collectives(program):
        assert name == "all-reduce"
        assert CLASSES not in shape
        assert shape in [(), (ROWS // 2,), (ROWS // 2, WIDTH)] or shape[-1] in own, shape


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
def test_one_axis_may_divide_both_batch_and_classes(kind):
    mesh = jax.make_mesh((1, 2), ("data", "model"), axis_types=(kind,) * 2)
    arrays, rows = placed(mesh, ("data", "model"))
    run = jax.jit(functools.partial(weighed, FEW, "model"))
    with jax.set_mesh(mesh):
        results = run(*arrays, **rows)
        program = run.lower(*arrays, **rows).compile()
    assert_the_same(results, FEW)
    sharding = NamedSharding(mesh, P(("data", "model")))
    assert results["ldam"][1].sharding.is_equivalent_to(sharding, 1)
    for name, shape in collectives(program):  # of features and labels, not of the kernel
        assert name == "all-reduce" or CLASSES // 2 not in shape, (name, shape)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
def test_a_batch_alone_may_be_divided_and_no_mesh_need_be_set(kind):
    mesh = mesh_of(kind)
    (x, *whole), rows = placed(mesh)
    whole = [jax.device_put(np.asarray(a), NamedSharding(mesh, P())) for a in whole]
    results = jax.jit(functools.partial(weighed, FEW, None))(x, *whole, **rows)
    assert_the_same(results, FEW)
    arrays, rows = placed(mesh)
    results = jax.jit(functools.partial(weighed, FEW, "model"))(*arrays, **rows)
    assert_the_same(results, FEW)


@few_or_all
@pytest.mark.parametrize("head", ["linear", pytest.param("divided", marks=pytest.mark.slow)])
@pytest.mark.parametrize("check", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_inside_shard_map(names, head, check):
    def loss_of(name, x, w, b, tau):
        if head == "linear":
            logits = LinearLogits(x, w, b, axis_name="model", block_size=7)
        else:
            logits = DividedLogits(x @ w + b[None], "model")
        losses = LOSSES[name](logits, rows["labels"], where=rows["where"])
        shifted = jimb.logit_adjusted_loss(logits, rows["labels"] % CLASSES, PRIOR, tau=tau)
        return losses, jnp.where(rows["where"], shifted, 0)

    rows = {}

    def step(x, w, b, *given):
        rows.update(zip(ROW_ARRAYS, given, strict=True))
        if head == "divided":
            x = jnp.where(rows["where"][:, None], x, 0)

        def total(name, x, w, b, tau):
            losses, shifted = loss_of(name, x, w, b, tau)
            kept = jnp.where(jnp.isnan(losses), 0, losses) * rows["cotangents"]
            return jnp.sum(kept), (losses, jnp.sum(shifted))

        def of_tau(name, tau):
            return total(name, x, w, b, tau)[1][1]

        results = {}
        for name in names:
            gradient = jax.grad(functools.partial(total, name), (0, 1, 2), has_aux=True)
            gradients, (losses, _) = gradient(x, w, b, jnp.float32(0.7))
            by_tau = jax.grad(functools.partial(of_tau, name))(jnp.float32(0.7))
            if not check:  # where JAX does not say what varies, a caller sums over the batch
                parts = jax.lax.psum((*gradients[1:], by_tau), "data")
                first = gradients[0]
                if head == "divided":  # the product is the caller's, too
                    first = jax.lax.psum(first, "model")
                gradients, by_tau = (first, *parts[:2]), parts[2]
            results[name] = (gradients, losses), by_tau
        return results

    x, w, b = P("data"), P(None, "model"), P("model")
    of_one = (((x, w, b), P("data")), P())
    mapped = jax.shard_map(
        step,
        mesh=mesh_of(AxisType.Auto),
        in_specs=(x, w, b, *[P("data")] * 3),
        out_specs=dict.fromkeys(names, of_one),
        check_vma=check,
    )
    results = jax.jit(mapped)(*ARRAYS, *ROW_ARRAYS.values())
    assert_the_same({name: result for name, (result, _) in results.items()}, names)
    for _, by_tau in results.values():
        np.testing.assert_allclose(by_tau, gradient_by_tau(), rtol=1e-5)


PRIOR = RNG.dirichlet(np.ones(CLASSES))


def gradient_by_tau(step=1e-5):
    x, w, b = map(np.float64, ARRAYS)
    z = (x @ w + b)[WHERE]
    labels = (LABELS % CLASSES)[WHERE]

    def value(tau):
        moved = z + tau * np.log(PRIOR)
        return np.sum(np.log(np.sum(np.exp(moved), 1)) - moved[range(len(labels)), labels])

    return (value(0.7 + step) - value(0.7 - step)) / (2 * step)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
def test_predictions_trackers_and_stored_logits(kind):
    mesh = mesh_of(kind)
    (x, w, b), rows = placed(mesh)
    states = last_loss.init(ROWS, CLASSES), forgetting.init(ROWS), data_map.init(ROWS)
    modules = last_loss, forgetting, data_map

    @jax.jit
    def passed(states, x, w, b, labels, where):
        logits = LinearLogits(x, w, b, axis_name="model", block_size=7)
        stored = logits.to_array()
        new = [
            module.update(state, logits, labels, where=where)
            for module, state in zip(modules, states, strict=True)
        ]
        return logits.argmax(), stored, new

    x = jax.device_put(np.nan_to_num(ARRAYS[0]), x.sharding)
    z = np.nan_to_num(ARRAYS[0]) @ ARRAYS[1] + ARRAYS[2]
    labels = np.where(np.arange(ROWS) % 2, z.argmax(1), LABELS % CLASSES).astype(np.int32)
    with jax.set_mesh(mesh):
        put = functools.partial(jax.device_put, device=NamedSharding(mesh, P("data")))
        places, stored, new = passed(jax.tree.map(put, states), x, w, b, put(labels), rows["where"])
    np.testing.assert_array_equal(places, z.argmax(1))
    np.testing.assert_allclose(stored, z, rtol=1e-5, atol=1e-6)
    assert stored.sharding.is_equivalent_to(NamedSharding(mesh, P("data", "model")), 2)
    alone = [
        module.update(state, jnp.asarray(z), labels, where=WHERE)
        for module, state in zip(modules, states, strict=True)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=3e-6), new, alone)


def test_predictions_of_divided_logits():
    z = RNG.integers(0, 3, (ROWS, CLASSES)).astype(np.float32)  # with ties
    z[1, 40] = np.nan
    mapped = jax.shard_map(
        lambda z: DividedLogits(z, "model").argmax(),
        mesh=mesh_of(AxisType.Auto),
        in_specs=P("data", "model"),
        out_specs=P("data"),
    )
    np.testing.assert_array_equal(jax.jit(mapped)(z), z.argmax(1))


def test_what_does_not_fit_is_said():
    x, w, _ = ARRAYS
    mesh = jax.make_mesh((3,), ("model",), axis_types=(AxisType.Auto,))
    with jax.set_mesh(mesh), pytest.raises(ValueError, match="do not divide the kernel's 64"):
        jimb.softmax_cross_entropy_loss(LinearLogits(x, w, axis_name="model"), LABELS % CLASSES)
    mesh = mesh_of(AxisType.Auto)
    in_part = jax.shard_map(
        lambda x, w: CE(LinearLogits(x, w, axis_name="model"), LABELS[:3]),
        in_specs=(P("data"), P()),
        out_specs=P("data"),
        axis_names={"data"},
    )
    with jax.set_mesh(mesh), pytest.raises(ValueError, match="let it map all axes"):
        jax.jit(in_part)(x, w)
    with pytest.raises(ValueError, match=r"must name an axis of the jax\.shard_map"):
        jimb.softmax_cross_entropy_loss(DividedLogits(x, "model"), LABELS)
