"""Kernels over their norms and scaled logits, against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.posthoc import scale_logits, tau_normalize
from tests.helpers.compilation import as_users

RNG = np.random.default_rng(0)
KERNEL = np.float32(RNG.normal(size=(32, 5)) * [10, 3, 1, 0.3, 0.01])
Z = np.float32(RNG.normal(0, 5, (16, 5)))
SCALES = np.float32([1, 0.5, 2, -1, 0])

normalized = jax.jit(tau_normalize)


def by_hand(kernel, tau):
    return np.float64(kernel) / np.linalg.norm(np.float64(kernel), axis=0) ** tau


@pytest.mark.parametrize("tau", [0.0, 0.3, 0.7, 1.0, 2.0])
def test_columns_are_divided_by_a_power_of_their_norm(tau):
    got = normalized(KERNEL, tau=tau)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, by_hand(KERNEL, tau), rtol=1e-6)  # 6e-7 measured
    np.testing.assert_allclose(tau_normalize(KERNEL, tau=tau), by_hand(KERNEL, tau), rtol=1e-6)


def test_the_default_gives_norm_one():
    np.testing.assert_allclose(np.linalg.norm(tau_normalize(KERNEL), axis=0), 1, rtol=3e-7)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_tau_zero_leaves_every_bit(dtype):
    kernel = jnp.asarray(KERNEL, dtype).at[0].set(-0.0).at[:, 1].set(0)
    got = normalized(kernel, tau=0.0)
    assert got.dtype == dtype
    np.testing.assert_array_equal(
        np.asarray(got).view(f"u{dtype.dtype.itemsize}"),
        np.asarray(kernel).view(f"u{dtype.dtype.itemsize}"),
    )


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_in_float32(dtype):
    kernel = jnp.asarray(KERNEL, dtype)
    expected = jnp.asarray(np.float32(by_hand(kernel, 0.5)), dtype)
    got = normalized(kernel, tau=0.5)
    assert got.dtype == dtype
    np.testing.assert_allclose(np.float32(got), np.float32(expected), rtol=jnp.finfo(dtype).eps)


@pytest.mark.parametrize("tau", [0.0, 0.3, 0.5, 1.0, 1.9])
def test_columns_of_every_scale(tau):
    """From the smallest normal number to the largest, also where the norm itself overflows."""
    exponents = np.array([-126, -100, -64, 0, 64, 100, 127])
    base = np.ldexp(RNG.integers(16, 32, (32, 7)), -4) * RNG.choice([-1, 1], (32, 7))
    kernel, direction = np.float32(np.ldexp(base, exponents)), RNG.integers(-4, 5, (32, 7))

    @as_users
    def both(kernel, tau):
        def total(kernel, tau):
            return jnp.sum(np.float32(direction) * tau_normalize(kernel, tau=tau), axis=0)

        value, pullback = jax.vjp(total, kernel, tau)
        return tau_normalize(kernel, tau=tau), *pullback(jnp.ones_like(value))

    value, by_kernel, by_tau = map(np.float64, both(kernel, tau))
    w, norm = np.float64(kernel), np.linalg.norm(np.float64(kernel), axis=0)
    along = (direction * w).sum(0)
    # 3e-6 measured: the exponent multiplies the rounding of τ.
    np.testing.assert_allclose(value, by_hand(kernel, tau), rtol=1e-5, atol=2e-38)
    with np.errstate(over="ignore"):
        expected = direction / norm**tau - tau * along * w / norm**2 / norm**tau
    size = np.minimum(abs(expected).max(0), 3e38)
    honest = (abs(expected) < 1e38).all(0)
    assert np.all((abs(by_kernel - expected) <= 2e-5 * size + 2e-38)[:, honest])
    assert not np.isnan(by_kernel).any()
    logs = -(along * np.log(norm) / norm**tau)
    if abs(logs).max() < 1e38:
        np.testing.assert_allclose(by_tau, logs.sum(), rtol=1e-5, atol=1e-5 * abs(logs).max())


def test_gradients_are_those_of_the_formula():
    direction = RNG.normal(size=KERNEL.shape)

    def total(kernel, tau):
        return jnp.sum(np.float32(direction) * tau_normalize(kernel, tau=tau))

    by_kernel, by_tau = jax.jit(jax.grad(total, argnums=(0, 1)))(KERNEL, 0.7)
    w, norm = np.float64(KERNEL), np.linalg.norm(np.float64(KERNEL), axis=0)
    along = (direction * w).sum(0)
    expected = direction / norm**0.7 - 0.7 * along * w / norm**2.7
    np.testing.assert_allclose(by_kernel, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())
    np.testing.assert_allclose(by_tau, -(along * np.log(norm) / norm**0.7).sum(), rtol=2e-5)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_a_column_of_zeros_stays_with_finite_gradients(tau):
    kernel = np.where(np.arange(5) == 2, np.float32(0), KERNEL)
    np.testing.assert_array_equal(normalized(kernel, tau=tau)[:, 2], 0)
    np.testing.assert_allclose(
        np.delete(normalized(kernel, tau=tau), 2, 1),
        by_hand(np.delete(kernel, 2, 1), tau),
        rtol=1e-6,
    )
    total = jax.grad(lambda w, t: tau_normalize(w, tau=t).sum(), argnums=(0, 1))
    by_kernel, by_tau = jax.jit(total)(kernel, tau)
    assert np.isfinite(by_kernel).all()
    assert np.isfinite(by_tau)
    np.testing.assert_array_equal(by_kernel[:, 2], 1)
    assert np.isfinite(jax.jit(jax.hessian(lambda t: tau_normalize(kernel, tau=t).sum()))(tau))


def test_vmap_over_tau():
    taus = np.float32([0, 0.5, 1])
    got = jax.jit(jax.vmap(lambda t: tau_normalize(KERNEL, tau=t)))(taus)
    np.testing.assert_allclose(got, [by_hand(KERNEL, t) for t in taus], rtol=1e-6)


# Scales.


def test_logits_are_multiplied_by_their_class():
    np.testing.assert_array_equal(scale_logits(Z, SCALES), Z * SCALES)
    half = scale_logits(jnp.asarray(Z, jnp.bfloat16), SCALES)
    assert half.dtype == jnp.bfloat16
    expected = np.asarray(jnp.asarray(Z, jnp.bfloat16), np.float32) * SCALES
    np.testing.assert_array_equal(half, jnp.asarray(expected, jnp.bfloat16))


def test_logits_that_are_not_finite_stay_and_leave_the_gradient_clean():
    z = np.float32([[-np.inf, 1e4, -1e4, -np.inf, -np.inf], [np.inf, 0, 1, np.nan, 2]])
    got = scale_logits(z, SCALES)
    np.testing.assert_array_equal(
        got, [[-np.inf, 5e3, -2e4, -np.inf, -np.inf], [np.inf, 0, 2, np.nan, 0]]
    )

    def loss(z, s):
        return -jax.nn.log_softmax(scale_logits(z, s)[:1])[0, 1]

    for gradient in jax.jit(jax.grad(loss, argnums=(0, 1)))(z, SCALES):
        assert np.isfinite(gradient).all()


def test_the_gradient_by_the_scales_is_that_of_the_formula():
    labels = np.arange(16) % 5
    p = np.exp(Z * np.float64(SCALES))
    p /= p.sum(1, keepdims=True)
    expected = ((p - np.eye(5)[labels]) * Z).mean(0)

    def loss(s):
        picked = jax.nn.log_softmax(scale_logits(Z, s))[np.arange(16), labels]
        return -jnp.mean(picked)

    np.testing.assert_allclose(jax.jit(jax.grad(loss))(SCALES), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_on_a_mesh(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    with jax.set_mesh(mesh):
        z = jax.device_put(Z, NamedSharding(mesh, P("data")))
        kernel = jax.device_put(KERNEL, NamedSharding(mesh, P()))
        scaled, head = jax.jit(scale_logits)(z, SCALES), normalized(kernel, tau=0.5)
        by_scales = jax.jit(jax.grad(lambda s, z: (scale_logits(z, s) ** 2).sum()))(SCALES, z)
    assert scaled.sharding.is_equivalent_to(z.sharding, 2)
    np.testing.assert_array_equal(scaled, Z * SCALES)
    np.testing.assert_allclose(head, by_hand(KERNEL, 0.5), rtol=1e-6)
    np.testing.assert_allclose(by_scales, 2 * (np.float64(Z) ** 2 * SCALES).sum(0), rtol=1e-6)


# Wrong input.


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tau_normalize(KERNEL[0]), ValueError, r"kernel must be \[features, K\]"),
        (lambda: tau_normalize(KERNEL, tau=-1), ValueError, r"tau must lie in \[0, inf\), got -1"),
        (lambda: tau_normalize(KERNEL, tau=[1.0] * 5), ValueError, "tau must be a scalar"),
        (lambda: tau_normalize([[1, 2]]), TypeError, "kernel must be floating point"),
        (lambda: scale_logits(Z, SCALES[:3]), ValueError, r"scales must have the shape \[5\]"),
        (lambda: scale_logits(Z, [1, 1, 1, 1, 1]), TypeError, "scales must be floating point"),
        (lambda: scale_logits([[1, 2]], SCALES), TypeError, "logits must be floating point"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_traced_negative_tau_gives_nan_and_a_message():
    unit = np.zeros((4, 2), np.float32)
    unit[0, 0] = 1  # 1 to the power of NaN is 1, and a zero column has no norm
    error, got = checkify.checkify(jax.jit(lambda t: tau_normalize(unit, tau=t)))(-1.0)
    assert np.isnan(got).all()
    assert "tau must lie in [0, inf)" in error.get()
