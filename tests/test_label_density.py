"""Weights by the density of targets, against SciPy's Gaussian filter in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from scipy.ndimage import convolve1d, gaussian_filter1d

import jimb

RTOL = 1e-6
TARGETS = np.float32(np.random.default_rng(0).gamma(2.0, 10.0, 500))


def of_scipy(targets, bins, low, high, *, sigma=2.0, radius=2, power=1.0):
    cells = np.clip(np.floor((np.float64(targets) - low) / (high - low) * bins), 0, bins - 1)
    cells = cells.astype(int)
    impulse = np.zeros(201)
    impulse[100] = 1
    window = gaussian_filter1d(impulse, sigma, truncate=90 / sigma)[100 - radius : 101 + radius]
    counts = np.bincount(cells, minlength=bins).astype(np.float64)
    density = convolve1d(counts, window / window.max(), mode="constant")
    weights = density[cells] ** -power
    return weights / weights.mean()


def test_weights_are_those_of_the_filtered_histogram():
    low, high = np.float64(TARGETS.min()), np.float64(TARGETS.max())
    got = jax.jit(lambda x: jimb.label_density_weights(x, num_bins=40))(TARGETS)
    np.testing.assert_allclose(got, of_scipy(TARGETS, 40, low, high), rtol=RTOL)
    assert got.dtype == jnp.float32


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("radius", [0, 2, 7])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 3.0])
def test_kernels_and_powers(sigma, radius, power):
    given = {"sigma": sigma, "radius": radius, "power": power}
    expected = of_scipy(TARGETS, 25, 5.0, 40.0, **given)  # and some targets lie outside
    ends = {"num_bins": 25, "low": 5.0, "high": 40.0}
    host = jimb.label_density_weights(TARGETS, **ends, **given)
    traced = jax.jit(
        lambda x, low, high, sigma, power: jimb.label_density_weights(
            x, num_bins=25, low=low, high=high, sigma=sigma, radius=radius, power=power
        )
    )(TARGETS, 5.0, 40.0, sigma, power)
    for got in (host, traced):
        np.testing.assert_allclose(got, expected, rtol=3e-6)


@pytest.mark.slow
def test_integers_have_a_bin_each():
    ages = np.random.default_rng(1).poisson(30, 400)
    a, b = int(ages.min()), int(ages.max())
    got = jimb.label_density_weights(ages, num_bins=b - a + 1, low=a - 0.5, high=b + 0.5)
    np.testing.assert_allclose(got, of_scipy(ages, b - a + 1, a - 0.5, b + 0.5), rtol=RTOL)
    alone = jimb.label_density_weights(ages, num_bins=b - a + 1, radius=0)
    counts = np.bincount(ages)[ages]
    np.testing.assert_allclose(alone, 1 / counts / np.mean(1 / counts), rtol=RTOL)


@pytest.mark.slow
def test_masked_equal_and_no_targets():
    some = np.arange(500) % 3 > 0
    spoilt = jnp.where(some, TARGETS, jnp.nan)
    got = jax.jit(lambda x, m: jimb.label_density_weights(x, num_bins=9, where=m))(spoilt, some)
    alone = jimb.label_density_weights(TARGETS[some], num_bins=9)
    np.testing.assert_allclose(np.asarray(got)[some], alone, rtol=RTOL)
    assert not np.any(np.asarray(got)[~some])
    np.testing.assert_array_equal(jimb.label_density_weights(jnp.full(4, 7.0), num_bins=9), 1)
    np.testing.assert_array_equal(
        jimb.label_density_weights(jnp.full(4, 7.0), num_bins=9, low=0.0, high=10.0), 1
    )
    nothing = jimb.label_density_weights(jnp.ones(4), num_bins=9, where=jnp.zeros(4, bool))
    np.testing.assert_array_equal(nothing, 0)
    assert jimb.label_density_weights(jnp.zeros(0), num_bins=9).shape == (0,)


@pytest.mark.slow
def test_a_high_power_of_many_targets_stays_finite():
    many = jnp.append(jnp.zeros(100_000), jnp.ones(1))
    got = jimb.label_density_weights(many, num_bins=20, power=10.0)
    np.testing.assert_allclose(got[-1], 100_001, rtol=1e-5)
    assert np.all(np.isfinite(got))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_targets_of_half_precision(dtype):
    targets = jnp.asarray(TARGETS, dtype)
    got = jimb.label_density_weights(targets, num_bins=10, low=0.0, high=64.0)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, of_scipy(targets.astype(jnp.float32), 10, 0, 64), rtol=RTOL)


@pytest.mark.slow
def test_what_is_wrong_is_refused_or_heard():
    f = jimb.label_density_weights
    with pytest.raises(TypeError, match="booleans"):
        f(TARGETS > 3, num_bins=9)
    with pytest.raises(TypeError, match="radius"):
        f(TARGETS, num_bins=9, radius=1.0)
    for given in ({"radius": 9}, {"sigma": 0.0}, {"power": -1.0}, {"low": 1.0, "high": 1.0}):
        with pytest.raises(ValueError, match=next(reversed(given))):
            f(TARGETS, num_bins=9, **given)
    with pytest.raises(ValueError, match="finite, got 1"):
        f([1.0, np.nan], num_bins=9)
    check = jax.jit(checkify.checkify(lambda x, **k: f(x, num_bins=4, **k)))
    error, got = check(jnp.array([1.0, jnp.inf, 2.0]))
    assert "targets must be finite" in error.get()
    np.testing.assert_array_equal(got, [1, np.nan, 1])
    error, got = check(jnp.array([1.0, 2.0]), low=jnp.float32(1), high=jnp.float32(0))
    assert "high must be above low" in error.get()
    assert np.all(np.isnan(got))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_on_a_mesh(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    targets = jnp.asarray(TARGETS[:496])
    expected = jimb.label_density_weights(targets, num_bins=12)
    with jax.set_mesh(mesh):
        on_devices = jax.device_put(targets, NamedSharding(mesh, P("data")))
        got = jax.jit(lambda x: jimb.label_density_weights(x, num_bins=12))(on_devices)
        assert got.sharding.spec == P("data")
    np.testing.assert_allclose(got, expected, rtol=RTOL)
