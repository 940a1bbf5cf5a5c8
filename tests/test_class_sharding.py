"""Classes divided over devices: a mesh of 2 × 4 has half of the batch and a quarter of the classes.

Values and gradients are those of one device, losses are laid out like the batch, and no collective
holds all classes of a row.
"""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb.difficulty import class_wise, data_map, forgetting, last_loss

ROWS, CLASSES = 6, 64  # on each device 3 and 16, numbers that no other axis has
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (ROWS, CLASSES)).astype(np.float32)
LOGITS[1, 5:40] = -np.inf  # a class mask, of which one device has nothing but -inf
LABELS = np.array([0, 3, 63, 17, CLASSES, 16], np.int32)  # one wrong
SOFT = RNG.dirichlet(np.ones(CLASSES), ROWS).astype(np.float32)
WHERE = np.array([True, True, True, False, True, True])
COUNTS = RNG.integers(4, 1000, CLASSES)
WEIGHTS = RNG.uniform(0.5, 3, CLASSES).astype(np.float32)
FINITE = np.maximum(LOGITS, -20)  # where every class is a target

CE, FOCAL = jimb.softmax_cross_entropy_loss, jimb.softmax_focal_loss


def with_counts(loss, **hyper):
    return lambda z, y, **kwargs: loss(z, y, COUNTS, **hyper, **kwargs)


HARD = {
    "cross_entropy": CE,
    "weights": functools.partial(CE, class_weights=WEIGHTS),
    "focal": FOCAL,
    "focal_weights": functools.partial(FOCAL, gamma=0.5, class_weights=WEIGHTS),
    "class_balanced": with_counts(jimb.class_balanced_softmax_loss, beta=0.99),
    "class_balanced_sigmoid": with_counts(jimb.class_balanced_sigmoid_loss, beta=0.99),
    "class_balanced_focal": with_counts(jimb.class_balanced_focal_loss, beta=0.99),
    "balanced": with_counts(jimb.balanced_softmax_loss),
    "logit_adjusted": lambda z, y, **kwargs: jimb.logit_adjusted_loss(
        z, y, COUNTS / COUNTS.sum(), tau=0.7, **kwargs
    ),
    "ldam": with_counts(jimb.ldam_loss, scale=3.0),
    "vs": with_counts(jimb.vs_loss, gamma=0.2, tau=0.7),
}
SMOOTH = {
    "smoothing": functools.partial(CE, label_smoothing=0.1),
    "smoothing_weights": functools.partial(CE, label_smoothing=0.1, class_weights=WEIGHTS),
}
OF_SOFT_LABELS = {
    "soft": CE,
    "soft_smoothing_weights": SMOOTH["smoothing_weights"],
    "soft_focal": FOCAL,
    "soft_focal_weights": HARD["focal_weights"],
    "soft_vs": HARD["vs"],
}
TABLE = (
    {name: (loss, LOGITS, LABELS) for name, loss in HARD.items()}
    | {name: (loss, FINITE, LABELS) for name, loss in SMOOTH.items()}
    | {name: (loss, FINITE, SOFT) for name, loss in OF_SOFT_LABELS.items()}
)
# One of each way through the code.
FEW = "cross_entropy", "ldam", "smoothing_weights", "soft_focal"

few_or_all = pytest.mark.parametrize(
    "names", [FEW, pytest.param(tuple(TABLE), marks=pytest.mark.slow)], ids=["few", "all"]
)


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return jax.make_mesh((2, 4), ("data", "model"), axis_types=(request.param,) * 2)


def divided(mesh, x):
    """Rows over the one axis; classes, where there are any, over the other."""
    spec = P("data", "model") if x.ndim == 2 else P("data")
    return jax.device_put(x, NamedSharding(mesh, spec))


def assert_laid_out(mesh, x, spec):
    assert x.sharding.is_equivalent_to(NamedSharding(mesh, spec), x.ndim)
    if mesh.axis_types[0] == AxisType.Explicit:
        assert jax.typeof(x).sharding.spec == spec


def collectives(program):
    """`(name, shape)` of each array that comes out of one, on each device."""
    found = re.findall(
        r"= (.*?) (all-\w+|collective-\w+|reduce-scatter|ragged-\S+)(?:-start)?\(",
        program.as_text(),
    )
    assert found  # or the pattern no longer fits the text
    return [
        (name, tuple(map(int, filter(None, sizes.split(",")))))
        for shapes, name in found
        for sizes in re.findall(r"\w\[([\d,]*)\]", shapes)
    ]


def gradients_and_losses(names, transform=lambda loss: loss):
    @jax.jit
    def run(batches, where):  # one compilation for the whole table
        def total_and_losses(z, name, labels):
            losses = transform(lambda z, y, kept: TABLE[name][0](z, y, where=kept))(
                z, labels, where
            )
            return jnp.sum(jnp.where(jnp.isnan(losses), 0, losses)), losses

        gradient = jax.grad(total_and_losses, has_aux=True)
        return {name: gradient(z, name, labels) for name, (z, labels) in batches.items()}

    return run, ({name: TABLE[name][1:] for name in names}, WHERE)


@functools.cache
def on_one_device(names):
    run, inputs = gradients_and_losses(names)
    return jax.tree.map(np.asarray, run(*inputs))


def assert_near(got, expected, name, tolerance=1e-6):
    """Relative to each row's largest."""
    got, expected = np.asarray(got), np.asarray(expected)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected), name)
    size = np.abs(expected) if expected.ndim == 1 else np.abs(expected).max(-1, keepdims=True)
    assert not np.any(np.abs(got - expected) > tolerance * size), name


@few_or_all
def test_losses_and_gradients_are_those_of_one_device(names, mesh):
    run, inputs = gradients_and_losses(names)
    with jax.set_mesh(mesh):
        inputs = jax.tree.map(functools.partial(divided, mesh), inputs)
        program = run.lower(*inputs).compile()
        results = program(*inputs)
    for name, (gradient, losses) in results.items():
        expected_gradient, expected = on_one_device(names)[name]
        assert_near(losses, expected, name)
        assert_near(gradient, expected_gradient, name)
        assert_laid_out(mesh, losses, P("data"))
        assert_laid_out(mesh, gradient, P("data", "model"))
    for collective, shape in collectives(program):
        assert not {CLASSES, CLASSES // 4} & set(shape), (collective, shape)


@pytest.mark.slow
def test_classes_may_be_divided_inside_shard_map_where_the_batch_alone_is_mapped(mesh):
    run, inputs = gradients_and_losses(
        names := tuple(TABLE),
        lambda loss: jax.shard_map(
            loss, in_specs=P("data"), out_specs=P("data"), axis_names={"data"}
        ),
    )
    with jax.set_mesh(mesh):
        inputs = jax.tree.map(functools.partial(divided, mesh), inputs)
        program = run.lower(*inputs).compile()
        results = program(*inputs)
    if mesh.axis_types[0] == AxisType.Auto:  # on an Explicit mesh `shard_map` itself gathers
        assert not any(CLASSES in shape for _, shape in collectives(program))
    for name, (gradient, losses) in results.items():
        expected_gradient, expected = on_one_device(names)[name]
        assert_near(losses, expected, name)
        assert_near(gradient, expected_gradient, name)
        assert_laid_out(mesh, losses, P("data"))


@pytest.mark.slow
def test_a_loss_runs_eagerly_and_of_more_axes(mesh):
    z, y = np.stack([LOGITS, LOGITS[::-1]], 1), np.stack([LABELS, LABELS[::-1]], 1)
    expected = FOCAL(jnp.asarray(z), jnp.asarray(y))
    with jax.set_mesh(mesh):
        z = jax.device_put(z, NamedSharding(mesh, P("data", None, "model")))
        losses = FOCAL(z, jax.device_put(y, NamedSharding(mesh, P("data"))))
    np.testing.assert_allclose(losses, expected, 1e-6)
    assert_laid_out(mesh, losses, P("data", None))


@pytest.mark.slow
def test_curvature_is_that_of_one_device(mesh):
    def total(z, y):
        return jnp.sum(FOCAL(z, y)) + jnp.sum(SMOOTH["smoothing"](z, y))

    @jax.jit
    def along(z, y, direction):
        return jax.jvp(jax.grad(lambda z: total(z, y)), (z,), (direction,))[1]

    inputs = FINITE, LABELS % CLASSES, SOFT
    expected = along(*inputs)
    with jax.set_mesh(mesh):
        got = along(*(divided(mesh, x) for x in inputs))
    assert_near(got, expected, "curvature", 5e-6)
    assert_laid_out(mesh, got, P("data", "model"))


@pytest.mark.slow
def test_hyper_parameters_and_divided_tables_gather_no_classes_of_a_row(mesh):
    def total(z, y, tables, gamma, tau):
        counts, weights = tables
        losses = jimb.vs_loss(z, y, counts, gamma=gamma, tau=tau)
        return jnp.sum(losses + FOCAL(z, y, gamma=gamma, class_weights=weights))

    gradient = jax.jit(jax.grad(total, (0, 3, 4)))
    inputs = FINITE, LABELS % CLASSES, (COUNTS.astype(np.float32), WEIGHTS), 0.5, 0.7
    expected = gradient(*inputs)
    with jax.set_mesh(mesh):
        z, y, tables, *scalars = inputs
        tables = jax.device_put(tables, NamedSharding(mesh, P("model")))
        inputs = divided(mesh, z), divided(mesh, y), tables, *scalars
        program = gradient.lower(*inputs).compile()
        got = gradient(*inputs)
    assert_near(got[0], expected[0], "logits")
    np.testing.assert_allclose(got[1:], expected[1:], 5e-6)
    for collective, shape in collectives(program):  # of a table it may have all classes
        assert CLASSES not in shape or math.prod(shape) == CLASSES, (collective, shape)


# Trackers.

PASSES = [np.asarray(RNG.normal(0, 3, (ROWS, CLASSES)), np.float32) for _ in range(3)]
TARGETS = np.argmax(PASSES[1], -1).astype(np.int32)
TARGETS[4:] = 2, 40
STATES = {
    "float32": jimb.difficulty.init(ROWS, CLASSES, dtype=jnp.float32),
    "float16": jimb.difficulty.init(ROWS, CLASSES),
    "snapshot": jimb.difficulty.init(ROWS, CLASSES, dtype=None),
    "last_loss": last_loss.init(ROWS, CLASSES),
    "forgetting": forgetting.init(ROWS),
    "data_map": data_map.init(ROWS),
}
MODULES = {"last_loss": last_loss, "forgetting": forgetting, "data_map": data_map}
INDEX = np.array([4, 0, 3, 5, 1, 2], np.int32)


def passed(states, counts, index, logits, previous, labels, where):
    """Every tracker after one more pass."""
    rest = {"where": where, "index": index}

    def update(name, state):
        module = MODULES.get(name, jimb.difficulty)
        before = {"previous_logits": previous} if name == "snapshot" else {}
        return module.update(state, logits, labels, **rest, **before)

    states = {name: update(name, state) for name, state in states.items()}
    counts = class_wise.update(counts, logits, labels, where=where)
    return states, counts, jimb.difficulty.psi(logits, previous, labels)


@pytest.mark.parametrize(
    "index", [None, pytest.param(INDEX, marks=pytest.mark.slow)], ids=["all", "index"]
)
def test_trackers_are_those_of_one_device(index, mesh):
    update, put = jax.jit(passed), functools.partial(divided, mesh)
    states, counts = STATES, class_wise.init(CLASSES)
    with jax.set_mesh(mesh):
        divided_states = jax.tree.map(put, STATES)
        divided_counts = jax.device_put(counts, NamedSharding(mesh, P()))
        before = jax.tree.map(jax.typeof, divided_states)
    places = None if index is None else put(index)
    for previous, logits in zip([0 * FINITE, *PASSES[:-1]], PASSES, strict=True):
        batch = logits, previous, TARGETS, WHERE
        states, counts, deltas = update(states, counts, index, *batch)
        with jax.set_mesh(mesh):
            arguments = divided_states, divided_counts, places, *map(put, batch)
            got = update(*arguments)
            jax.block_until_ready(got)  # many collectives in flight would starve the CPU
            divided_states, divided_counts, _ = got
            assert jax.tree.map(jax.typeof, divided_states) == before
    with jax.set_mesh(mesh):
        program = update.lower(*arguments).compile()
    for one, other in zip(
        jax.tree.leaves(got), jax.tree.leaves((states, counts, deltas)), strict=True
    ):
        np.testing.assert_allclose(one, other, 1e-6, 1e-6 * np.abs(np.float32(other)).max())
    for x in jax.tree.leaves(divided_states):
        assert_laid_out(mesh, x, P("data", "model") if x.ndim == 2 else P("data"))
    for collective, shape in collectives(program):
        assert CLASSES not in shape, (collective, shape)


def test_a_store_of_whole_rows_keeps_its_layout(mesh):
    update = jax.jit(jimb.difficulty.update)
    state = jimb.difficulty.init(ROWS, CLASSES)
    expected = update(state, PASSES[0], TARGETS)
    with jax.set_mesh(mesh):
        state = jax.device_put(state, NamedSharding(mesh, P("data")))
        got = update(state, divided(mesh, PASSES[0]), divided(mesh, TARGETS))
        assert jax.tree.map(jax.typeof, got) == jax.tree.map(jax.typeof, state)
    np.testing.assert_allclose(got.log_probs, expected.log_probs, 1e-3)


@pytest.mark.slow
def test_a_sweep_with_a_divided_head_keeps_the_layout_of_its_state(mesh):
    features, kernel = RNG.normal(size=(ROWS, 5)), RNG.normal(size=(5, CLASSES))
    features, kernel = features.astype(np.float32), kernel.astype(np.float32)
    expected = jimb.difficulty.update(STATES["float32"], features @ kernel, TARGETS)

    @jax.jit
    def sweep(state, kernel, features, labels):
        return jimb.difficulty.sweep(
            state,
            lambda kernel, x: x @ kernel,
            kernel,
            examples=features,
            labels=labels,
            chunk_size=2,
            mesh_axis="data",
        )

    with jax.set_mesh(mesh):
        state = jax.tree.map(functools.partial(divided, mesh), STATES["float32"])
        kernel = jax.device_put(kernel, NamedSharding(mesh, P(None, "model")))
        rows = jax.device_put((features, TARGETS), NamedSharding(mesh, P("data")))
        got = sweep(state, kernel, *rows)
        assert jax.tree.map(jax.typeof, got) == jax.tree.map(jax.typeof, state)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, 2e-6, 2e-6)
