"""Class weights against the papers' formulas in 60 digits, and what empty classes do."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.experimental import checkify

import jimb

COUNTS = (1, 2, 3, 7, 30, 100, 999, 5000, 12345, 10**6, 10**8, 10**9)
# The last four: the rate 1 - β is a few units of float32, one half unit, and nothing.
BETAS = (0, 1e-9, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1 - 2**-20, 1 - 2**-24, 1)
VOLUMES = (1, 1.5, 2, 10, 1e3, 1e6, 2**25, 1e9, 1e12, np.inf)
POWERS = (0, 0.25, 0.5, 1, 2, 3)

HOST = 6e-8  # half a unit of float32: computed in float64 and rounded once
TRACED = 4e-7  # measured 3.6e-7 at most, on jax 0.10 and 0.12


def effective(n, beta):
    """`(1 - β^n) / (1 - β)`."""
    with mpmath.workdps(60):
        n, beta = mpmath.mpf(int(n)), mpmath.mpf(beta)
        return n if beta == 1 else (1 - beta**n) / (1 - beta)


def normalized(weights):
    """Scaled to sum to the number of classes that have weight."""
    with mpmath.workdps(60):
        total = mpmath.fsum(weights)
        return np.array([float(w * sum(map(bool, weights)) / total) for w in weights])


def effective_weights(counts, betas):
    return normalized(
        [1 / effective(n, b) if n else mpmath.mpf(0) for n, b in zip(counts, betas, strict=True)]
    )


def beta_of(volume):
    with mpmath.workdps(60):
        return 1 - 1 / mpmath.mpf(volume) if np.isfinite(volume) else mpmath.mpf(1)


def one_for_each(beta):
    return [beta] * len(COUNTS)


number = jax.jit(jax.vmap(lambda n, b: jimb.effective_number(n, beta=b), (None, 0)))
by_beta = jax.jit(jax.vmap(lambda n, b: jimb.effective_number_weights(n, beta=b), (None, 0)))
by_volume = jax.jit(jax.vmap(lambda n, v: jimb.effective_number_weights(n, volume=v), (None, 0)))
by_power = jax.jit(jax.vmap(lambda n, q: jimb.inverse_frequency_weights(n, power=q), (None, 0)))
TRACEABLE = {
    "inverse frequency": jimb.inverse_frequency_weights,
    "beta": lambda n, **kw: jimb.effective_number_weights(n, beta=0.99, **kw),
    "volume": lambda n, **kw: jimb.effective_number_weights(n, volume=1e3, **kw),
}


# --- values -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_weights_sum_to_the_number_of_non_empty_classes(weights):
    for counts in ([5], [0, 7], [3, 0, 900, 0, 10**9], COUNTS):
        filled = np.count_nonzero(counts)
        host = weights(counts, allow_empty=True)
        np.testing.assert_allclose(np.asarray(host, np.float64).sum(), filled, rtol=1e-7)
    traced = weights(jnp.array([3, 0, 900, 0, 10**9]))
    np.testing.assert_allclose(np.asarray(traced, np.float64).sum(), 3, rtol=3e-7)


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_one_class_has_weight_one(weights):
    for count in (1, 3, 10**9):
        np.testing.assert_array_equal(weights([count]), [1])
    np.testing.assert_allclose(jax.jit(weights)(jnp.array([5])), [1], rtol=1e-7)


def test_float64_counts_give_float64_weights():
    with jax.enable_x64(True):
        got = jimb.effective_number_weights(np.array(COUNTS), beta=0.999)
        assert got.dtype == jnp.float64
        expected = effective_weights(COUNTS, one_for_each(0.999))
        np.testing.assert_allclose(got, expected, rtol=1e-13)
        assert jimb.inverse_frequency_weights(jnp.ones(2, jnp.float32)).dtype == jnp.float32


def test_weights_are_differentiable_in_beta():
    def first(beta):
        return jimb.effective_number_weights(jnp.array([100, 5]), beta=beta)[0]

    grads = jax.jit(jax.vmap(jax.grad(first)))(jnp.array([0.0, 0.5, 0.99, 1.0]))
    assert np.isfinite(grads).all()
    step = 1e-6
    slope = [effective_weights([100, 5], [0.5 + s] * 2)[0] for s in (step, -step)]
    np.testing.assert_allclose(grads[1], (slope[0] - slope[1]) / (2 * step), rtol=1e-5)


# --- empty classes ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_empty_classes_in_host_counts_are_named(weights):
    with pytest.raises(ValueError, match=r"no example of class 1, 3 \(2 of 4 classes empty\)"):
        weights([4, 0, 2, 0])
    with pytest.raises(ValueError, match="class 0"):
        weights(np.array([0, 3]))


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_an_empty_class_has_weight_zero_and_leaves_the_others_alone(weights):
    without = np.asarray(weights([40, 2, 700]))
    for got in (
        weights([40, 0, 2, 700, 0], allow_empty=True),
        weights(jnp.array([40, 0, 2, 700, 0])),
    ):
        np.testing.assert_array_equal(np.asarray(got)[[1, 4]], 0)
        np.testing.assert_allclose(np.asarray(got)[[0, 2, 3]], without, rtol=TRACED)


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_only_empty_classes_give_zero_weights(weights):
    np.testing.assert_array_equal(weights([0, 0], allow_empty=True), [0, 0])
    np.testing.assert_array_equal(weights(jnp.zeros(5, jnp.int32)), np.zeros(5))


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_a_traced_empty_class_leaves_a_message_unless_allowed(weights):
    for allow_empty in (False, True):
        check = jax.jit(checkify.checkify(functools.partial(weights, allow_empty=allow_empty)))
        message = check(jnp.array([3, 0]))[0].get()
        assert message is None if allow_empty else "empty class" in message


# --- wrong input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=1.01)),
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=-0.1)),
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=float("nan"))),
        ("beta", lambda: jimb.effective_number_weights(jnp.array([1, 2]), beta=[0.5, 2.0])),
        ("beta", lambda: jimb.effective_number([1, 2], beta=1.01)),
        ("volume", lambda: jimb.effective_number_weights([1, 2], volume=0.9)),
        ("power", lambda: jimb.inverse_frequency_weights([1, 2], power=-1.0)),
        ("counts", lambda: jimb.inverse_frequency_weights([1, -2])),
        ("counts", lambda: jimb.effective_number_weights(np.array([1, -2]), beta=0.9)),
        ("counts", lambda: jimb.effective_number([np.inf, 1], beta=0.9)),
    ],
)
def test_wrong_host_numbers_raise(name, call):
    with pytest.raises(ValueError, match=f"{name} must lie in"):
        call()


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_wrong_traced_counts_give_nan_and_a_message(weights):
    check = jax.jit(checkify.checkify(weights))
    for bad in (-2.0, np.nan, np.inf):
        error, got = check(np.array([1.0, bad], np.float32))
        assert np.isnan(got).any()
        assert "counts must lie in" in error.get()


@pytest.mark.parametrize("name", ["beta", "volume", "power"])
def test_a_wrong_traced_parameter_gives_nan_and_a_message(name):
    weights = jimb.inverse_frequency_weights if name == "power" else jimb.effective_number_weights
    check = jax.jit(checkify.checkify(lambda v: weights(jnp.array([1, 2]), **{name: v})))
    for bad in {"beta": (1.5, -0.1, np.nan), "volume": (0.5,), "power": (-1.0,)}[name]:
        error, got = check(np.float32(bad))
        np.testing.assert_array_equal(got, [np.nan, np.nan])
        assert f"{name} must lie in" in error.get()


@pytest.mark.parametrize("asarray", [np.array, jnp.array])
@pytest.mark.parametrize("shape", [(), (0,), (1, 2)])
def test_counts_must_be_one_number_per_class(asarray, shape):
    counts = asarray(np.ones(shape))
    for weights in TRACEABLE.values():
        with pytest.raises(ValueError, match=r"counts must be one number per class"):
            weights(counts)
    with pytest.raises(ValueError, match=r"counts must be one number per class"):
        jimb.effective_number(counts, beta=0.5)


@pytest.mark.parametrize("asarray", [np.array, jnp.array])
def test_parameters_must_be_scalar_or_one_per_class(asarray):
    for name in ("beta", "volume"):
        with pytest.raises(ValueError, match="scalar or one number per class"):
            jimb.effective_number_weights([1, 2], **{name: asarray([1.0, 1.0, 1.0])})
    with pytest.raises(ValueError, match="power"):
        jimb.inverse_frequency_weights([1, 2], power=asarray([1.0, 1.0, 1.0]))


def test_exactly_one_of_beta_and_volume_is_given():
    with pytest.raises(TypeError, match="exactly one of beta and volume"):
        jimb.effective_number_weights([1, 2])
    with pytest.raises(TypeError, match="exactly one of beta and volume"):
        jimb.effective_number_weights([1, 2], beta=0.9, volume=10.0)


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


def test_host_counts_with_an_empty_class_are_refused_under_a_traced_beta_too():
    with pytest.raises(ValueError, match="no example of class 1"):
        jax.vmap(lambda b: jimb.effective_number_weights(np.array([5, 0]), beta=b))(jnp.ones(2))
