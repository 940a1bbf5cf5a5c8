"""Derivatives of the effective number and its weights, against the formula in 80 digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jimb
from tests.helpers.compilation import as_users

COUNTS = [0, 1, 2, 3, 5, 10, 17, 100, 1000, 12345, 10**6, 10**9, 10**12, 2**53]
BETAS = [0, 1e-3, 0.1, 0.3, 0.5, 0.6, 0.7, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 0.99999]
BETAS += [1 - 1e-6, 1 - 2**-22, 1 - 2**-23, 1 - 2**-24, 1]
FINE = [1 - 1e-9, 1 - 1e-12, 1 - 2**-53]  # of float64 alone
FRACTIONAL = [0.5, 1.01, 1.5, 2.5]
VOLUMES = [1.0, 1.5, 2, 10, 1e3, 1e6, 2**25, 1e9, 1e12, 1e30, 3e38, np.inf]
LONG_TAIL = [1, 2, 17, 1000, 10**6, 2**53]


def slope(n, rate):
    """`∂E/∂β`, with `rate = 1 - β` as it is in the caller's precision."""
    if rate == 0:
        return n * (n - 1) / 2
    beta = 1 - rate
    if beta == 0:
        return mpmath.mpf(n > 1)
    return ((1 - beta**n) / rate - n * beta ** (n - 1)) / rate


def curvature(n, rate):
    """`∂²E/∂β²`."""
    if rate == 0:
        return n * (n - 1) * (n - 2) / 3
    beta = 1 - rate
    if beta == 0:
        return mpmath.mpf(2 * (n > 2))
    return (2 * slope(n, rate) - n * (n - 1) * beta ** (n - 2)) / rate


def of_all(function, counts, betas, dtype):
    with mpmath.workdps(80):
        rates = [1 - mpmath.mpf(float(b)) for b in np.array(betas, dtype)]
        counts = [mpmath.mpf(float(n)) for n in np.array(counts, dtype)]
        # Not every derivative of float32 is a float32.
        return np.array([[float(function(n, r)) for n in counts] for r in rates])


def number(n, beta):
    return jimb.effective_number(jnp.reshape(n, 1), beta=beta)[0]


def over(function):
    return as_users(jax.vmap(jax.vmap(function, (0, None)), (None, 0)))


first, second = (over(jax.grad(f, 1)) for f in (number, lambda n, b: jax.grad(number, 1)(n, b)))


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 6e-7), (np.float64, 2.5e-14)])
def test_the_slope_by_beta_at_every_beta_and_count(dtype, rtol):
    """Measured 4.7e-7, and 1.7e-14."""
    with jax.enable_x64(dtype == np.float64):
        betas = BETAS + (FINE if dtype == np.float64 else [])
        got = first(np.array(COUNTS, dtype), np.array(betas, dtype))
        np.testing.assert_allclose(got, of_all(slope, COUNTS, betas, dtype), rtol=rtol)


def test_the_slopes_that_were_reported():
    """2.0 for 1, and 48 for 45, in float32."""
    got = first(np.array([2, 10], np.float32), np.array([0.9999999], np.float32))
    np.testing.assert_allclose(got, [[1, 45]], rtol=2e-6)


def test_the_slope_at_counts_that_are_not_whole():
    """Measured 8.5e-7."""
    betas = BETAS[2:]
    got = first(np.array(FRACTIONAL, np.float32), np.array(betas, np.float32))
    expected = of_all(slope, FRACTIONAL, betas, np.float32)
    np.testing.assert_allclose(got, expected, rtol=1.2e-6)


@pytest.mark.parametrize(
    ("dtype", "rtol", "atol"),
    [
        (np.float32, 1.2e-5, 7e-6),
        pytest.param(np.float64, 1e-13, 1e-13, marks=pytest.mark.slow),
    ],
)
def test_the_second_derivative(dtype, rtol, atol):
    """Measured 8.4e-6 and 6.8e-14; that of 2^53 examples is beyond float32."""
    with jax.enable_x64(dtype == np.float64):
        counts = COUNTS if dtype == np.float64 else COUNTS[:-2]
        got = second(np.array(counts, dtype), np.array(BETAS, dtype))
        np.testing.assert_allclose(got, of_all(curvature, counts, BETAS, dtype), rtol, atol)


# --- weights ------------------------------------------------------------------------------------


def weight_slopes(rates):
    """`∂w/∂β` of `w = K v / Σv` with `v = 1 / E`, and the size of the terms that it is of."""
    rows, sizes = [], []
    with mpmath.workdps(80):
        for rate in rates:
            number = [n if rate == 0 else (1 - (1 - rate) ** n) / rate for n in LONG_TAIL]
            v = [1 / mpmath.mpf(e) for e in number]
            dv = [-slope(mpmath.mpf(n), rate) * x**2 for n, x in zip(LONG_TAIL, v, strict=True)]
            total, change, k = mpmath.fsum(v), mpmath.fsum(dv), len(v)
            parts = [(k * d / total, k * x * change / total**2) for d, x in zip(dv, v, strict=True)]
            rows.append([float(a - b) for a, b in parts])
            sizes.append([float(max(abs(a), abs(b))) for a, b in parts])
    return np.array(rows), np.array(sizes)


def weights_by(name):
    return jax.jacobian(
        lambda x: jimb.effective_number_weights(jnp.array(LONG_TAIL, jnp.float32), **{name: x})
    )


by_beta, by_volume = (as_users(jax.vmap(weights_by(name))) for name in ("beta", "volume"))


def test_weights_by_beta():
    """Measured 3.8e-7 of the terms."""
    betas = np.array(BETAS, np.float32)
    expected, sizes = weight_slopes([1 - mpmath.mpf(float(b)) for b in betas])
    assert np.all(np.abs(by_beta(betas) - expected) <= 6e-7 * sizes + 1e-30)


def test_weights_by_volume():
    """`∂β/∂N = N^-2`; measured 3.8e-7 of the terms."""
    volumes = np.array(VOLUMES, np.float32)
    with mpmath.workdps(80):
        rates = [1 / mpmath.mpf(float(v)) for v in volumes]
    expected, sizes = weight_slopes(rates)
    squares = np.array([[float(r) ** 2] for r in rates])
    got = by_volume(volumes)
    # What is below float32's smallest normal number is 0.
    assert np.all(np.abs(got - expected * squares) <= 6e-7 * sizes * squares + 2e-38)


@pytest.mark.slow
def test_second_derivatives_of_weights_are_finite():
    for name, values in (("beta", BETAS), ("volume", VOLUMES)):
        curved = jax.jit(jax.vmap(jax.jacobian(weights_by(name))))(np.array(values, np.float32))
        assert np.all(np.isfinite(curved)), name


def test_a_fraction_of_an_example_counts_as_one_at_beta_0():
    """`(1 - 0^n) / (1 - 0)`."""
    for counts in ([0.5, 3.0, 0.0], jnp.array([0.5, 3.0, 0.0])):
        np.testing.assert_array_equal(jimb.effective_number(counts, beta=0.0), [1, 1, 0])


def test_device_counts_take_a_python_beta_as_exactly_as_host_counts():
    """Measured 1.6e-7; β itself in float32 is off by 1.7e-4 here."""
    counts = np.array([10, 1000, 10**6])
    exact = -np.expm1(counts * np.log1p(-1e-4)) / 1e-4
    found = jimb.effective_number(jnp.asarray(counts), beta=0.9999)
    np.testing.assert_allclose(found, exact, rtol=1.7e-7)
