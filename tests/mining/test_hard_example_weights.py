"""Hard-example weights against a plain loop: which are kept, and with no gradient."""

import functools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from jimb.mining import _hard_weights, hard_example_weights

N = 30
WEIGH = jax.jit(hard_example_weights)  # all of its arguments traced


def oracle(losses, keep, where=None, group=None, floor=1):
    """Weights by sorting each group in Python; a fraction is read as the decimal that it prints."""
    losses = np.asarray(losses, np.float64)
    where = np.ones(losses.shape, bool) if where is None else np.asarray(where)
    group = np.zeros(losses.shape, int) if group is None else np.asarray(group).astype(int)
    weights = np.zeros(losses.size, np.float32)
    for g in set(group.ravel().tolist()):
        live = [i for i in range(losses.size) if where.flat[i] and group.flat[i] == g]
        live.sort(key=lambda i: (math.isnan(losses.flat[i]), -losses.flat[i], i))
        number = np.asarray(keep)[g].item() if np.ndim(keep) else keep
        if not isinstance(number, int):
            number = math.ceil(Fraction(str(round(number, 6))) * len(live))
        weights[live[: min(len(live), max(number, floor))]] = 1
    return weights.reshape(losses.shape)


def hard_case(rng, dtype=np.float32, size=N):
    """Losses with ties, zeros of both signs, infinities and NaN, a mask, and groups."""
    losses = np.round(rng.normal(size=size) * 2) / 2
    odd = rng.random(size)
    for limit, value in ((0.05, np.inf), (0.1, -np.inf), (0.2, np.nan), (0.25, -0.0)):
        losses = np.where((odd >= limit - 0.05) & (odd < limit), value, losses)
    groups = rng.choice(np.array([0, 1, 2], np.int32), size, p=[0.6, 0.3, 0.1])
    return losses.astype(dtype), rng.random(size) < rng.choice([0.0, 0.1, 0.8, 1.0]), groups


# Which are kept.


@pytest.mark.parametrize(
    "dtype",
    [jnp.float32, *(pytest.param(t, marks=pytest.mark.slow) for t in (jnp.bfloat16, jnp.float16))],
)
def test_random_cases_are_those_of_a_loop(dtype):
    rng, ids = np.random.default_rng(0), np.array([-(2**31), 7, 2**31 - 1], np.int32)
    for _ in range(60):
        losses, where, group = hard_case(rng, dtype)
        floor = int(rng.integers(0, 4))
        for keep in (int(rng.integers(0, N + 5)), float(rng.integers(0, 101) / 100)):
            traced = np.int32(keep) if isinstance(keep, int) else np.float32(keep)
            for groups in (None, ids[group]):
                got = WEIGH(losses, keep=traced, where=where, group=groups, floor=floor)
                assert got.dtype == jnp.float32
                expected = oracle(losses, keep, where, groups, floor)
                np.testing.assert_array_equal(got, expected)
        several = rng.integers(0, N, 3), rng.integers(0, 101, 3) / 100
        for keep in several:
            traced = keep.astype(np.int32 if keep.dtype == int else np.float32)
            got = WEIGH(losses, keep=traced, where=where, group=group, floor=floor)
            np.testing.assert_array_equal(got, oracle(losses, keep, where, group, floor))


def test_without_jit_and_with_numbers_of_the_host_it_is_the_same():
    rng = np.random.default_rng(1)
    for keep in (0, 4, 0.1, 1.0, [1, 2, 3], np.array([0.5, 0.1, 1.0])):
        losses, where, group = hard_case(rng)
        where &= ~np.isnan(losses)
        got = hard_example_weights(losses, keep=keep, where=where, group=group)
        np.testing.assert_array_equal(got, oracle(losses, keep, where, group))


def test_many_losses_of_any_shape():
    rng = np.random.default_rng(2)
    losses, where, group = (x.reshape(50, 4, 25) for x in hard_case(rng, size=5000))
    got = WEIGH(losses, keep=np.float32(0.07), where=where | True, group=group)
    np.testing.assert_array_equal(got, oracle(losses, 0.07, None, group))
    assert WEIGH(np.zeros((3, 0), np.float32), keep=np.int32(2)).shape == (3, 0)
    assert WEIGH(np.float32(2), keep=np.int32(2)) == 1


def test_booleans_are_groups_0_and_1():
    losses, _, group = hard_case(np.random.default_rng(3))
    keep = np.array([2, 5], np.int32)
    for run in (WEIGH, hard_example_weights):
        finite = np.nan_to_num(losses)
        got = run(finite, keep=keep, group=group == 1)
        np.testing.assert_array_equal(got, oracle(finite, keep, None, group == 1))


def test_float64_losses_are_compared_as_such():
    losses = np.array([0, 1, 2, 2, np.nan, -3]) * 1e-12 + 1
    with jax.enable_x64(True):
        got = WEIGH(losses, keep=np.int64(2))
        assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, [0, 0, 1, 1, 0, 0])


def test_equal_losses_are_kept_from_the_first_on():
    for value in (0.0, 2.5, np.inf, -np.inf, np.nan):
        got = WEIGH(np.full(N, value, np.float32), keep=np.int32(4))
        np.testing.assert_array_equal(got, np.arange(N) < 4)


def test_nan_is_kept_last():
    losses = np.array([np.nan, 1, -np.inf, -np.nan, 3], np.float32)
    for keep, expected in ((3, [0, 1, 1, 0, 1]), (4, [1, 1, 1, 0, 1]), (5, [1, 1, 1, 1, 1])):
        np.testing.assert_array_equal(WEIGH(losses, keep=np.int32(keep)), expected)


def test_a_fraction_keeps_the_least_number_that_reaches_it():
    """Decimals of every size of batch; 0.1 of 30 is 3, though 0.1 in float32 is above a tenth."""
    sizes, percents = np.arange(130), np.arange(101)
    assert np.float32(0.1) * np.float64(30) > 3

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(None, 0))
    @functools.partial(jax.vmap, in_axes=(0, None))
    def kept(keep, where):
        return jnp.sum(hard_example_weights(jnp.ones(130), keep=keep, where=where, floor=0))

    got = kept((percents / 100).astype(np.float32), np.arange(130) < sizes[:, None])
    expected = [[-(-n * percent // 100) for percent in percents] for n in sizes]
    np.testing.assert_array_equal(got, expected)


def test_a_fraction_of_millions():
    """Up to where float32 holds each number of examples: 2²⁴."""
    thousandths = np.arange(1001)
    for num in (10**5, 10**6 + 1, 10**7, 2**24):
        got = _hard_weights._quota(
            jnp.asarray(thousandths / 1000, jnp.float32), jnp.int32(num), jnp.int32(0)
        )
        expected = -(-thousandths * num // 1000)
        # A share above 2²² is known to a quarter and less, and rounded to the nearest number.
        np.testing.assert_allclose(got, expected, rtol=0, atol=0 if num < 2**22 else 1)
        assert got[-1] == num


def test_all_of_more_than_float32_can_count_are_kept():
    num = 2**24 + 1
    assert _hard_weights._quota(jnp.float32(1), jnp.int32(num), jnp.int32(0)) == num


def test_the_floor_holds_for_each_group_that_has_so_many():
    losses, group = np.arange(6, dtype=np.float32), np.array([0, 0, 0, 0, 1, 2], np.int32)
    where = np.array([1, 1, 1, 1, 1, 0], bool)
    weigh = functools.partial(WEIGH, losses, where=where, group=group)
    np.testing.assert_array_equal(weigh(keep=np.int32(0)), [0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(weigh(keep=np.int32(0), floor=np.int32(2)), [0, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(weigh(keep=np.float32(0), floor=np.int32(0)), np.zeros(6))


def test_nothing_is_kept_of_what_is_masked():
    got = WEIGH(np.full(N, np.nan, np.float32), keep=np.float32(1), where=np.zeros(N, bool))
    np.testing.assert_array_equal(got, np.zeros(N))
    loss = jimb.weighted_mean(np.full(N, np.nan, np.float32), got)
    assert loss == 0


# The mean of what is kept, and its gradient.


def bits(tree):
    return jax.tree.map(lambda x: np.atleast_1d(x).view(np.uint32), tree)


@pytest.mark.parametrize(
    "keep",
    [
        1.0,
        N,
        *(pytest.param(k, marks=pytest.mark.slow) for k in (N + 7, np.int32(N), np.float32(1))),
    ],
)
@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.filterwarnings("ignore:keep=37 is a number of examples, and there are 30")
def test_to_keep_everything_is_the_plain_mean_bit_by_bit(keep, nan):
    losses = np.random.default_rng(4).normal(size=N).astype(np.float32) ** 2
    losses[5] = np.nan if nan else losses[5]
    group = np.arange(N, dtype=np.int32) % 3
    # By a traced number: XLA multiplies by the inverse of one that it knows, as in jnp.mean.
    plain = jax.jit(jax.value_and_grad(lambda x, n: jnp.sum(x) / n))(losses, np.float32(N))
    for groups in (None, group):

        @jax.jit
        @jax.value_and_grad
        def mined(losses, groups=groups):
            weights = hard_example_weights(losses, keep=keep, group=groups)
            return jimb.weighted_mean(losses, weights)

        got = mined(losses)
        assert np.isnan(got[0]) == nan
        jax.tree.map(np.testing.assert_array_equal, bits(got), bits(plain))


def test_everything_masked_out_of_a_mean_stays_out_of_it():
    losses, where = np.arange(N, dtype=np.float32), np.arange(N) % 3 != 0
    weights = WEIGH(losses, keep=np.float32(1), where=where)
    assert jimb.weighted_mean(losses, weights, where=where) == losses[where].mean()


def cross_entropy(logits, labels, keep):
    """OHEM over the batch, from logits."""
    losses = jimb.softmax_cross_entropy_loss(logits, labels)
    return jimb.weighted_mean(losses, hard_example_weights(losses, keep=keep))


def softmax_gradient(logits, labels, rows):
    """Of the mean cross-entropy over these rows alone, in float64."""
    exps = np.exp(logits.astype(np.float64))
    gradient = np.zeros(logits.shape)
    gradient[rows] = exps[rows] / exps[rows].sum(-1, keepdims=True)
    gradient[rows, labels[rows]] -= 1
    return gradient / len(rows)


def test_the_gradient_is_that_of_the_mean_over_the_kept():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(N, 4)).astype(np.float32)
    labels = rng.integers(0, 4, N).astype(np.int32)
    losses = -np.take_along_axis(
        np.asarray(jax.nn.log_softmax(logits)), labels[:, None], axis=-1
    ).ravel()
    rows = np.argsort(-losses)[:7]
    got = jax.jit(jax.grad(cross_entropy))(logits, labels, np.int32(7))
    np.testing.assert_allclose(got, softmax_gradient(logits, labels, rows), rtol=0, atol=3e-8)
    np.testing.assert_array_equal(np.asarray(got)[np.setdiff1d(np.arange(N), rows)], 0)


def test_what_is_left_out_has_no_gradient_even_if_its_loss_is_nan():
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(N, 4)).astype(np.float32)
    labels = np.full(N, 1, np.int32)
    labels[[2, 9]] = 99  # NaN losses, which are kept last
    value, gradient = jax.jit(jax.value_and_grad(cross_entropy))(logits, labels, np.int32(5))
    assert np.isfinite(value)
    kept = np.flatnonzero(np.any(np.asarray(gradient) != 0, axis=-1))
    assert len(kept) == 5
    assert not {2, 9} & set(kept.tolist())
    assert np.isfinite(gradient).all()


def test_no_gradient_flows_through_the_choice():
    losses = np.random.default_rng(7).normal(size=N).astype(np.float32)
    scale = np.arange(N, dtype=np.float32)

    def chosen(losses, keep):
        return jnp.sum(scale * hard_example_weights(losses, keep=keep))

    for gradient in jax.jit(jax.grad(chosen, (0, 1)))(losses, np.float32(0.3)):
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
    value, tangent = jax.jvp(lambda x: chosen(x, 4), (jnp.asarray(losses),), (jnp.ones(N),))
    assert (value, tangent) == (scale[np.argsort(-losses)[:4]].sum(), 0)


# Transformations.


def test_a_traced_number_to_keep_compiles_once():
    traces = []

    @jax.jit
    def weigh(losses, keep, floor):
        traces.append(1)
        return hard_example_weights(losses, keep=keep, floor=floor)

    losses = np.random.default_rng(8).permutation(N).astype(np.float32)
    for keep in range(N + 3):
        got = weigh(losses, np.int32(keep), np.int32(keep % 3))
        np.testing.assert_array_equal(got, oracle(losses, keep, floor=keep % 3))
    assert len(traces) == 1


def test_vmap_and_scan_are_loops():
    rng = np.random.default_rng(9)
    cases = [hard_case(rng) for _ in range(6)]
    losses, where, group = (np.stack(x) for x in zip(*cases, strict=True))
    losses = np.nan_to_num(losses)
    keep = rng.integers(0, 9, (6, 3)).astype(np.int32)

    def weigh(losses, where, group, keep):
        return hard_example_weights(losses, keep=keep, where=where, group=group)

    expected = [oracle(x, k, w, g) for x, k, w, g in zip(losses, keep, where, group, strict=True)]
    batch = losses, where, group, keep
    np.testing.assert_array_equal(jax.jit(jax.vmap(weigh))(*batch), expected)
    scanned = jax.jit(lambda *batch: jax.lax.scan(lambda _, x: (None, weigh(*x)), None, batch)[1])
    np.testing.assert_array_equal(scanned(*batch), expected)
    many = jax.jit(jax.vmap(lambda k: hard_example_weights(losses[0], keep=k)))(np.arange(9))
    np.testing.assert_array_equal(many, [oracle(losses[0], k) for k in range(9)])


def test_it_lowers_for_cpu_gpu_and_tpu():
    abstract = [jax.ShapeDtypeStruct((256,), dtype) for dtype in (jnp.bfloat16, bool, jnp.int32)]
    platforms = "cpu", "cuda", "tpu"
    lowered = jax.jit(lambda x, w, g: hard_example_weights(x, keep=0.25, where=w, group=g))
    assert jax.export.export(lowered, platforms=platforms)(*abstract).platforms == platforms


# Meshes.

LOSSES, WHERE, GROUP = hard_case(np.random.default_rng(10), size=64)
LOSSES, WHERE = np.nan_to_num(LOSSES, posinf=9, neginf=-9), np.arange(64) % 5 != 0
KEEP = np.array([9, 4, 2], np.int32)
jit_and_eager = pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return jax.make_mesh((8,), ("data",), axis_types=(request.param,))


def split(mesh, tree):
    """Every array split over the devices along its first axis."""
    return jax.device_put(tree, NamedSharding(mesh, P("data")))


def step(losses, where, group, axis_name=None):
    """Weights, the mean over what is kept, and its gradient."""
    weights = hard_example_weights(losses, keep=KEEP, where=where, group=group)

    def mean(losses):
        return jimb.weighted_mean(losses, weights, where=where, axis_name=axis_name)

    return weights, *jax.value_and_grad(mean)(losses)


def step_oracle(weights):
    total = weights.sum(dtype=np.float64)
    return weights, (weights * LOSSES.astype(np.float64)).sum() / total, weights / total


def assert_step(got, weights):
    for name, one, other in zip(("w", "mean", "gradient"), got, step_oracle(weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-7, err_msg=name)


@pytest.mark.slow
@jit_and_eager
def test_a_sharded_batch_is_mined_as_a_whole(transform, mesh):
    with jax.set_mesh(mesh):
        got = transform(step)(*split(mesh, (LOSSES, WHERE, GROUP)))
        if mesh.axis_types == (AxisType.Explicit,):
            assert jax.typeof(got[0]).sharding.spec == P("data")
    assert_step(got, oracle(LOSSES, KEEP, WHERE, GROUP))


def test_a_batch_over_two_axes_keeps_its_layout():
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    layout = NamedSharding(mesh, P("data", "model"))
    with jax.set_mesh(mesh):
        losses, where = (jax.device_put(x.reshape(8, 8), layout) for x in (LOSSES, WHERE))
        got = jax.jit(lambda x, w: hard_example_weights(x, keep=0.25, where=w))(losses, where)
        assert jax.typeof(got).sharding.spec == P("data", "model")
    np.testing.assert_array_equal(got.reshape(64), oracle(LOSSES, 0.25, WHERE))


def test_in_shard_map_each_device_mines_its_own(mesh):
    specs = {"in_specs": P("data"), "out_specs": (P("data"), P(), P("data"))}
    local = jax.jit(jax.shard_map(functools.partial(step, axis_name="data"), mesh=mesh, **specs))
    with jax.set_mesh(mesh):
        got = local(*split(mesh, (LOSSES, WHERE, GROUP)))
    parts = [
        oracle(x, KEEP, w, g)
        for x, w, g in zip(*(x.reshape(8, 8) for x in (LOSSES, WHERE, GROUP)), strict=True)
    ]
    assert not np.array_equal(np.concatenate(parts), oracle(LOSSES, KEEP, WHERE, GROUP))
    assert_step(got, np.concatenate(parts))


# Bad input.

TWO = np.array([1.0, 2.0], np.float32)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: hard_example_weights([1, 2], keep=1), TypeError, "losses must be floating point"),
        (lambda: hard_example_weights(TWO, keep=True), TypeError, "keep must be an integer, a num"),
        (lambda: hard_example_weights(TWO, keep=3.0), ValueError, r"integer, must lie in \[0, 1\]"),
        (lambda: hard_example_weights(TWO, keep=np.nan), ValueError, r"must lie in \[0, 1\], got"),
        (lambda: hard_example_weights(TWO, keep=-0.1), ValueError, r"must lie in \[0, 1\], got -0"),
        (lambda: hard_example_weights(TWO, keep=-1), ValueError, "keep must not be negative, got"),
        (lambda: hard_example_weights(TWO, keep=[1, 1]), ValueError, "keep has 2 entries, one per"),
        (
            lambda: hard_example_weights(TWO, keep=[[1]], group=[0, 0]),
            ValueError,
            r"keep must be a scalar, or one entry per group, \[G\], got int32\[1, 1\]",
        ),
        (
            lambda: hard_example_weights(TWO, keep=[1, 1], group=[0, 2]),
            ValueError,
            r"group must lie in \[0, 2\), the groups; got 2 \(1 of 2\)",
        ),
        (
            lambda: hard_example_weights(TWO, keep=1, group=[0, 2**40]),
            ValueError,
            "group has ids beyond 32 bits",
        ),
        (
            lambda: hard_example_weights(TWO, keep=1, group=[0.0, 1.0]),
            TypeError,
            "group must be integers, got float32",
        ),
        (
            lambda: hard_example_weights(TWO, keep=1, group=[0]),
            ValueError,
            r"group must have the shape \[2\] of losses, got int32\[1\]",
        ),
        (
            lambda: hard_example_weights(TWO, keep=1, where=[True]),
            ValueError,
            r"where must have the shape \[2\] of losses",
        ),
        (
            lambda: hard_example_weights(TWO, keep=1, where=TWO),
            TypeError,
            "where must be boolean",
        ),
        (lambda: hard_example_weights(TWO, keep=1, floor=-1), ValueError, "floor must not be neg"),
        (lambda: hard_example_weights(TWO, keep=1, floor=0.5), TypeError, "floor must be integers"),
        (lambda: hard_example_weights(TWO, keep=1, floor=[1, 2]), ValueError, "floor must be a sc"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


CHECKED = jax.jit(checkify.checkify(hard_example_weights))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"keep": np.int32(-2)}, "keep must not be negative, got -2"),
        ({"keep": np.float32(1.5)}, "must lie in [0, 1], got 1.5"),
        ({"keep": np.float32(np.nan)}, "must lie in [0, 1], got nan"),
        ({"keep": np.int32(1), "floor": np.int32(-1)}, "floor must not be negative, got -1"),
    ],
)
def test_traced_numbers_out_of_range_give_nan_and_a_message(arguments, sentence):
    where = np.array([True, False])
    error, got = CHECKED(TWO, where=where, **arguments)
    assert sentence in error.get()
    np.testing.assert_array_equal(got, [np.nan, 0])
    error, _ = CHECKED(TWO, where=where, keep=np.abs(arguments["keep"]) // 2)
    assert error.get() is None or np.isnan(arguments["keep"])


def test_a_traced_group_outside_is_nan_and_no_other():
    losses, group = np.arange(5, dtype=np.float32), np.array([0, 1, -1, 2, 0], np.int32)
    keep = np.array([1, 1], np.int32)
    error, got = CHECKED(losses, keep=keep, group=group)
    assert "group must lie in [0, 2), the groups that keep names" in error.get()
    np.testing.assert_array_equal(got, [0, 1, np.nan, np.nan, 1])
    where = (group == 0) | (group == 1)
    error, got = CHECKED(losses, keep=keep, group=group, where=where)
    assert error.get() is None
    np.testing.assert_array_equal(got, [0, 1, 0, 0, 1])
    host = hard_example_weights(losses, keep=[1, 1], group=group, where=where)
    np.testing.assert_array_equal(host, got)


def test_nan_losses_are_reported_unless_they_are_masked():
    losses, where = np.array([np.nan, 1, 2], np.float32), np.array([False, True, True])
    error, _ = CHECKED(losses, keep=np.int32(1))
    assert "some losses are NaN" in error.get()
    error, _ = CHECKED(losses, keep=np.int32(1), where=where)
    assert error.get() is None
    for given in (losses, losses.tolist()):
        with pytest.warns(UserWarning, match="1 of the losses are NaN"):
            got = hard_example_weights(given, keep=1)
        np.testing.assert_array_equal(got, [0, 0, 1])
        hard_example_weights(given, keep=1, where=where)


def test_more_examples_than_there_are_look_like_a_share():
    with pytest.warns(UserWarning, match=r"keep=70 .*there are 2: all are kept.*as keep=0\.7\."):
        np.testing.assert_array_equal(hard_example_weights(TWO, keep=70), [1, 1])
    with pytest.warns(UserWarning, match=r"there are 2: all are kept\.$"):
        jax.jit(lambda x: hard_example_weights(x, keep=np.int64(256)))(TWO)
    hard_example_weights(TWO, keep=2)
