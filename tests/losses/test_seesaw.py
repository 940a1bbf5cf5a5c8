"""Seesaw against the authors' formula in float64, by the counts of the batches so far."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb import counting

B, K, STEPS = 16, 5, 3
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (STEPS, B, K)).astype(np.float32)
LABELS = np.minimum(RNG.geometric(0.4, (STEPS, B)) - 1, K - 1).astype(np.int32)
START = np.array([40, 12, 3, 0, 0])


def authors(z, y, counts, p=0.8, q=2.0, least=0.01):
    """Value and gradient: the factors are constants."""
    z, n = np.float64(z), np.maximum(np.float64(counts), 1)
    rows = np.arange(len(y))
    ratio = n[None, :] / n[y][:, None]
    mitigation = np.where(ratio < 1, ratio**p, 1)
    scores = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    ahead = scores / np.maximum(scores[rows, y], least)[:, None]
    compensation = np.where(ahead > 1, ahead**q, 1)
    terms = np.where(np.eye(len(n))[y] > 0, 1, mitigation * compensation) * np.exp(z)
    shares = terms / terms.sum(-1, keepdims=True)
    return -np.log(shares[rows, y]), shares - np.eye(len(n))[y]


def step(state, z, y, **options):
    """The authors count a batch before its loss."""
    state = counting.update(state, y, where=options.get("where"))

    def total(z):
        losses = jimb.seesaw_loss(z, y, counting.compute(state), **options)
        return losses.sum(), losses

    gradient, losses = jax.grad(total, has_aux=True)(z)
    return state, losses, gradient


def test_three_batches_are_the_authors():
    state, counts = counting.CountState(START), START.copy()
    jitted = jax.jit(step)
    for z, y in zip(LOGITS, LABELS, strict=True):
        state, losses, gradient = jitted(state, z, y)
        counts = counts + np.bincount(y, minlength=K)
        value, slope = authors(z, y, counts)
        np.testing.assert_allclose(losses, value, rtol=3e-6)
        np.testing.assert_allclose(gradient, slope, rtol=3e-6, atol=3e-7)
    np.testing.assert_array_equal(counting.to_numpy(state), counts)
    assert len(set(counts)) > 3
    assert np.max(np.abs(losses - authors(z, y, counts, p=0)[0])) > 0.1  # both factors are at work
    assert np.max(np.abs(losses - authors(z, y, counts, q=0)[0])) > 0.1


def test_by_hand():
    """log(1 + (1/4)^0.5), and log(1 + e·e^2) of a label at which the other is ahead by 1."""
    z, y = jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.array([0, 1])
    got = jax.jit(lambda *x: jimb.seesaw_loss(*x, p=0.5, q=2.0))(z, y, jnp.array([4, 1]))
    np.testing.assert_allclose(got, np.log1p([0.5, np.exp(3)]), rtol=1e-6)


@pytest.mark.slow
def test_without_both_it_is_cross_entropy():
    z, y = LOGITS[0], LABELS[0]
    got = jimb.seesaw_loss(z, y, START, p=0.0, q=0.0)
    np.testing.assert_allclose(got, jimb.softmax_cross_entropy_loss(z, y), rtol=1e-6)
    np.testing.assert_allclose(
        jimb.seesaw_loss(z, y, np.zeros(K), q=0.0), jimb.softmax_cross_entropy_loss(z, y), rtol=1e-6
    )  # nothing seen yet


@pytest.mark.slow
def test_vmap_over_p_q_and_the_least_probability():
    z, y = LOGITS[1], LABELS[1]
    grid = np.float32([[0, 0, 0.01], [0.8, 2, 0.01], [0.3, 1, 0.2], [1.5, 3, 0], [0.8, 0.5, 1]])
    over = jax.vmap(lambda g: jimb.seesaw_loss(z, y, START, p=g[0], q=g[1], min_prob=g[2]))
    for got, (p, q, least) in zip(jax.jit(over)(grid), grid, strict=True):
        expected = authors(z, y, START, np.float64(p), np.float64(q), np.float64(least))[0]
        np.testing.assert_allclose(got, expected, rtol=4e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_a_mesh_has_the_same_numbers(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    expected = jax.jit(step)(counting.CountState(START), LOGITS[0], LABELS[0])
    with jax.set_mesh(mesh):
        z, y = jax.device_put((LOGITS[0], LABELS[0]), NamedSharding(mesh, P("data")))
        start = jax.device_put(counting.CountState(START), NamedSharding(mesh, P()))
        state, losses, gradient = jax.jit(step)(start, z, y)
        assert losses.sharding.is_equivalent_to(NamedSharding(mesh, P("data")), 1)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7),
        (state, losses, gradient),
        expected,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_classes_may_be_divided(kind):
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind, kind))
    z, y = RNG.normal(0, 3, (B, 8)).astype(np.float32), np.arange(B, dtype=np.int32) % 8
    counts = np.arange(8) * 3
    with jax.set_mesh(mesh):
        placed = jax.device_put(z, NamedSharding(mesh, P("data", "model")))
        ids = jax.device_put(y, NamedSharding(mesh, P("data")))
        losses = jax.jit(lambda z, y: jimb.seesaw_loss(z, y, counts))(placed, ids)
    np.testing.assert_allclose(losses, authors(z, y, counts)[0], rtol=4e-6)


@pytest.mark.slow
def test_in_a_shard_map_the_counts_of_the_shares_are_merged():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))

    def of_share(state, z, y):
        batch = jax.lax.psum(counting.update(counting.init(K), y), "data")
        state = counting.merge(state, batch)
        return state, jimb.seesaw_loss(z, y, counting.compute(state))

    specs = (P(), P("data"), P("data"))
    mapped = jax.shard_map(of_share, mesh=mesh, in_specs=specs, out_specs=(P(), P("data")))
    state, losses = jax.jit(mapped)(counting.CountState(START), LOGITS[0], LABELS[0])
    expected, expected_losses, _ = step(counting.CountState(START), LOGITS[0], LABELS[0])
    np.testing.assert_array_equal(counting.to_numpy(state), counting.to_numpy(expected))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)


@pytest.mark.slow
def test_logits_of_1e4_and_their_second_derivatives_are_finite():
    z = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4], [0.0, -1e4, -1e4]])

    def total(z, label):
        return jimb.seesaw_loss(z, jnp.full(4, label), jnp.array([9, 3, 1])).sum()

    everything = jax.jit(lambda *x: (jax.value_and_grad(total)(*x), jax.hessian(total)(*x)))
    for label in range(3):
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(everything(z, label)))
    np.testing.assert_allclose(
        jimb.seesaw_loss(z[:1], jnp.array([1]), jnp.array([9, 3, 1])),
        2e4 + 2 * -np.log(0.01),  # σ_y counts as 0.01
        rtol=1e-6,
    )
    got = everything(jnp.tile(LOGITS[0, :1, :3], (4, 1)), 2)[1][0, :, 0]
    shares = authors(LOGITS[0, :1, :3], np.array([2]), [9, 3, 1])[1][0] + [0, 0, 1]
    np.testing.assert_allclose(got, np.diag(shares) - np.outer(shares, shares), atol=1e-6)


@pytest.mark.slow
def test_infinite_and_nan_logits():
    inf, counts = np.inf, jnp.array([9, 3, 1])
    z = jnp.array([[-inf, 0, 0], [-inf, 0, 0], [inf, 0, 0], [np.nan, 0, 0], [-inf, -inf, -inf]])
    y = jnp.array([1, 0, 1, 1, 1])

    @jax.jit
    def of(z, least):
        losses, pull = jax.vjp(lambda z: jimb.seesaw_loss(z, y, counts, min_prob=least), z)
        return losses, *pull(jnp.ones(5))

    for least in (0.01, 0.0):
        losses, gradient = of(z, least)
        two = authors(np.zeros((1, 2)), np.array([0]), [3, 1], least=0.01)
        np.testing.assert_allclose(losses[0], two[0][0], rtol=1e-6)  # as without the class
        np.testing.assert_allclose(gradient[0], [0, *two[1][0]], atol=1e-7)
        assert losses[1] == losses[2] == inf
        assert np.isnan(losses[3:]).all()
        assert not np.isfinite(gradient[1:]).all(-1).any()
        masked = jimb.seesaw_loss(z, y, counts, min_prob=least, where=jnp.arange(5) == 0)
        np.testing.assert_array_equal(masked[1:], np.zeros(4))


@pytest.mark.slow
def test_masked_rubbish_changes_nothing():
    where = np.arange(B) % 3 != 0
    z = np.where(where[:, None], LOGITS[0], np.nan).astype(np.float32)
    y = np.where(where, LABELS[0], -1)
    jitted = jax.jit(lambda state, z, y: step(state, z, y, where=where))
    state, losses, gradient = jitted(counting.CountState(START), z, y)
    counts = START + np.bincount(LABELS[0][where], minlength=K)
    np.testing.assert_array_equal(counting.to_numpy(state), counts)
    value, slope = authors(LOGITS[0], LABELS[0], counts)
    np.testing.assert_allclose(losses, np.where(where, value, 0), rtol=3e-6)
    np.testing.assert_allclose(gradient, np.where(where[:, None], slope, 0), atol=1e-6)


@pytest.mark.slow
def test_bad_input():
    z, y, n = LOGITS[0], LABELS[0], START
    bad = [
        (TypeError, "no soft labels", (z, z, n), {}),
        (ValueError, "counts must have", (z, y, n[:3]), {}),
        (ValueError, "counts must lie in", (z, y, -n), {}),
        (ValueError, r"labels must lie in \[0, 5\)", (z, y + 4, n), {}),
        (ValueError, r"p must lie in \[0, inf\)", (z, y, n), {"p": -1.0}),
        (ValueError, "q must be a scalar", (z, y, n), {"q": np.ones(K)}),
        (ValueError, r"min_prob must lie in \[0, 1\]", (z, y, n), {"min_prob": 2.0}),
        (TypeError, "where must be boolean", (z, y, n), {"where": y}),
        (TypeError, "LinearLogits", (jimb.LinearLogits(z, np.eye(K, dtype="f4")), y, n), {}),
    ]
    for error, match, args, options in bad:
        with pytest.raises(error, match=match):
            jimb.seesaw_loss(*args, **options)
    check = jax.jit(checkify.checkify(lambda p, y: jimb.seesaw_loss(z, y, n, p=p)))
    error, losses = check(-1.0, y)
    assert "p must lie in" in error.get()
    assert np.isnan(losses).all()
    error, losses = check(0.8, np.where(np.arange(B) == 3, 7, y))
    assert "labels must be class ids" in error.get()
    np.testing.assert_array_equal(np.isnan(losses), np.arange(B) == 3)
