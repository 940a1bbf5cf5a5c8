"""Cosines at every scale that a dtype can hold, against float64 and exact powers of two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from tests.helpers.compilation import as_users

RNG = np.random.default_rng(0)
D, K = 16, 5


def digits(shape):
    """Numbers of a few bits, 1 ≤ |x| < 2, that every dtype has at each of its scales."""
    return RNG.integers(16, 32, shape) / 16 * RNG.choice([-1, 1], shape)


KERNEL, UPSTREAM = digits((D, K)), digits((8, K))
FEATURES, DIRECTION = digits((8, D)), digits((8, D))
# The exponents of the eight rows and the five columns; a gradient by 2^-126 is near 2^126.
SCALES = {
    jnp.float32: ([-126, -100, -64, -20, 0, 64, 100, 127], [-126, -60, 0, 70, 127]),
    jnp.bfloat16: ([-126, -100, -64, -20, 0, 64, 100, 127], [-126, -60, 0, 70, 127]),
    jnp.float16: ([-14, -12, -10, -5, 0, 5, 10, 15], [-14, -3, 0, 7, 15]),
    jnp.float64: ([-1022, -900, -500, -20, 0, 500, 900, 1023], [-1022, -60, 0, 511, 1023]),
}


def oracle(f, w, upstream, t):
    """Cosines, the gradients of their weighted sum, and that by f along t, in float64."""
    f_norm, w_norm = (np.linalg.norm(x, axis=a, keepdims=True) for x, a in ((f, 1), (w, 0)))
    f_unit, w_unit = f / f_norm, w / w_norm

    def beside(x, unit, axis):
        return x - unit * np.sum(unit * x, axis, keepdims=True)

    of_f, of_w = upstream @ w_unit.T, f_unit.T @ upstream
    turned = beside(t, f_unit, 1) / f_norm
    along = [np.sum(a * b, 1, keepdims=True) for a, b in ((f_unit, t), (turned, of_f))]
    second = -(along[0] / f_norm) * beside(of_f, f_unit, 1) - f_unit * along[1]
    second -= turned * np.sum(f_unit * of_f, 1, keepdims=True)
    by_f, by_w = beside(of_f, f_unit, 1) / f_norm, beside(of_w, w_unit, 0) / w_norm
    return f_unit @ w_unit, by_f, by_w, second / f_norm


def computed(f, w, upstream, t):
    def gradients(f, w):
        value, pullback = jax.vjp(jimb.cosine_logits, f, w)
        return value, *pullback(upstream.astype(value.dtype))

    (value, by_f, by_w), (_, second, _) = jax.jvp(gradients, (f, w), (t, jnp.zeros_like(w)))
    return value, by_f, by_w, second


@pytest.mark.parametrize(
    "dtype",
    [
        dtype
        if dtype in (jnp.float16, jnp.float32)
        else pytest.param(dtype, marks=pytest.mark.slow)
        for dtype in SCALES
    ],
    ids=lambda dtype: dtype.__name__,
)
def test_values_and_derivatives_are_right_at_every_scale(dtype):
    rows, columns = (np.array(e) for e in SCALES[dtype])
    by_row, by_column = rows[:, None], columns[None]
    expected = oracle(FEATURES, KERNEL, UPSTREAM, DIRECTION)
    with jax.enable_x64(dtype == jnp.float64):
        f, t = (jnp.asarray(np.ldexp(x, by_row), dtype) for x in (FEATURES, DIRECTION))
        w = jnp.asarray(np.ldexp(KERNEL, by_column), dtype)
        found = as_users(computed)(f, w, jnp.asarray(UPSTREAM, dtype), t)
        assert {x.dtype for x in found} == {jnp.dtype(dtype)}
        found = [np.float64(x) for x in found]
    kind = jnp.finfo(dtype)
    eps = float(kind.eps)
    np.testing.assert_allclose(found[0], expected[0], atol=0.75 * eps)
    # The features' direction has their scale, so that the second derivative has 1 over it.
    for got, exact, scale in zip(found[1:], expected[1:], (by_row, by_column, by_row), strict=True):
        exact = np.ldexp(exact, -scale)  # in the largest rows less than the smallest number
        size = np.max(abs(exact), 1 if scale is by_row else 0, keepdims=True)
        assert np.all(abs(got - exact) <= 4 * eps * size + 2 * float(kind.tiny))
    assert np.all(abs(found[1][:-1]).max(1) > 0)


@jax.jit
def half_cosines(f, w):
    """And the gradient by the features."""
    cosines, pullback = jax.vjp(lambda f: jimb.cosine_logits(f, w), f)
    return cosines, pullback(jnp.asarray(UPSTREAM, cosines.dtype))[0]


@pytest.mark.parametrize("norm", [350, 1e-4, 1e-7])
def test_float16_norms_whose_squares_it_does_not_hold(norm):
    f = jnp.asarray(norm * FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True), jnp.float16)
    w = jnp.asarray(KERNEL, jnp.float16)
    exact = oracle(np.float64(f), KERNEL, UPSTREAM, DIRECTION)
    cosines, gradient = half_cosines(f, w)
    np.testing.assert_allclose(cosines, exact[0], atol=5e-4)
    assert not np.isnan(gradient).any()  # of 1e-7 it is beyond float16
    if norm > 1e-5:
        size = abs(exact[1]).max()
        np.testing.assert_allclose(np.float64(gradient), exact[1], atol=2e-3 * size)


def test_tiny_and_huge_entries_in_one_row():
    f = np.float32([[2.0**127, 2.0**-126, 0], [2.0**-126, 1, 2.0**-100], [1e30, 1e25, -2e30]])
    w = np.float32([[2.0**-126, 0, 1], [0, 1e-30, 1e20], [2.0**-126, 1, 2.0**127]])
    exact = oracle(np.float64(f), np.float64(w), np.ones((3, 3)), np.ones((3, 3)))[0]
    np.testing.assert_allclose(jimb.cosine_logits(f, w), exact, rtol=3e-7, atol=1e-37)


@pytest.mark.parametrize(
    "dtype",
    [*(pytest.param(t, marks=pytest.mark.slow) for t in (jnp.float16, jnp.bfloat16)), jnp.float32],
)
def test_no_cosine_is_above_one_and_its_gradient_is_kept(dtype):
    near = np.random.default_rng(1).normal(size=(64, 32))
    f = jnp.asarray(near, dtype)
    w = jnp.asarray(near + 1e-4 * np.random.default_rng(2).normal(size=near.shape), dtype).T

    @as_users
    def both(f, w):
        upstream = jnp.eye(64, dtype=dtype)
        value, pullback = jax.vjp(jimb.cosine_logits, f, w)
        return value, *pullback(upstream), jimb.cosine_logits(f, f.T)

    value, by_f, by_w, own = both(f, w)
    for cosines in (value, own):
        assert np.all(np.arccos(np.float64(cosines)) >= 0)
    assert np.mean(np.diagonal(value) == 1) > 0.5
    exact = oracle(np.float64(f), np.float64(w), np.eye(64), np.ones(f.shape))
    for got, right in ((by_f, exact[1]), (by_w, exact[2])):
        np.testing.assert_allclose(
            np.float64(got), right, rtol=float(jnp.finfo(dtype).eps), atol=2e-7
        )
    # Also where rounding had put the cosine beyond 1.
    assert abs(exact[1]).max() > 5e-6


def test_zero_vectors_have_cosine_and_gradient_zero():
    f, w = np.float32(FEATURES), np.float32(KERNEL)
    f[0], w[:, 1] = 0, 0
    value, pullback = jax.vjp(jax.jit(jimb.cosine_logits), f, w)
    by_f, by_w = pullback(jnp.ones_like(value))
    for zeros in (value[0], value[:, 1], by_f[0], by_w[:, 1]):
        np.testing.assert_array_equal(zeros, 0)
    assert all(np.isfinite(x).all() for x in (value, by_f, by_w))
    assert np.all(jimb.cosine_logits(f[:, :0], w[:0]) == 0)
    assert jimb.cosine_logits(f[:0], w).shape == (0, K)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_nan_in_its_row_alone(bad):
    f = np.float32(FEATURES)
    f[2, 3] = bad
    cosines = np.asarray(jimb.cosine_logits(f, np.float32(KERNEL)))
    np.testing.assert_array_equal(np.isnan(cosines).any(1), np.arange(8) == 2)
    assert np.isnan(cosines[2]).all()


def test_features_and_kernel_may_differ_in_dtype():
    cosines = jimb.cosine_logits(jnp.asarray(FEATURES, jnp.bfloat16), np.float32(KERNEL))
    assert cosines.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.float64(cosines), oracle(FEATURES, KERNEL, UPSTREAM, DIRECTION)[0], atol=4e-3
    )


def test_vmap_is_one_row_after_the_other():
    f, w = np.float32(FEATURES), np.float32(KERNEL)
    rows = jax.jit(jax.vmap(jimb.cosine_logits, (0, None)))(f, w)
    np.testing.assert_allclose(rows, jimb.cosine_logits(f, w), atol=2e-7)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"kernel \[D, K\]"):
        jimb.cosine_logits(FEATURES, KERNEL.T)
