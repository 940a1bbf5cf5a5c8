"""The state of the ratio of gradients: on a mesh, in a shard_map, long, saved, and with rubbish."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb import gradient_ratio
from tests.helpers.gradient_oracle import (
    CLASSES,
    LABELS,
    LOGITS,
    LOSSES,
    ORACLES,
    B,
    K,
    jitted,
    step,
    sums,
)

both = pytest.mark.parametrize("name", LOSSES)


@pytest.mark.slow
@both
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("spec", [P("data"), P("data", "model")], ids=["batch", "and_classes"])
def test_a_mesh_has_the_same_numbers(name, kind, spec):
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))
    state = expected = gradient_ratio.init(K)
    with jax.set_mesh(mesh):
        state = jax.device_put(state, NamedSharding(mesh, P()))
    for z, y in zip(LOGITS, LABELS, strict=True):
        expected, *results = jitted(name)(expected, z, y)
        with jax.set_mesh(mesh):
            batch = jax.device_put((z, y), NamedSharding(mesh, spec))
            state, *got = jitted(name)(state, *batch)
        assert got[0].sharding.is_equivalent_to(NamedSharding(mesh, spec), 2)
        close = functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-12)
        jax.tree.map(close, got, results)
    assert all(x.sharding.is_fully_replicated for x in state)
    np.testing.assert_allclose(sums(state), sums(expected), rtol=1e-6)


@pytest.mark.slow
@both
@pytest.mark.parametrize("check_vma", [True, False])
def test_in_a_shard_map_the_shares_are_summed(name, check_vma):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    of_share = functools.partial(step, LOSSES[name], axis_name="data")
    share = P("data")
    mapped = jax.jit(
        jax.shard_map(
            of_share,
            mesh=mesh,
            in_specs=(P(), share, share, share),
            out_specs=(P(), share, share),
            check_vma=check_vma,
        )
    )
    where = np.random.default_rng(1).random((B, K)) < 0.8
    state = expected = gradient_ratio.init(K)
    for z, y in zip(LOGITS, LABELS, strict=True):
        expected, *results = jitted(name)(expected, z, y, where)
        state, *got = mapped(state, z, y, where)
        close = functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-12)
        jax.tree.map(close, got, results)
    np.testing.assert_allclose(sums(state), sums(expected), rtol=1e-6)
    with pytest.raises(ValueError, match="axis_name must name an axis"):
        step(LOSSES[name], state, LOGITS[0], LABELS[0], axis_name="data")


@pytest.mark.slow
@both
def test_what_is_not_finite_is_left_out_of_the_state_and_said(name):
    z, y = LOGITS[0].copy(), LABELS[0].copy()
    z[3, 1], z[5, 0], z[6, 2], y[7, 0] = np.nan, np.inf, -np.inf, 3
    y[5, 0], y[6, 2] = 0, 1
    kept = np.ones((B, K), bool)
    kept[[3, 5, 6, 7], [1, 0, 2, 0]] = False
    loss = LOSSES[name]
    check = jax.jit(
        checkify.checkify(
            lambda z, y: gradient_ratio.update(gradient_ratio.init(K), z, y, loss=loss)
        )
    )
    error, state = check(z, y)
    assert error.get() is not None
    there = ORACLES[name]()
    there.step(np.where(kept, z, 0), np.where(kept, y, 0), kept)
    np.testing.assert_allclose(sums(state), (there.positive, there.negative), rtol=3e-6)
    assert check(LOGITS[0], LABELS[0])[0].get() is None


@pytest.mark.slow
def test_a_long_training_still_moves_the_sums():
    """After 2²⁵ of a class a batch adds less than float32 holds."""
    state = gradient_ratio.init(1)._replace(negative=jnp.array([2.0**25]))
    z, y = jnp.zeros((2, 1)), jnp.zeros((2, 1))

    def many(state):
        loss = jimb.sigmoid_cross_entropy_loss
        add = functools.partial(gradient_ratio.update, loss=lambda z, y, _, where: loss(z, y))
        return jax.lax.fori_loop(0, 1000, lambda _, s: add(s, z, y), state)

    np.testing.assert_array_equal(sums(jax.jit(many)(state)), [[0], [2.0**25 + 1000]])


@pytest.mark.slow
def test_donation_scan_and_no_gradient():
    loss = jimb.equalization_loss
    update = functools.partial(gradient_ratio.update, loss=loss)
    expected = gradient_ratio.init(K)
    for z, y in zip(LOGITS, LABELS, strict=True):
        expected = update(expected, z, y)
    donated = jax.jit(update, donate_argnums=0)
    state = gradient_ratio.init(K)
    for z, y in zip(LOGITS, LABELS, strict=True):
        state = donated(state, z, y)
    batches = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    scanned, _ = jax.lax.scan(lambda s, b: (update(s, *b), None), gradient_ratio.init(K), batches)
    for got in (state, scanned):
        np.testing.assert_allclose(sums(got), sums(expected), rtol=1e-6)

    def total(z):
        return jnp.sum(jnp.tanh(gradient_ratio.compute(update(expected, z, LABELS[0]))))

    np.testing.assert_array_equal(jax.grad(total)(LOGITS[0]), np.zeros((B, K)))


@pytest.mark.slow
def test_it_comes_back_from_a_checkpoint_and_goes_on(tmp_path):
    from orbax.checkpoint import v1 as ocp

    def initial():
        return {"ratio": gradient_ratio.init(K), "counts": jimb.counting.init(K)}

    def updated(states, i):
        ratio, losses, _ = jitted("eqlv2")(states["ratio"], LOGITS[i], LABELS[i])
        counts = jimb.counting.update(states["counts"], CLASSES[i])
        n = jimb.counting.compute(counts)
        return {"ratio": ratio, "counts": counts}, (
            losses,
            jimb.seesaw_loss(LOGITS[i], CLASSES[i], n),
        )

    states = updated(updated(initial(), 0)[0], 1)[0]
    with ocp.training.Checkpointer(tmp_path) as checkpointer:
        assert checkpointer.save_checkpointables(3, {"states": states})
    here = SingleDeviceSharding(jax.devices()[0])
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), jax.eval_shape(initial)
    )
    with ocp.training.Checkpointer(tmp_path) as checkpointer:
        found = checkpointer.load_checkpointables(3, {"states": shapes})["states"]
    jax.tree.map(np.testing.assert_array_equal, found, states)
    jax.tree.map(np.testing.assert_array_equal, updated(found, 2), updated(states, 2))


@pytest.mark.slow
def test_bad_input():
    z, y, loss = LOGITS[0], LABELS[0], jimb.equalization_loss
    state, update = gradient_ratio.init(K), gradient_ratio.update
    bad = [
        (TypeError, "GradientRatioState", (z, state, y), {}),
        (ValueError, "logits have 3 classes, the state 4", (state, z[:, :3], y[:, :3]), {}),
        (ValueError, "jax.nn.one_hot", (state, z, CLASSES[0]), {}),
        (ValueError, r"labels must lie in \[0, 1\]", (state, z, y + 2), {}),
        (TypeError, "logits must be floating point", (state, y, y), {}),
        (TypeError, "where must be boolean", (state, z, y), {"where": y}),
    ]
    for error, match, args, options in bad:
        with pytest.raises(error, match=match):
            update(*args, loss=loss, **options)
    with pytest.raises(TypeError, match="GradientRatioState"):
        gradient_ratio.compute(jimb.counting.init(K))
    ratio = np.ones(K)
    for name, options, match in [
        ("eqlv2", {"gamma": -1.0}, r"gamma must lie in \[0, inf\)"),
        ("eqlv2", {"alpha": -1.0}, r"alpha must lie in \[0, inf\)"),
        ("eqlv2", {"mu": np.ones(2)}, "mu must be a scalar"),
        ("efl", {"gamma": 0.0}, r"gamma must lie in \(0, inf\)"),
        ("efl", {"alpha": 1.5}, r"alpha must lie in \[0, 1\]"),
        ("efl", {"scale": -1.0}, r"scale must lie in \[0, inf\)"),
    ]:
        with pytest.raises(ValueError, match=match):
            LOSSES[name](z, y, ratio, **options)
    for loss in LOSSES.values():
        for wrong, match in [
            (ratio[:2], "ratio must have"),
            (-ratio, r"ratio must lie in \[0, inf\]"),
        ]:
            with pytest.raises(ValueError, match=match):
                loss(z, y, wrong)
