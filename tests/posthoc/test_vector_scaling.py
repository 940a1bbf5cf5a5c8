"""Scales and biases of the highest likelihood, against SciPy's minimum in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from scipy.optimize import minimize
from scipy.special import log_softmax

from jimb.posthoc import fit_vector_scaling, scale_logits

fit = jax.jit(fit_vector_scaling, static_argnames="biases_only")
check = jax.jit(checkify.checkify(fit_vector_scaling))


def drawn(n, k, *, spread=2.0, seed=0):
    """Logits, and labels of a long tail that are half as sure."""
    rng = np.random.default_rng(seed)
    z = np.float32(rng.normal(0, spread, (n, k)) + rng.random(k))
    p = np.exp(log_softmax(z / 2 + np.linspace(0.0, -2.0, k), -1))
    return z, np.minimum((p.cumsum(1) < rng.random((n, 1))).sum(1), k - 1)


def of_scipy(z, labels, *, l2=1.0, biases_only=False, weights=None):
    z, k = np.float64(z), z.shape[1]
    one_hot = np.eye(k)[labels]
    w = np.ones((len(z), 1)) if weights is None else np.float64(weights)[:, None]
    finite = np.where(np.isfinite(z), z, 0)

    def value(x):
        s, b = x.reshape(2, k)
        log_p = log_softmax(np.where(np.isfinite(z), s * finite + b, -np.inf), -1)
        off = w * (np.exp(log_p) - one_hot)
        by_s = np.zeros(k) if biases_only else np.sum(off * finite, 0) + l2 * (s - 1)
        loss = -np.sum(w[:, 0] * log_p[range(len(z)), labels])
        loss += l2 / 2 * (np.sum((s - 1) ** 2) + np.sum(b**2))
        return loss, np.append(by_s, np.sum(off, 0) + l2 * b)

    x = np.append(np.ones(k), np.zeros(k))
    for options in ({"ftol": 0, "gtol": 1e-6}, {"ftol": 0, "gtol": 1e-10}):
        found = minimize(value, x, jac=True, method="L-BFGS-B", options=options | {"maxiter": 9999})
        x = found.x
    return x.reshape(2, k)


def assert_are(got, expected, atol=2e-5):
    np.testing.assert_allclose(got.scales, expected[0], rtol=0, atol=atol)
    np.testing.assert_allclose(got.biases, expected[1], rtol=0, atol=atol)


def test_scales_and_biases_are_those_of_the_highest_likelihood():
    z, labels = drawn(200, 3)
    assert_are(fit(z, labels), of_scipy(z, labels))


@pytest.mark.slow
@pytest.mark.parametrize("biases_only", [False, True])
@pytest.mark.parametrize(("n", "k", "l2"), [(100, 20, 1.0), (10_000, 10, 1.0), (3000, 4, 0.1)])
def test_few_and_many_with_weights_masks_and_classes_out(n, k, l2, biases_only):
    z, labels = drawn(n, k)
    rng = np.random.default_rng(1)
    out = rng.random(z.shape) < 0.1
    out[range(n), labels] = False
    z = np.where(out, -np.inf, z)
    weights = rng.exponential(1, n).astype(np.float32)
    some = rng.random(n) < 0.8
    expected = of_scipy(z, labels, l2=l2, biases_only=biases_only, weights=weights * some)
    spoilt, wrong = np.where(some[:, None], z, np.nan), np.where(some, labels, -1)
    given = {"l2": l2, "biases_only": biases_only, "weights": weights}
    assert_are(fit(spoilt, wrong, where=some, **given), expected)


@pytest.mark.slow
def test_without_l2_but_for_what_is_added_to_all_biases():
    z, labels = drawn(3000, 4)
    got, expected = fit(z, labels, l2=0.0), of_scipy(z, labels, l2=0.0)
    assert_are(got, [expected[0], expected[1] - expected[1].mean()], atol=1e-4)


@pytest.mark.slow
def test_biases_alone_bring_back_the_frequencies_of_the_classes():
    z, labels = drawn(5000, 5)
    got = fit(z, labels, l2=0.0, biases_only=True)
    np.testing.assert_array_equal(got.scales, 1)
    p = jax.nn.softmax(scale_logits(z, got.scales, biases=got.biases))
    shares = np.bincount(labels, minlength=5) / 5000
    np.testing.assert_allclose(p.mean(0), shares, atol=1e-5)


@pytest.mark.slow
def test_separated_data_absent_classes_and_nothing():
    z, labels = jnp.eye(3) * 4, jnp.array([0, 1, 2])
    error, got = check(z, labels)
    assert error.get() is None
    assert_are(got, of_scipy(z, labels))
    error, got = check(z, labels, l2=jnp.float32(0))
    assert np.all(np.isfinite(got.scales))
    assert np.all(np.isfinite(got.biases))
    z, labels = drawn(100, 3)
    labels = np.where(labels == 2, 0, labels)
    assert_are(fit(z, labels), of_scipy(z, labels))
    one = fit(z[:, :1], np.zeros(100, int))
    assert_are(one, [[1], [0]], atol=0)
    equal = fit(np.ones((8, 2), np.float32), np.array([0, 0, 0, 1] * 2))
    assert_are(equal, of_scipy(np.ones((8, 2)), np.array([0, 0, 0, 1] * 2)))
    for nothing in (fit(z, labels, where=np.zeros(100, bool)), fit(z[:0], labels[:0])):
        assert_are(nothing, [[1] * 3, [0] * 3], atol=0)


@pytest.mark.slow
def test_what_is_wrong_is_refused_or_heard():
    z, labels = drawn(6, 3)
    with pytest.raises(ValueError, match="l2 must lie in"):
        fit_vector_scaling(z, labels, l2=-1.0)
    with pytest.raises(ValueError, match="labels must have the shape"):
        fit_vector_scaling(z, labels[:, None])
    for given in ({"l2": jnp.float32(-1)}, {"weights": jnp.full(6, jnp.nan)}):
        error, got = check(z, labels, **given)
        assert "must lie in" in error.get()
        assert np.all(np.isnan(np.stack(got)))
    error, got = check(jnp.asarray(z).at[0, 0].set(jnp.inf), labels)
    assert "a logit is NaN" in error.get()
    assert np.all(np.isnan(np.stack(got)))
    with pytest.raises(ValueError, match="biases must have the shape"):
        scale_logits(z, np.ones(3, np.float32), biases=np.ones(2, np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_and_a_vmap(dtype):
    z, labels = drawn(200, 3)
    rounded = jnp.asarray(z, dtype)
    expected = of_scipy(np.asarray(rounded.astype(jnp.float32)), labels)
    got = jax.jit(jax.vmap(fit_vector_scaling, in_axes=(0, None)))(
        jnp.stack([rounded, -rounded]), labels
    )
    assert got.scales.dtype == jnp.float32
    assert_are(jax.tree.map(lambda x: x[0], got), expected)
    assert_are(jax.tree.map(lambda x: x[1], got), of_scipy(-np.asarray(rounded, float), labels))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("spec", [P("data"), P(None, "data")])
def test_on_a_mesh(kind, spec):
    z, labels = drawn(160, 8)
    expected = of_scipy(z, labels)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    with jax.set_mesh(mesh):
        on_devices = jax.device_put(z, NamedSharding(mesh, spec))
        ids = jax.device_put(labels, NamedSharding(mesh, P(spec[0])))
        assert_are(fit(on_devices, ids), expected)
