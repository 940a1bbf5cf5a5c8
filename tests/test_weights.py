"""Class weights against the papers' formulas in 60 digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jimb
from tests.helpers.compilation import as_users
from tests.helpers.weights_oracle import (
    COUNTS,
    HOST,
    TRACED,
    beta_of,
    effective,
    effective_weights,
    normalized,
    one_for_each,
)

# The last four: the rate 1 - β is a few units of float32, one half unit, and nothing.
BETAS = (0, 1e-9, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1 - 2**-20, 1 - 2**-24, 1)
VOLUMES = (1, 1.5, 2, 10, 1e3, 1e6, 2**25, 1e9, 1e12, np.inf)
POWERS = (0, 0.25, 0.5, 1, 2, 3)

number = as_users(jax.vmap(lambda n, b: jimb.effective_number(n, beta=b), (None, 0)))
by_beta = as_users(jax.vmap(lambda n, b: jimb.effective_number_weights(n, beta=b), (None, 0)))
by_volume = as_users(jax.vmap(lambda n, v: jimb.effective_number_weights(n, volume=v), (None, 0)))
by_power = as_users(jax.vmap(lambda n, q: jimb.inverse_frequency_weights(n, power=q), (None, 0)))


# --- effective number and inverse frequency ---------------------------------------------------


def test_effective_number_of_host_numbers_is_exact_to_rounding():
    for beta in BETAS:
        got = jimb.effective_number(COUNTS, beta=beta)
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, [float(effective(n, beta)) for n in COUNTS], rtol=HOST)


def test_effective_number_follows_the_recursion():
    for beta in (0.0, 0.3, 0.99, 0.9999):
        expected = [1.0]
        for _ in range(499):
            expected.append(1 + beta * expected[-1])
        got = jimb.effective_number(np.arange(1, 501), beta=beta)
        np.testing.assert_allclose(got, expected, rtol=7e-8)
    np.testing.assert_array_equal(jimb.effective_number([0, 1], beta=0.9), [0, 1])


def test_traced_effective_number_at_the_float32_beta():
    betas = np.array(BETAS, np.float32)
    expected = [[float(effective(n, float(b))) for n in COUNTS] for b in betas]
    got = number(jnp.array(COUNTS), betas)
    np.testing.assert_allclose(got, expected, rtol=TRACED)


def test_counts_need_not_be_whole():
    """0.5 and 2 by inverse frequency, and with β = 1/2: E = 2 - 2^(1/2), and 3/2."""
    for counts in ([0.5, 2.0], jnp.array([0.5, 2.0])):
        got = jimb.inverse_frequency_weights(counts)
        np.testing.assert_allclose(got, [1.6, 0.4], rtol=TRACED)
        numbers = jimb.effective_number(counts, beta=0.5)
        np.testing.assert_allclose(numbers, [2 - 2**0.5, 1.5], rtol=TRACED)


def test_weights_of_host_numbers_are_exact_to_rounding():
    for beta in BETAS:
        got = jimb.effective_number_weights(COUNTS, beta=beta)
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, effective_weights(COUNTS, one_for_each(beta)), rtol=HOST)


def test_traced_weights_at_the_float32_beta():
    betas = np.array(BETAS, np.float32)
    expected = [effective_weights(COUNTS, one_for_each(float(b))) for b in betas]
    np.testing.assert_allclose(by_beta(jnp.array(COUNTS), betas), expected, rtol=TRACED)


def test_weights_at_a_bfloat16_beta():
    betas = jnp.array([0.5, 0.9, 0.99, 0.996], jnp.bfloat16)
    expected = [effective_weights(COUNTS, one_for_each(float(b))) for b in betas]
    got = by_beta(jnp.array(COUNTS), betas)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, rtol=TRACED)


def test_volume_is_beta_and_stays_exact_where_beta_rounds_to_one():
    expected = [effective_weights(COUNTS, one_for_each(beta_of(v))) for v in VOLUMES]
    got = by_volume(jnp.array(COUNTS), np.array(VOLUMES, np.float32))
    np.testing.assert_allclose(got, expected, rtol=TRACED)
    for volume, row in zip(VOLUMES, expected, strict=True):
        host = jimb.effective_number_weights(COUNTS, volume=volume)
        np.testing.assert_allclose(host, row, rtol=HOST)


def test_volume_tells_apart_what_beta_in_float32_cannot():
    counts = np.array([10**7, 10**9])
    assert np.float32(1 - 1 / 1e9) == 1
    expected = effective_weights(counts, [beta_of(1e9)] * 2)
    assert abs(expected[0] - normalized([1e-7, 1e-9])[0]) > 0.01  # not inverse frequency
    got = by_volume(jnp.asarray(counts), jnp.array([1e9]))[0]
    np.testing.assert_allclose(got, expected, rtol=TRACED)


def test_a_python_beta_keeps_float64_with_device_counts():
    beta = 1 - 1e-9
    got = jimb.effective_number_weights(jnp.array([10**7, 10**9]), beta=beta)
    np.testing.assert_allclose(got, effective_weights([10**7, 10**9], [beta] * 2), rtol=TRACED)


def test_beta_and_volume_per_class():
    betas = [1 - 1 / max(n, 2) for n in COUNTS]
    expected = effective_weights(COUNTS, betas)
    got = jimb.effective_number_weights(COUNTS, beta=np.array(betas))
    np.testing.assert_allclose(got, expected, rtol=HOST)
    got = jimb.effective_number_weights(
        jnp.array(COUNTS), volume=np.maximum(COUNTS, 2).astype(np.float32)
    )
    np.testing.assert_allclose(got, expected, rtol=TRACED)


def test_beta_zero_gives_equal_weights_and_beta_one_inverse_frequency():
    np.testing.assert_array_equal(jimb.effective_number_weights(COUNTS, beta=0), 1)
    np.testing.assert_array_equal(by_beta(jnp.array(COUNTS), jnp.zeros(1))[0], 1)
    with mpmath.workdps(60):
        inverse = normalized([1 / mpmath.mpf(n) for n in COUNTS])
    np.testing.assert_allclose(jimb.effective_number_weights(COUNTS, beta=1), inverse, rtol=HOST)
    np.testing.assert_allclose(by_beta(jnp.array(COUNTS), jnp.ones(1))[0], inverse, rtol=TRACED)


def test_inverse_frequency_to_any_power():
    with mpmath.workdps(60):
        expected = [normalized([mpmath.mpf(n) ** -mpmath.mpf(q) for n in COUNTS]) for q in POWERS]
    got = by_power(jnp.array(COUNTS), np.array(POWERS, np.float32))
    np.testing.assert_allclose(got, expected, rtol=TRACED)
    for power, row in zip(POWERS, expected, strict=True):
        host = jimb.inverse_frequency_weights(COUNTS, power=power)
        np.testing.assert_allclose(host, row, rtol=HOST)


def test_float64_counts_give_float64_weights():
    with jax.enable_x64(True):
        got = jimb.effective_number_weights(np.array(COUNTS), beta=0.999)
        assert got.dtype == jnp.float64
        expected = effective_weights(COUNTS, one_for_each(0.999))
        np.testing.assert_allclose(got, expected, rtol=1e-13)
        assert jimb.inverse_frequency_weights(jnp.ones(2, jnp.float32)).dtype == jnp.float32


def test_weights_are_differentiable_in_beta():
    """Measured 6e-7, at the ends too."""

    def first(beta):
        return jimb.effective_number_weights(jnp.array([100, 5, 1]), beta=beta)[0]

    betas = np.array([0.0, 0.5, 1.0], np.float32)
    step = 1e-6
    inward = np.array([step, step, -step])
    grads = jax.jit(jax.vmap(jax.grad(first)))(betas)
    for beta, grad, h in zip(betas, grads, inward, strict=True):
        values = [effective_weights([100, 5, 1], [beta + i * h] * 3)[0] for i in range(3)]
        one_sided = (-3 * values[0] + 4 * values[1] - values[2]) / (2 * h)
        np.testing.assert_allclose(grad, one_sided, rtol=1e-6)


# --- other tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", [np.asarray, jnp.asarray], ids=["host", "device"])
def test_mean_one_has_mean_one_over_the_data_and_keeps_ratios(where):
    counts, weights = np.array([300, 100, 0, 7]), np.array([1, 3, 5, 0.5], np.float32)
    scaled = np.float64(jimb.mean_one(where(weights), where(counts)))
    np.testing.assert_allclose(np.sum(counts / counts.sum() * scaled), 1, rtol=2e-7)
    np.testing.assert_allclose(scaled / scaled[0], weights, rtol=2e-7)


def test_mean_one_of_nothing_is_refused_or_nan():
    with pytest.raises(ValueError, match="no mean to rescale"):
        jimb.mean_one([0.0, 1.0], [5, 0])
    with pytest.raises(ValueError, match="must both be"):
        jimb.mean_one([1.0], [5, 1])
    assert np.isnan(jimb.mean_one(jnp.array([0.0, 1.0]), jnp.array([5, 0]))).all()


def test_a_single_class_weight_differentiates_by_its_multiplier():
    weights = jax.vmap(lambda m: jimb.single_class_weight(4, 2, m))(jnp.array([0.0, 10.0]))
    np.testing.assert_array_equal(weights, [[1, 1, 0, 1], [1, 1, 10, 1]])
    slope = jax.grad(lambda m: jimb.single_class_weight(4, 2, m).sum())(3.0)
    assert slope == 1
    for bad in ((4, 4, 1.0), (4, -1, 1.0), (4, 0, -1.0)):
        with pytest.raises(ValueError, match="must lie in"):
            jimb.single_class_weight(*bad)


def test_balanced_alpha_is_the_frequency_of_the_other_class():
    assert jimb.balanced_alpha([900, 100]) == np.float32(0.9)
    assert jax.jit(jimb.balanced_alpha)(jnp.array([900, 100])) == np.float32(0.9)
    inverse = np.array([1 / 900, 1 / 100]) / np.sum([1 / 900, 1 / 100])
    np.testing.assert_allclose(jimb.balanced_alpha([900, 100]), inverse[1], rtol=1e-7)
    with pytest.raises(ValueError, match="no example of class 1"):
        jimb.balanced_alpha([5, 0])
    with pytest.raises(ValueError, match=r"must be \[2\]"):
        jimb.balanced_alpha([5, 1, 1])
