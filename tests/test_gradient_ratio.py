"""The ratio of gradients and the two losses of it, against the authors' steps in float64."""

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

B, K, STEPS = 16, 4, 3
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(-1, 1.5, (STEPS, B, K)).astype(np.float32)
CLASSES = np.minimum(RNG.geometric(0.5, (STEPS, B)) - 1, K - 1)
LABELS = np.eye(K, dtype=np.int32)[CLASSES]
LOSSES = {"eqlv2": jimb.equalization_loss, "efl": jimb.equalized_focal_loss}
both = pytest.mark.parametrize("name", LOSSES)


# Each class as its authors write it, in float64: the state, then the formula.


class Authors:
    """Sums of gradients; `ratio` is None before the first batch."""

    def __init__(self):
        self.positive, self.negative, self.ratio = np.zeros(K), np.zeros(K), None

    def step(self, z, y, where=True):
        """The losses and their gradients with the weights of now; then the state moves on."""
        value, gradient = self.of(np.float64(z), y)
        size = np.where(where, np.abs(gradient), 0)
        self.positive += np.sum(size * y, 0)
        self.negative += np.sum(size * (1 - y), 0)
        self.ratio = self.positive / (self.negative + 1e-10)
        return np.where(where, value, 0), np.where(where, gradient, 0)


class Eqlv2(Authors):
    """Weights of positives and negatives times binary cross-entropy."""

    def __init__(self, alpha=4.0, gamma=12.0, mu=0.8):
        super().__init__()
        self.alpha, self.gamma, self.mu = alpha, gamma, mu

    def of(self, z, y):
        negative = np.ones(K)
        if self.ratio is not None:
            negative = 1 / (1 + np.exp(-self.gamma * (self.ratio - self.mu)))
        weight = (1 + self.alpha * (1 - negative)) * y + negative * (1 - y)
        p = 1 / (1 + np.exp(-z))
        return -weight * (y * np.log(p) + (1 - y) * np.log(1 - p)), weight * (p - y)


class Efl(Authors):
    """Focal loss with a γ of each class, times that over the common one."""

    def __init__(self, alpha=0.25, gamma=2.0, scale=8.0):
        super().__init__()
        self.alpha, self.gamma, self.scale = alpha, gamma, scale

    def of(self, z, y):
        ratio = np.ones(K) if self.ratio is None else np.clip(self.ratio, 0, 1)
        focus = self.gamma + self.scale * (1 - ratio)

        def losses(z):
            p = 1 / (1 + np.exp(-z))
            p_t = p * y + (1 - p) * (1 - y)
            alpha_t = self.alpha * y + (1 - self.alpha) * (1 - y)
            return alpha_t * focus / self.gamma * (1 - p_t) ** focus * -np.log(p_t)

        return losses(z), losses(z + 1e-30j).imag / 1e-30  # exactly, by a complex step


ORACLES = {"eqlv2": Eqlv2, "efl": Efl}


def step(loss, state, z, y, where=None, axis_name=None):
    ratio = gradient_ratio.compute(state)
    losses, pull = jax.vjp(lambda z: loss(z, y, ratio, where=where), z)
    (gradient,) = pull(jnp.ones_like(losses))
    state = gradient_ratio.update(state, z, y, loss=loss, where=where, axis_name=axis_name)
    return state, losses, gradient


@functools.cache
def jitted(name):
    return jax.jit(functools.partial(step, LOSSES[name]))


def sums(state):
    state = jax.tree.map(np.float64, state)
    return state.positive + state.positive_rest, state.negative + state.negative_rest


@both
def test_three_batches_are_the_authors(name):
    state, there = gradient_ratio.init(K), ORACLES[name]()
    for z, y in zip(LOGITS, LABELS, strict=True):
        state, losses, gradient = jitted(name)(state, z, y)
        value, slope = there.step(z, y)
        np.testing.assert_allclose(losses, value, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(sums(state), (there.positive, there.negative), rtol=3e-6)
        np.testing.assert_allclose(gradient_ratio.compute(state), there.ratio, rtol=3e-6)
    assert np.ptp(there.ratio) > 0.5  # the classes' weights differ


def test_equalization_v2_by_hand():
    """All logits 0 and three, one and no example of the classes: p = 1/2 everywhere."""
    z, y = np.zeros((4, 3), np.float32), np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
    state, first, _ = jitted("eqlv2")(gradient_ratio.init(3), z, y)
    np.testing.assert_allclose(first, np.full((4, 3), np.log(2)), rtol=1e-6)  # all weights are 1
    np.testing.assert_allclose(sums(state), ([1.5, 0.5, 0], [0.5, 1.5, 2]), rtol=1e-6)
    np.testing.assert_allclose(gradient_ratio.compute(state), [3, 1 / 3, 0], rtol=1e-6)
    # f(3) = 1 / (1 + e^-26.4), f(1/3) = 1 / (1 + e^5.6), f(0) = 1 / (1 + e^9.6)
    negative = np.array([1.0, 0.00368424, 6.7724e-5])  # less of them for the rare
    positive = np.array([1.0, 4.9852630, 4.9997291])  # 1 + 4 (1 - f), more of these
    state, second, gradient = jitted("eqlv2")(state, z, y)
    weight = np.where(y > 0, positive, negative)
    np.testing.assert_allclose(second, np.log(2) * weight, rtol=1e-5)
    np.testing.assert_allclose(gradient, (0.5 - y) * weight, rtol=1e-5)
    pulled = [1.5 + 1.5, 0.5 + 0.5 * 4.9852630, 0]
    pushed = [0.5 + 0.5, 1.5 + 1.5 * 0.00368424, 2 + 2 * 6.7724e-5]  # the weights are in it
    np.testing.assert_allclose(sums(state), (pulled, pushed), rtol=1e-6)


@pytest.mark.slow
def test_balanced_classes_have_the_focal_loss_and_one_without_is_as_the_authors_start():
    for ratio in (np.ones(K), np.full(K, 7.0), np.full(K, np.inf)):
        got = jimb.equalized_focal_loss(LOGITS[0], LABELS[0], ratio)
        expected = jimb.sigmoid_focal_loss(LOGITS[0], LABELS[0], alpha=0.25)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    got = jimb.equalization_loss(LOGITS[0], LABELS[0], np.full(K, np.inf))
    expected = jimb.sigmoid_cross_entropy_loss(LOGITS[0], LABELS[0])
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [
    ("eqlv2", ({"alpha": 2.0, "gamma": 5.0, "mu": 0.3}, {"alpha": 0.0, "gamma": 30.0, "mu": 0.0})),
    ("efl", ({"alpha": 0.6, "gamma": 0.5, "scale": 3.0}, {"alpha": 0.1, "gamma": 4.0, "scale": 0})),
])  # fmt: skip
def test_vmap_over_the_options_of_loss_and_state(name, options):
    names = list(options[0])

    def train(values):
        loss = functools.partial(LOSSES[name], **dict(zip(names, values, strict=True)))
        state = gradient_ratio.init(K)
        for z, y in zip(LOGITS, LABELS, strict=True):
            state, losses, _ = step(loss, state, z, y)
        return gradient_ratio.compute(state), losses

    grid = np.float32([list(o.values()) for o in options])
    for ratio, losses, o in zip(*jax.jit(jax.vmap(train))(grid), options, strict=True):
        there = ORACLES[name](**o)
        for z, y in zip(LOGITS, LABELS, strict=True):
            value, _ = there.step(z, y)
        np.testing.assert_allclose(ratio, there.ratio, rtol=1e-5)
        np.testing.assert_allclose(losses, value, rtol=4e-5, atol=1e-12)


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
    where = RNG.random((B, K)) < 0.8
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
def test_masks_and_rubbish_behind_them(name):
    state, there = gradient_ratio.init(K), ORACLES[name]()
    for i, (z, y) in enumerate(zip(LOGITS, LABELS, strict=True)):
        where = np.random.default_rng(i).random((B, K)) < 0.7
        rubbish = np.where(where, z, np.nan), np.where(where, y, -1)
        state, losses, gradient = jitted(name)(state, *rubbish, where)
        value, slope = there.step(z, y, where)
        np.testing.assert_allclose(losses, value, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(sums(state), (there.positive, there.negative), rtol=3e-6)


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
@both
def test_extreme_logits_and_second_derivatives_are_finite(name):
    z = jnp.array([[1e4, -1e4], [-1e4, 1e4], [0.0, 80.0], [-200.0, 3.0]])

    @jax.jit
    def of(z, y, ratio):
        def total(z):
            return LOSSES[name](z, y, ratio).sum()

        return jax.value_and_grad(total)(z), jax.jvp(jax.grad(total), (z,), (z * 0 + 1,))

    for ratio in ([0.0, 1.0], [0.5, np.inf], [1e-30, 1e30]):
        for y in (jnp.zeros((4, 2), int), jnp.ones((4, 2), int), jnp.full((4, 2), 0.3)):
            everything = of(z, y, jnp.array(ratio))
            assert all(np.isfinite(x).all() for x in jax.tree.leaves(everything))
    options = ("alpha", "gamma", "mu" if name == "eqlv2" else "scale")

    def by_options(values):
        given = dict(zip(options, values, strict=True))
        return LOSSES[name](
            z, jnp.eye(2)[jnp.array([0, 1, 1, 0])], jnp.array([0.2, jnp.inf]), **given
        ).sum()

    values = jnp.array([0.4, 2.0, 0.8])
    for derivative in (jax.grad, jax.hessian):
        assert np.isfinite(jax.jit(derivative(by_options))(values)).all()


@pytest.mark.slow
@both
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_in_float32(name, dtype):
    z = jnp.asarray(LOGITS[0], dtype)
    state, losses, gradient = jitted(name)(gradient_ratio.init(K), z, LABELS[0])
    wide, wide_losses, _ = jitted(name)(gradient_ratio.init(K), z.astype(jnp.float32), LABELS[0])
    assert losses.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(losses, wide_losses.astype(dtype))
    assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, wide)
    np.testing.assert_allclose(sums(state), sums(wide), rtol=1e-6)


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
