"""Weights to draw with: class powers, mixing with the uniform distribution, clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.sampling import class_power, clip_quantile, mix_uniform

RNG = np.random.default_rng(0)
COUNTS = np.array([5000, 700, 41, 3, 0])
LABELS = RNG.permutation(np.repeat(np.arange(5), COUNTS)).astype(np.int32)
WEIGHTS = np.where(RNG.random(1000) < 0.1, 0, RNG.lognormal(0, 2, 1000)).astype(np.float32)
POWERS = [1.0, 0.5, 0.0, -1.0]


def class_power_oracle(power):
    """Class c with probability `n_c^power / Σ n^power`, shared by its n_c examples."""
    n = COUNTS[:4].astype(np.float64)
    return (n**power / np.sum(n**power) / n)[LABELS]


@pytest.mark.parametrize("power", POWERS)
def test_class_power_is_the_papers(power):
    expected = class_power_oracle(power)
    for counts in (COUNTS, jnp.asarray(COUNTS)):
        got = class_power(LABELS, counts, power=power)
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, expected, rtol=1.5e-7)  # measured 8.8e-8
    np.testing.assert_allclose(np.sum(np.asarray(got, np.float64)), 1, rtol=5e-8)  # 2.7e-8


def test_class_power_with_a_traced_power_under_vmap():
    powers = jnp.array(POWERS)
    got = jax.jit(jax.vmap(lambda p: class_power(LABELS, COUNTS, power=p)))(powers)
    for row, power in zip(got, POWERS, strict=True):
        np.testing.assert_allclose(row, class_power_oracle(power), rtol=1.5e-7)  # measured 8.8e-8


def test_a_progressive_mix_is_a_sum():
    mixed = 0.25 * class_power(LABELS, COUNTS, power=1) + 0.75 * class_power(
        LABELS, COUNTS, power=0
    )
    of_class = np.bincount(LABELS, weights=np.asarray(mixed, np.float64), minlength=5)
    np.testing.assert_allclose(
        of_class[:4], 0.25 * COUNTS[:4] / 5744 + 0.75 / 4, rtol=1.5e-7
    )  # 7.8e-8


def test_class_power_of_a_label_outside_is_nan():
    got = class_power(np.array([0, 5, -1], np.int32), COUNTS, power=0)
    np.testing.assert_array_equal(np.isnan(got), [False, True, True])


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_mix_uniform_keeps_what_is_excluded_out(amount):
    w = WEIGHTS.astype(np.float64)
    expected = np.where(w > 0, (1 - amount) * w / w.sum() + amount / np.sum(w > 0), 0)
    got = mix_uniform(WEIGHTS, amount=amount)
    np.testing.assert_allclose(got, expected, rtol=3e-7)  # measured 1.7e-7
    np.testing.assert_array_equal(np.asarray(got)[w == 0], 0)


@pytest.mark.parametrize("q", [0.0, 0.5, 0.95, 1.0])
def test_clip_quantile_is_numpys_over_the_weights_above_0(q):
    limit = np.quantile(WEIGHTS[WEIGHTS > 0].astype(np.float64), q)
    # Where between two weights the quantile lies is a float32: measured 3.0e-6.
    got = clip_quantile(WEIGHTS, q=q)
    np.testing.assert_allclose(got, np.minimum(WEIGHTS, limit), rtol=4e-6)


def test_all_weights_0_stay_0():
    for got in (mix_uniform(np.zeros(3), amount=0.5), clip_quantile(np.zeros(3), q=0.5)):
        np.testing.assert_array_equal(got, np.zeros(3))


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_sharded_examples(axis_type):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    sharded = NamedSharding(mesh, P("data"))
    labels, weights = LABELS[:1000], WEIGHTS

    @jax.jit
    def run(labels, weights):
        return (
            class_power(labels, COUNTS, power=0.5),
            mix_uniform(weights, amount=0.2),
            clip_quantile(weights, q=0.9),
        )

    expected = run(labels, weights)
    with jax.set_mesh(mesh):
        got = run(jax.device_put(labels, sharded), jax.device_put(weights, sharded))
    for one, other in zip(got, expected, strict=True):
        if axis_type == AxisType.Explicit:  # Auto leaves the layout to the compiler
            assert jax.typeof(one).sharding.spec == P("data")
        np.testing.assert_allclose(one, other, rtol=3e-7)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: class_power(LABELS, COUNTS, power=1.5), "power must lie in"),
        (lambda: class_power(LABELS, np.zeros(3), power=0), "counts are all 0"),
        (lambda: class_power(LABELS, [[1]], power=0), "counts must be one number per class"),
        (lambda: mix_uniform(WEIGHTS, amount=1.1), r"amount must lie in \[0, 1\], got 1.1"),
        (lambda: mix_uniform(-WEIGHTS, amount=0.1), "weights must lie in"),
        (lambda: mix_uniform(np.ones((2, 2)), amount=0.1), r"one number per example, \[N\]"),
        (lambda: clip_quantile(WEIGHTS, q=-0.1), r"q must lie in \[0, 1\], got -0.1"),
        (lambda: clip_quantile(WEIGHTS, q=np.ones(2)), "q must be a scalar"),
    ],
)
def test_bad_input_says_what_is_wrong(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("fn", "bad"),
    [
        (lambda x: class_power(LABELS, COUNTS, power=x), 2.0),
        (lambda x: mix_uniform(WEIGHTS, amount=x), -1.0),
        (lambda x: clip_quantile(WEIGHTS, q=x), 2.0),
        (lambda x: clip_quantile(x * WEIGHTS, q=0.5), -1.0),
    ],
)
def test_traced_bad_numbers_give_nan_and_a_message(fn, bad):
    error, got = jax.jit(checkify.checkify(fn))(jnp.float32(bad))
    assert "must lie in" in error.get()
    assert np.isnan(np.asarray(got)).any()
