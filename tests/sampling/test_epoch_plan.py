"""Epoch plans: how often each position is visited, exactly and on average, and in what order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb import sampling
from jimb.sampling._fixed_point import expected_counts

UNIT = 2**32
KEY = jax.random.key(0)

epoch_plan = jax.jit(sampling.epoch_plan, static_argnums=2)
checked_plan = jax.jit(checkify.checkify(lambda w: sampling.epoch_plan(KEY, w, 5)))
fixed_point = jax.jit(expected_counts, static_argnums=1)


def weights_of(kind, num_examples):
    rng = np.random.default_rng(0)
    if kind == "uniform":
        return np.full(num_examples, 0.1)
    if kind == "lognormal":
        return rng.lognormal(0, 2, num_examples)
    if kind == "six decades":
        return 10 ** rng.uniform(-6, 0, num_examples)
    if kind == "some zero":
        return np.where(rng.random(num_examples) < 0.3, 0, rng.random(num_examples))
    shares = 0.6 ** np.arange(10)
    labels = rng.choice(10, num_examples, p=shares / shares.sum())
    return 1 / np.bincount(labels, minlength=10)[labels]


KINDS = ("uniform", "lognormal", "six decades", "class-balanced", "some zero")


def assert_promises(plan, weights, num):
    """`Σ n_i = num`, `|n_i - num·w_i/Σw| < 1`, weight 0 never, positions inside."""
    plan, weights = np.asarray(plan), np.asarray(weights, np.float64)
    assert plan.dtype == np.int32
    assert plan.shape == (num,)
    assert plan.min() >= 0
    assert plan.max() < len(weights)
    visits = np.bincount(plan, minlength=len(weights))
    assert np.max(np.abs(visits - num * (weights / weights.sum()))) < 1
    assert not visits[weights == 0].any()


# --- how often each position is visited ---------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("num_examples", "num"), [(1000, 1000), (1000, 70), (1000, 12_345), (100_000, 100_000)]
)
def test_every_plan_visits_each_example_its_expected_times_up_to_one(kind, num_examples, num):
    weights = weights_of(kind, num_examples).astype(np.float32)
    for seed in range(3):
        assert_promises(epoch_plan(jax.random.key(seed), jnp.asarray(weights), num), weights, num)


@pytest.mark.parametrize("kind", ["six decades", "class-balanced"])
def test_plans_from_numpy_float64_weights(kind):
    weights = weights_of(kind, 1000)
    assert_promises(sampling.epoch_plan(KEY, weights, 1000), weights, 1000)


def test_equal_weights_visit_each_example_exactly_once():
    for num_examples in (1000, 100_000):
        weights = np.full(num_examples, 0.1, np.float32)
        plan = np.asarray(epoch_plan(KEY, weights, num_examples))
        np.testing.assert_array_equal(np.sort(plan), np.arange(num_examples))


def padded(*weights):
    """Few weights in a table of 1000, so that the tests share one compiled plan."""
    return np.pad(np.array(weights, np.float32), (0, 1000 - len(weights)))


def test_whole_expectations_are_visited_exactly():
    for seed in range(5):
        plan = epoch_plan(jax.random.key(seed), padded(0.25, 0, 1), 1000)
        np.testing.assert_array_equal(np.bincount(plan), [200, 0, 800])


def test_a_single_example_takes_every_visit():
    np.testing.assert_array_equal(epoch_plan(KEY, np.array([1e-30], np.float32), 4), [0] * 4)
    np.testing.assert_array_equal(epoch_plan(KEY, padded(0, 0, 1e-30), 1000), [2] * 1000)


@pytest.mark.parametrize("scale", [2.0**-100, 1e-30, 1e30, 3e38])
def test_the_scale_of_the_weights_does_not_matter(scale):
    weights = (weights_of("some zero", 1000) * scale).astype(np.float32)
    for plan in (epoch_plan, sampling.epoch_plan):  # on the device, and from host numbers
        assert_promises(plan(KEY, weights, 1000), weights, 1000)


def test_half_precision_weights():
    for dtype in (jnp.float16, jnp.bfloat16):
        weights = jnp.asarray(weights_of("lognormal", 1000), dtype)
        assert_promises(epoch_plan(KEY, weights, 1000), weights, 1000)


def test_float64_device_weights():
    with jax.enable_x64(True):
        weights = weights_of("six decades", 1000)
        assert_promises(epoch_plan(KEY, jnp.asarray(weights), 1000), weights, 1000)


# --- on average ---------------------------------------------------------------------------------


def fixed_point_errors(weights, num):
    """Expectations less `num·w_i/Σw` in units of 2⁻³², and their total, in integer arithmetic."""
    host = weights.dtype == np.float64
    whole, fraction = (expected_counts if host else fixed_point)(weights, num)
    whole, fraction = np.asarray(whole).tolist(), np.asarray(fraction).tolist()
    units = [w * UNIT + f for w, f in zip(whole, fraction, strict=True)]
    mantissa, exponent = np.frexp(weights.astype(np.float64))
    exponent -= exponent.min()
    exact = [int(m * 2**53) << int(e) for m, e in zip(mantissa, exponent, strict=True)]
    total = sum(exact)
    errors = [float(u * total - num * UNIT * w) for u, w in zip(units, exact, strict=True)]
    expected = [float(num * UNIT * w) for w in exact]
    return np.array(errors) / float(total), np.array(expected) / float(total), sum(units)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_expected_visits_are_exact_to_a_few_units_of_fixed_point(kind, dtype):
    weights = weights_of(kind, 1000).astype(dtype)
    for num in (1000, 1_000_003):
        errors, _, total = fixed_point_errors(weights, num)
        assert total == num * UNIT
        assert np.max(np.abs(errors)) <= 2  # measured 1.7
        assert not errors[weights == 0].any()


def test_expected_visits_when_few_are_drawn():
    # Rounding leaves up to N/2 units, which go to the examples far from a whole expectation.
    for dtype in (np.float32, np.float64):
        weights = weights_of("lognormal", 1000).astype(dtype)
        errors, expected, total = fixed_point_errors(weights, 1)
        assert total == UNIT
        assert np.max(np.abs(errors)) <= 8  # measured 5.8
        assert np.max(np.abs(errors) / expected) <= 1e-3  # measured 6.8e-4


def test_the_rarest_of_a_hundred_thousand_keeps_its_expectation_to_a_thousandth():
    weights = weights_of("six decades", 100_000).astype(np.float32)
    errors, expected, total = fixed_point_errors(weights, 100_000)
    assert total == 100_000 * UNIT
    assert np.max(np.abs(errors) / expected) < 1e-3  # measured 8.3e-6


def test_whole_expectations_stay_whole():
    for weights, num in [
        (np.repeat(np.arange(10, dtype=np.float32), 100), 4500 * 300),
        (np.full(1000, 0.1, np.float32), 4500 * 300),
        (np.repeat(np.arange(10, dtype=np.float64), 100), 4500 * 300),
        (np.full(1000, 0.1), 4_500_000),
    ]:
        errors, _, _ = fixed_point_errors(weights, num)
        np.testing.assert_array_equal(errors, 0)


def test_the_mean_over_keys_is_the_expectation():
    num = 20
    weights = weights_of("lognormal", 20).astype(np.float32)
    keys = jax.random.split(KEY, 4000)
    plans = jax.jit(jax.vmap(lambda k: sampling.epoch_plan(k, jnp.asarray(weights), num)))(keys)
    visits = np.stack([np.bincount(plan, minlength=20) for plan in np.asarray(plans)])
    expected = num * weights.astype(np.float64) / weights.sum(dtype=np.float64)
    fraction = expected % 1
    deviation = np.sqrt(fraction * (1 - fraction) / 4000)
    assert np.all(np.abs(visits.mean(0) - expected) <= 4 * deviation + 1e-9)  # measured 1.8
    assert np.abs(visits - expected).max() < 1


# --- order and seeds ----------------------------------------------------------------------------


def test_the_same_key_gives_the_same_plan_and_another_key_another():
    weights = jnp.asarray(weights_of("lognormal", 1000), jnp.float32)
    first, again, other = (epoch_plan(jax.random.key(s), weights, 1000) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.mean(np.asarray(first) == np.asarray(other)) < 0.05


def test_jit_does_not_change_the_plan():
    weights = jnp.asarray(weights_of("six decades", 1000), jnp.float32)
    np.testing.assert_array_equal(
        sampling.epoch_plan(KEY, weights, 1000), epoch_plan(KEY, weights, 1000)
    )


@pytest.mark.parametrize("kind", ["uniform", "lognormal"])
def test_the_order_is_shuffled(kind):
    weights = jnp.asarray(weights_of(kind, 1000), jnp.float32)
    for seed in range(3):
        plan = np.asarray(epoch_plan(jax.random.key(seed), weights, 1000), np.float64)
        slots = np.arange(1000)
        # Each is about normal with deviation 1/√1000 = 0.032 in a random order.
        assert abs(np.corrcoef(plan, slots)[0, 1]) < 0.13
        assert abs(np.corrcoef(plan[:-1], plan[1:])[0, 1]) < 0.13
        half = np.sort(plan[:500]), np.sort(plan[500:])
        assert np.ptp(half[0]) > 900
        assert np.ptp(half[1]) > 900


def test_every_host_reads_its_own_share():
    weights = jnp.asarray(weights_of("lognormal", 1000), jnp.float32)
    plan = np.asarray(epoch_plan(KEY, weights, 1000))
    shares = np.concatenate([plan[h::8] for h in range(8)])
    np.testing.assert_array_equal(np.sort(shares), np.sort(plan))


def test_vmap_over_keys_and_weights_equals_a_loop():
    tables = jnp.asarray(
        np.stack([weights_of(kind, 1000) for kind in ("lognormal", "some zero")]), jnp.float32
    )
    keys = jax.random.split(KEY, 2)
    plans = jax.jit(jax.vmap(lambda k, w: sampling.epoch_plan(k, w, 1000)))(keys, tables)
    for plan, key, table in zip(plans, keys, tables, strict=True):
        np.testing.assert_array_equal(plan, epoch_plan(key, table, 1000))


# --- wrong input --------------------------------------------------------------------------------


def test_wrong_host_weights_raise():
    for bad in ([1.0, -1.0], np.array([1.0, np.nan]), np.array([np.inf, 1.0])):
        with pytest.raises(ValueError, match="weights must lie in"):
            sampling.epoch_plan(KEY, bad, 4)
    with pytest.raises(ValueError, match="weights are all 0"):
        sampling.epoch_plan(KEY, np.zeros(3), 4)


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
def test_weights_of_wrong_shape_or_type_are_refused(asarray):
    for shape in ((), (0,), (2, 3)):
        with pytest.raises(ValueError, match="one number per example"):
            sampling.epoch_plan(KEY, asarray(np.ones(shape, np.float32)), 4)
    for values in (np.array([1, 2], np.int32), np.array([True])):
        with pytest.raises(TypeError, match="weights must be floating point"):
            sampling.epoch_plan(KEY, asarray(values), 4)


def test_num_is_a_positive_int():
    for bad in (2.0, True, "4"):
        with pytest.raises(TypeError):
            sampling.epoch_plan(KEY, jnp.ones(3), bad)
    for bad in (0, -1, 2**31):
        with pytest.raises(ValueError, match="num must lie in"):
            sampling.epoch_plan(KEY, jnp.ones(3), bad)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_traced_weights_that_are_no_weights_give_positions_outside_and_a_message(bad):
    error, plan = checked_plan(np.array([1.0, bad, 2.0], np.float32))
    np.testing.assert_array_equal(plan, [3] * 5)
    assert "weights must lie in" in error.get()


def test_traced_weights_that_are_all_zero_give_positions_outside_and_a_message():
    error, plan = checked_plan(np.zeros(3, np.float32))
    np.testing.assert_array_equal(plan, [3] * 5)
    assert error.get() is not None
    assert "weights" in error.get()


def test_subnormal_device_weights_are_drawn_or_refused_but_not_garbled():
    # XLA may flush them to zero, and then there is nothing to draw.
    weights = padded(1e-40, 1e-38, 3e-39)
    plan = np.asarray(epoch_plan(KEY, weights, 1000))
    if not (plan == 1000).all():
        assert_promises(plan, weights, 1000)


# --- class weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
@pytest.mark.parametrize(("num_classes", "num"), [(10, 50_000), (100, 10_847), (2, 1000), (3, 49)])
def test_class_weights_are_refused(asarray, num_classes, num):
    """They would visit the first K examples, and no other."""
    weights = asarray(np.ones(num_classes, np.float32))
    with pytest.raises(ValueError, match=r"jimb\.take_class\(weights, labels\).*num_examples=\d"):
        sampling.epoch_plan(KEY, weights, num)
    with pytest.raises(ValueError, match=rf"one per example, \[{num}\], got \[{num_classes}\]"):
        sampling.epoch_plan(KEY, weights, num, num_examples=num)


def test_many_visits_are_planned_where_the_number_of_examples_is_confirmed():
    weights = np.array([1.0, 0.0, 3.0], np.float32)
    plan = sampling.epoch_plan(KEY, weights, 800, num_examples=3)
    np.testing.assert_array_equal(np.bincount(plan), [200, 0, 600])
    assert_promises(sampling.epoch_plan(KEY, weights, 48), weights, 48)
    for wrong in (2, 4):
        with pytest.raises(ValueError, match=r"weights must be one per example"):
            sampling.epoch_plan(KEY, weights, 8, num_examples=wrong)


def test_host_weights_that_float32_does_not_hold_are_refused():
    for weights in (np.array([1.0, 1e-40]), [1e-300, 1.0]):
        with pytest.raises(ValueError, match=r"weights must be 0 or at least 1.2e-38"):
            sampling.epoch_plan(jax.random.key(0), weights, 4)
