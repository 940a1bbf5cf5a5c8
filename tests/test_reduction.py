"""The weighted mean: what it divides by, and what it leaves out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers.compilation import as_users

RNG = np.random.default_rng(0)
VALUES = RNG.gamma(2, 1, (64, 10)).astype(np.float32)
WEIGHTS = RNG.exponential(1, (64, 10)).astype(np.float32)
MASK = RNG.random((64, 10)) < 0.7

# A float32 sum of 640 numbers, in an order that the compiler chooses by the processor: measured
# 9.6e-8 on one, 5.3e-7 on another.
SUM = 8e-7

mean = as_users(jimb.weighted_mean)


def oracle(values, weights=1.0, where=True, normalizer=None):
    """`Σ m·w·v / Σ m·w` in float64, over the elements that are left."""
    values = np.asarray(values, np.float64)

    def spread(x):
        x = np.asarray(x)
        return np.broadcast_to(x.reshape(x.shape + (1,) * (values.ndim - x.ndim)), values.shape)

    kept = spread(where) & (spread(weights) != 0)
    w = spread(weights)[kept].astype(np.float64)
    denominator = w.sum() if normalizer is None else normalizer
    return np.sum(w * values[kept]) / denominator if kept.any() else 0.0


@pytest.mark.parametrize(
    ("weights", "where"),
    [
        (None, None),
        (WEIGHTS, None),
        (None, MASK),
        (WEIGHTS, MASK),
        (WEIGHTS[:, 0], None),
        (WEIGHTS[:, 0], MASK[:, 0]),
        (WEIGHTS, MASK[:, 0]),
        (WEIGHTS[:, 0], MASK),
        (np.float32(2.5), MASK),
    ],
)
@pytest.mark.parametrize("normalizer", [None, pytest.param(37.0, marks=pytest.mark.slow)])
def test_value_for_every_shape_of_weights_and_where(weights, where, normalizer):
    expected = oracle(
        VALUES, 1.0 if weights is None else weights, True if where is None else where, normalizer
    )
    got = mean(VALUES, weights, where=where, normalizer=normalizer)
    assert got.shape == ()
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, rtol=SUM)


def test_row_weights_still_divide_by_elements():
    ones = np.ones_like(VALUES)
    np.testing.assert_allclose(mean(ones, WEIGHTS[:, 0]), 1, rtol=3e-7)
    assert mean(ones, None, where=None, normalizer=64.0) == 10


def test_python_and_integer_input():
    assert jimb.weighted_mean([1.0, 3.0], [1, 3]) == 2.5
    assert jimb.weighted_mean(2.0) == 2.0
    assert jimb.weighted_mean([1.0, 3.0], [True, False]) == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("route", ["weight", "where", "row weight", "row where"])
def test_an_excluded_element_reaches_neither_value_nor_gradient(bad, route):
    values, weights, keep = VALUES.copy(), WEIGHTS.copy(), np.ones(VALUES.shape, bool)
    keep[3] = False
    if not route.startswith("row"):
        keep[5, 7] = False
    values[~keep] = bad
    if "weight" in route:
        weights[~keep] = 0
    rows = route.startswith("row")
    given = weights[:, 0] if rows else weights
    where = (keep[:, 0] if rows else keep) if "where" in route else None
    expected = oracle(values, given, True if where is None else where)

    got, (by_values, by_weights) = value_and_grads(values, given, where)
    np.testing.assert_allclose(got, expected, rtol=SUM)
    effective = np.broadcast_to(given[:, None] if rows else given, values.shape) * keep
    # d/dv = w / Σw, exactly 0 where excluded; measured 1.3e-7 relative elsewhere.
    np.testing.assert_array_equal(np.asarray(by_values)[~keep], 0)
    np.testing.assert_allclose(by_values, effective / effective.sum(dtype=float), rtol=5e-7)
    assert np.isfinite(by_weights).all()
    if "where" in route:
        excluded = ~keep[:, 0] if rows else ~keep
        np.testing.assert_array_equal(np.asarray(by_weights)[excluded], 0)


@jax.jit
def value_and_grads(values, weights, where):
    return jax.value_and_grad(lambda v, w: jimb.weighted_mean(v, w, where=where), (0, 1))(
        values, weights
    )


def test_gradient_by_weights():
    _, (_, by_weights) = value_and_grads(VALUES, WEIGHTS, MASK)
    total = WEIGHTS[MASK].sum(dtype=float)
    expected = np.where(MASK, (VALUES - oracle(VALUES, WEIGHTS, MASK)) / total, 0)
    # Up to 1.5e-2, by differences of near numbers: measured 1.5e-9 absolute.
    np.testing.assert_allclose(by_weights, expected, rtol=0, atol=3e-9)


def test_a_masked_weight_may_be_nan_or_negative():
    weights = jnp.array([1.0, jnp.nan, -1.0])
    where = jnp.array([True, False, False])
    got, (by_values, by_weights) = value_and_grads(jnp.array([2.0, 5.0, 7.0]), weights, where)
    assert got == 2.0
    np.testing.assert_array_equal(by_values, [1, 0, 0])
    np.testing.assert_array_equal(by_weights, [0, 0, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_value_that_is_kept_is_visible(bad):
    assert not np.isfinite(mean(np.array([1.0, bad], np.float32), np.ones(2, np.float32)))


@pytest.mark.parametrize("normalizer", [None, 0.0, 4.0])
@pytest.mark.parametrize("by", ["weights", "where"])
def test_nothing_left_gives_zero_with_zero_gradient(by, normalizer):
    values = jnp.array([1.0, jnp.nan, jnp.inf])
    weights = jnp.zeros(3) if by == "weights" else jnp.ones(3)
    where = jnp.zeros(3, bool) if by == "where" else None

    def loss(v, w, normalizer):
        return jimb.weighted_mean(v, w, where=where, normalizer=normalizer)

    gradient = jax.jit(jax.value_and_grad(loss, (0, 1)))
    got, (by_values, by_weights) = gradient(values, weights, normalizer)
    assert got == 0
    np.testing.assert_array_equal(by_values, 0)
    assert np.isfinite(by_weights).all()


def test_no_elements_give_zero():
    assert jimb.weighted_mean(jnp.zeros((0, 3)), jnp.zeros(0)) == 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (0, "normalizer must be positive and finite, between .* got 0; .* max\\(1, count\\)"),
        (np.int32(0), "must be positive and finite"),
        (-1.0, "must be positive and finite"),
        (np.nan, "must be positive and finite"),
        (np.inf, "must be positive and finite"),
        (1e300, "must be positive and finite, between 1.2e-38 and 8.5e\\+37"),
        (1e-60, "must be positive and finite, between 1.2e-38 and 8.5e\\+37"),
        (np.ones(1), "normalizer must be a scalar, got float64\\[1\\]"),
        ([1, 2], "must be a scalar"),
        (jnp.ones(1), "must be a scalar"),
    ],
)
def test_a_normalizer_of_the_host_that_cannot_divide_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        jimb.weighted_mean(VALUES, normalizer=bad)


@pytest.mark.parametrize(
    "bad", [True, np.bool_(True), "2", ["2"], np.array(None), 1j, jnp.array(True), jnp.array(1j)]
)
def test_a_normalizer_that_is_no_number_is_refused(bad):
    with pytest.raises(TypeError, match=r"normalizer must be a|parameter 'normalizer'"):
        jimb.weighted_mean(VALUES, normalizer=bad)


def test_a_traced_normalizer_that_cannot_divide_is_visible_and_has_a_message():
    def both(v, n):
        return jax.value_and_grad(lambda v: jimb.weighted_mean(v, normalizer=n))(v)

    told = jax.jit(checkify.checkify(both))
    for bad, expected in [(0.0, np.inf), (-1.0, np.nan), (np.nan, np.nan), (np.inf, np.nan)]:
        error, (got, gradient) = told(VALUES, np.float32(bad))
        np.testing.assert_equal(float(got), expected)
        assert not np.isfinite(gradient).any()
        assert "normalizer must" in error.get()
    error, (got, _) = told(VALUES, np.float32(64))
    assert error.get() is None
    np.testing.assert_allclose(got, oracle(VALUES, normalizer=64), rtol=SUM)


@pytest.mark.parametrize("number", [37, 37.0, np.int64(37), np.float16(37), np.array(37, np.uint8)])
def test_a_normalizer_of_any_kind_of_number(number):
    expected = oracle(VALUES, normalizer=37)
    np.testing.assert_allclose(jimb.weighted_mean(VALUES, normalizer=number), expected, rtol=SUM)
    got = jimb.weighted_mean(VALUES, normalizer=jnp.asarray(number))
    np.testing.assert_allclose(got, expected, rtol=SUM)


def test_the_least_normalizer():
    floored = as_users(
        lambda v, n, least: jimb.weighted_mean(v, normalizer=n, min_normalizer=least)
    )
    for n, least in [(0, 1), (0.25, 0.5), (3, 1), (1, 1), (7, 9.5)]:
        expected = oracle(VALUES, normalizer=max(n, least))
        for count in (n, np.float32(n)):
            got = jimb.weighted_mean(VALUES, normalizer=count, min_normalizer=least)
            np.testing.assert_allclose(got, expected, rtol=SUM)
        np.testing.assert_allclose(floored(VALUES, n, least), expected, rtol=SUM)
    # Of the sum of weights, too; and nothing left is still 0.
    few = np.where(np.arange(64) < 2, np.float32(0.25), 0)
    got = jimb.weighted_mean(VALUES[:, 0], few, min_normalizer=1)
    np.testing.assert_allclose(got, few @ VALUES[:, 0].astype(np.float64), rtol=SUM)
    assert jimb.weighted_mean(VALUES, where=np.zeros(64, bool), min_normalizer=1) == 0
    for bad in (0, -1, np.nan):
        with pytest.raises(ValueError, match="min_normalizer must be positive"):
            jimb.weighted_mean(VALUES, min_normalizer=bad)


def test_normalizer_is_differentiable():
    grad = jax.grad(lambda n: jimb.weighted_mean(jnp.array([1.0, 3.0]), normalizer=n))(2.0)
    assert grad == -1.0  # -Σ v / n²


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_accumulates_and_returns_float32(dtype):
    values = RNG.uniform(0, 2, 100_000).astype(dtype)
    got, gradient = jax.jit(jax.value_and_grad(jimb.weighted_mean))(values)
    assert got.dtype == jnp.float32
    assert gradient.dtype == dtype
    # Measured 6.4e-8 relative, 1.02e-7 by jaxlib 0.10.1; sums in the input's own precision stall
    # long before 100000.
    np.testing.assert_allclose(got, np.asarray(values, np.float64).mean(), rtol=1.1e-7)


def test_weights_of_another_precision_are_cast():
    for dtype in (jnp.bfloat16, np.int32):
        got = mean(VALUES, np.asarray(WEIGHTS, dtype))
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, oracle(VALUES, np.asarray(WEIGHTS, dtype)), rtol=1e-6)


def test_float64_stays_float64():
    with jax.enable_x64(True):
        values = VALUES.astype(np.float64) * np.pi
        got = mean(values, WEIGHTS, where=MASK)
        assert got.dtype == jnp.float64
        np.testing.assert_allclose(got, oracle(values, WEIGHTS, MASK), rtol=1e-14)
        assert mean(VALUES, WEIGHTS.astype(np.float64)).dtype == jnp.float32


def test_micro_batch_sums_make_the_mean_of_the_whole():
    parts = [slice(i, i + 16) for i in range(0, 64, 16)]
    numerator = sum(mean(VALUES[i], WEIGHTS[i], where=MASK[i], normalizer=1) for i in parts)
    denominator = sum(
        mean(np.ones_like(VALUES[i]), WEIGHTS[i], where=MASK[i], normalizer=1) for i in parts
    )
    np.testing.assert_allclose(numerator / denominator, oracle(VALUES, WEIGHTS, MASK), rtol=1e-6)


@pytest.mark.parametrize("scale", [2e-30, 1e20, 1e35])
def test_weights_of_every_scale(scale):
    weights = WEIGHTS * np.float32(scale)
    for given in (weights, jnp.asarray(weights)):
        np.testing.assert_allclose(mean(VALUES, given), oracle(VALUES, weights), rtol=SUM)


@pytest.mark.parametrize("scale", [1e-42, 1e-38, 1e-31, 2e37, 1e38])
def test_weights_whose_sum_is_out_of_range_are_refused_or_visible(scale):
    weights = np.full(8, scale)
    values = np.full(8, 1e-3, np.float32)
    with pytest.raises(ValueError, match="weights must be at least"):
        jimb.weighted_mean(values, weights)
    told = jax.jit(checkify.checkify(jax.value_and_grad(jimb.weighted_mean)))
    error, (got, gradient) = told(values, weights.astype(np.float32))
    assert "weights must be at least 7.9e-31" in error.get()
    assert np.isnan(got)
    assert np.isnan(gradient).all()
    with jax.enable_x64(True):
        np.testing.assert_allclose(mean(values.astype(float), weights), 1e-3, rtol=1e-7)


def test_a_weighted_sum_that_overflows_has_a_message():
    told = jax.jit(checkify.checkify(jimb.weighted_mean))
    error, got = told(np.array([10, 30], np.float32), np.array([3e37, 3e37], np.float32))
    assert "weights times values must have a finite sum, got inf" in error.get()
    assert got == np.inf
    error, got = told(np.array([np.inf, 30], np.float32), np.ones(2, np.float32))
    assert error.get() is None  # a loss of inf is the caller's to see
    assert got == np.inf


def test_weights_below_the_normal_numbers_count_as_nothing_beside_others():
    weights = np.array([1e-40, 1, 3])
    for given in (weights, jnp.asarray(weights, jnp.float32)):
        assert mean(np.array([7, 1, 5], np.float32), given) == 4


# Beyond 2²⁴ a float32 count that adds one by one stands still. Measured 6e-8.
@pytest.mark.parametrize(
    "by", ["where", *(pytest.param(by, marks=pytest.mark.slow) for by in ("elements", "weights"))]
)
def test_a_count_beyond_float32_s_integers(by):
    size = 2**25 + 17
    ones, marked = jnp.ones(size), jnp.zeros(size).at[::1024].set(1)
    options = {"elements": {}, "where": {"where": ones == 1}, "weights": {"weights": ones}}[by]
    got = as_users(jimb.weighted_mean)(marked, **options)
    np.testing.assert_allclose(got, (2**15 + 1) / size, rtol=2e-7)


def test_nothing_is_counted_in_integers():
    """Which would wrap at 2³¹ elements."""
    jaxpr = jax.make_jaxpr(lambda v, w, m: jimb.weighted_mean(v, w, where=m))(VALUES, WEIGHTS, MASK)
    sums = [e for e in jaxpr.jaxpr.eqns if e.primitive.name == "reduce_sum"]
    assert len(sums) == 3
    assert {e.outvars[0].aval.dtype for e in sums} == {np.dtype(np.float32)}


@pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_valid_input_raises_no_alarm(transform):
    def both(values, weights, where, n):
        def loss(values, weights):
            few = jimb.weighted_mean(values, weights, where=where, normalizer=n, min_normalizer=1)
            return jimb.weighted_mean(values, weights, where=where) + few

        return jax.value_and_grad(loss, (0, 1))(values, weights)

    calls = [(VALUES, WEIGHTS, MASK, np.int32(0)), (VALUES, WEIGHTS, MASK & False, np.int32(0))]
    with jax.debug_nans(True), jax.debug_infs(True):
        for arguments in calls:
            transform(both)(*map(jnp.asarray, arguments))
    checks = checkify.index_checks | checkify.float_checks | checkify.user_checks
    told = jax.jit(checkify.checkify(both, errors=checks))
    for arguments in calls:
        assert told(*arguments)[0].get() is None


def test_vmap_equals_a_loop():
    got = jax.jit(jax.vmap(lambda v, w, m: jimb.weighted_mean(v, w, where=m)))(
        VALUES, WEIGHTS, MASK
    )
    expected = [oracle(*row) for row in zip(VALUES, WEIGHTS, MASK, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=2e-6)


def test_negative_host_weights_raise():
    for weights in ([1.0, -1.0], np.array([1.0, -1e-30]), np.array([1, -1])):
        with pytest.raises(ValueError, match=r"weights must lie in \[0, inf\)"):
            jimb.weighted_mean(jnp.ones(2), weights)


def test_negative_traced_weights_give_nan_and_a_message():
    weights = jnp.array([1.0, -1.0])
    error, got = jax.jit(checkify.checkify(jimb.weighted_mean))(jnp.ones(2), weights)
    assert np.isnan(got)
    assert "weights must lie in [0, inf)" in error.get()


def test_wrong_shapes_and_types_are_refused():
    values = np.ones((4, 3), np.float32)
    for shape in [(3,), (4, 1), (1, 3), (4, 3, 1)]:
        with pytest.raises(ValueError, match=r"weights must have the shape of values, \[4, 3\]"):
            jimb.weighted_mean(values, np.ones(shape, np.float32))
        with pytest.raises(ValueError, match="where must have the shape of values"):
            jimb.weighted_mean(values, where=np.ones(shape, bool))
    with pytest.raises(TypeError, match="where must be boolean"):
        jimb.weighted_mean(values, where=np.ones(4))
    with pytest.raises(TypeError, match="values must be floating point"):
        jimb.weighted_mean(np.ones(4, np.int32))
    with pytest.raises(ValueError, match="normalizer must be a scalar"):
        jimb.weighted_mean(values, normalizer=np.ones(1))
