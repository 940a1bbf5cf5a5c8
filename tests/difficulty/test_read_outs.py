"""What weights say: effective sample size, class prior, summary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import difficulty
from tests.helpers.difficulty_oracle import f64

RNG = np.random.default_rng(0)
N, K = 1_280_000, 1000
LABELS = np.sort(RNG.zipf(1.3, N) % (K - 1)).astype(np.int32)
LABELS[-1] = K - 1  # a class of one example
WEIGHTS = {
    "uniform": np.ones(N, np.float32),
    "lognormal": RNG.lognormal(size=N).astype(np.float32),
    "six decades": (10.0 ** -RNG.uniform(0, 6, N)).astype(np.float32),
}
class_prior = jax.jit(difficulty.class_prior, static_argnums=2)


def oracle_prior(weights, labels=LABELS, num_classes=K):
    sums = np.bincount(labels, f64(weights), num_classes)
    return sums / sums.sum()


@pytest.mark.parametrize("kind", WEIGHTS)
def test_a_class_prior_of_a_million_examples(kind):
    expected = oracle_prior(WEIGHTS[kind])
    got = f64(class_prior(WEIGHTS[kind], LABELS, K))
    # Measured 5.9e-7. A sum in float32, one example after the other, is off by up to 4e-3.
    assert np.max(np.abs(got / expected - 1)) <= 8e-7
    assert abs(got.sum() - 1) <= 1e-6


def test_host_weights_and_device_weights_give_the_same_prior():
    weights, labels = WEIGHTS["lognormal"][:1000], LABELS[:1000]
    host = difficulty.class_prior(weights.tolist(), labels, K)
    np.testing.assert_allclose(host, oracle_prior(weights, labels), rtol=1e-6, atol=1e-9)


def test_a_weight_of_zero_excludes_even_a_bad_label():
    weights, labels = np.array([1.0, 0.0, 3.0]), np.array([0, -100, 1])
    for given in (weights, jnp.asarray(weights)):
        prior = difficulty.class_prior(given, labels if given is weights else jnp.array(labels), 2)
        np.testing.assert_allclose(prior, [0.25, 0.75])


@pytest.mark.parametrize(
    "kind", [pytest.param(AxisType.Auto, marks=pytest.mark.slow), AxisType.Explicit]
)
def test_read_outs_of_sharded_weights_equal_the_unsharded(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    weights, labels = WEIGHTS["six decades"][:80_000], LABELS[:80_000]
    summarize = jax.jit(difficulty.summarize_weights, static_argnums=2)
    expected = summarize(weights, labels, K)
    with jax.set_mesh(mesh):
        split = jax.device_put((weights, labels), NamedSharding(mesh, P("data")))
        got = summarize(*split, K)
    np.testing.assert_array_equal(got.class_prior, expected.class_prior)
    for one, other in zip(got[:3], expected[:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_effective_sample_size_is_kishs(scale):
    w = RNG.lognormal(size=1000).astype(np.float32)
    expected = f64(w).sum() ** 2 / (f64(w) ** 2).sum()
    got = jax.jit(difficulty.effective_sample_size)(w * np.float32(scale))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_extremes_of_the_effective_sample_size():
    assert difficulty.effective_sample_size(np.full(5, 0.3, np.float32)) == 5
    assert difficulty.effective_sample_size(np.eye(5, dtype=np.float32)[2]) == 1
    assert difficulty.effective_sample_size(jnp.zeros(5)) == 0
    for size in (1e-30, 1e30):  # their squares leave float32
        assert difficulty.effective_sample_size(jnp.array([0, size, size])) == 2


def test_a_summary_is_the_formulas():
    weights, labels = WEIGHTS["lognormal"][:1000], LABELS[:1000]
    summary = difficulty.summarize_weights(weights, labels, K)
    w = f64(weights)
    np.testing.assert_allclose(summary.effective_share, w.sum() ** 2 / (w**2).sum() / 1000, 1e-6)
    np.testing.assert_allclose(summary.largest_share, w.max() / w.sum(), 1e-6)
    np.testing.assert_allclose(summary.class_prior, oracle_prior(weights, labels), 1e-6, 1e-9)


def test_a_summary_of_weights_that_are_all_0():
    summary = jax.jit(difficulty.summarize_weights, static_argnums=2)(jnp.zeros(2), np.arange(2), 2)
    np.testing.assert_array_equal(summary[:3], 0)
    assert np.isnan(summary.class_prior).all()


def test_no_gradient_flows():
    labels = np.array([0, 1, 1])

    def readings(w):
        summary = difficulty.summarize_weights(w, labels, 2)
        return sum(jnp.sum(x) for x in jax.tree.leaves(summary))

    np.testing.assert_array_equal(jax.grad(readings)(jnp.array([1.0, 2.0, 3.0])), 0)


def test_bad_input_is_refused():
    labels = np.array([0, 1])
    for bad in ([-1.0, 1.0], [np.nan, 1.0], [np.inf, 1.0]):
        for fn in (difficulty.class_prior, difficulty.summarize_weights):
            with pytest.raises(ValueError, match="weights must lie in"):
                fn(np.array(bad), labels, 2)
        with pytest.raises(ValueError, match="weights must lie in"):
            difficulty.effective_sample_size(np.array(bad))
    with pytest.raises(ValueError, match="all 0"):
        difficulty.class_prior(np.zeros(2), labels, 2)
    with pytest.raises(ValueError, match="labels must lie in"):
        difficulty.class_prior(np.ones(2), np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="labels must have the shape"):
        difficulty.class_prior(np.ones(3), labels, 2)
    with pytest.raises(ValueError, match="num_classes must be at least 1"):
        difficulty.class_prior(np.ones(2), labels, 0)
    with pytest.raises(TypeError, match="weights must be floating"):
        difficulty.class_prior(np.array([1, 2]), labels, 2)
    with pytest.raises(ValueError, match="one number per example"):
        difficulty.effective_sample_size(np.ones((2, 2)))


def test_traced_weights_that_are_none_give_nan_and_a_message():
    checked = jax.jit(checkify.checkify(lambda w: difficulty.class_prior(w, np.array([0, 1]), 2)))
    for bad in ([0.0, 0.0], [-1.0, 1.0], [np.nan, 1.0]):
        error, prior = checked(jnp.array(bad))
        assert "weights must" in error.get()
        assert np.isnan(prior).all()
