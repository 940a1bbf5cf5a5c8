"""The temperature of the highest likelihood, against a root found by SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from scipy.optimize import brentq
from scipy.special import log_softmax

from jimb.posthoc import fit_temperature

RTOL = 1e-6  # measured 1.1e-7
fit = jax.jit(fit_temperature, static_argnames="sigmoid")
check = jax.jit(checkify.checkify(fit_temperature))


def drawn(n, k, *, spread=3.0, true=2.0, seed=0):
    """Logits, and labels by the softmax of them over a temperature."""
    rng = np.random.default_rng(seed)
    z = np.float32(rng.normal(0, spread, (n, k)))
    p = np.exp(log_softmax(np.float64(z) / true, -1))
    return z, np.minimum((p.cumsum(1) < rng.random((n, 1))).sum(1), k - 1)


def of_scipy(z, labels, weights=1.0):
    """Where the derivative by 1/T of the loss, which rises, is 0."""
    z = np.float64(z)
    u = z - z[range(len(z)), labels][:, None]
    finite = np.where(np.isfinite(u), u, 0)

    def slope(log_t):
        p = np.exp(log_softmax(z * np.exp(-log_t), -1))
        return np.sum(np.float64(weights) * np.sum(p * finite, -1))

    return np.exp(brentq(slope, np.log(1e-3), np.log(1e3), xtol=1e-15, rtol=1e-14))


def test_the_temperature_is_that_of_the_highest_likelihood():
    z, labels = drawn(200, 3)
    got = fit(z, labels)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, of_scipy(z, labels), rtol=RTOL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "k", "spread", "true"),
    [(50, 2, 1, 1.0), (3000, 100, 3, 1.7), (10_000, 10, 5, 0.3), (100_000, 5, 30, 20.0)],
)
def test_few_and_many_examples_and_weights(n, k, spread, true):
    z, labels = drawn(n, k, spread=spread, true=true)
    rng = np.random.default_rng(1)
    weights = np.where(rng.random(n) < 0.2, 0, rng.exponential(1e6, n)).astype(np.float32)
    for given in (None, weights):
        expected = of_scipy(z, labels, 1.0 if given is None else given)
        np.testing.assert_allclose(fit(z, labels, weights=given), expected, rtol=RTOL)


@pytest.mark.slow
def test_one_logit_is_two_classes_and_several_labels_share_it():
    z, labels = drawn(400, 2)
    one = z[:, 1] - z[:, 0]
    expected = of_scipy(z, labels)
    np.testing.assert_allclose(fit(one, labels, sigmoid=True), expected, rtol=RTOL)
    np.testing.assert_allclose(fit(one, labels == 1, sigmoid=True), expected, rtol=RTOL)
    several = one.reshape(100, 4), labels.reshape(100, 4)
    np.testing.assert_allclose(fit(*several, sigmoid=True), expected, rtol=RTOL)


@pytest.mark.slow
def test_what_is_masked_or_weighs_nothing_may_be_anything():
    z, labels = drawn(300, 4)
    some = np.arange(300) % 3 > 0
    expected = of_scipy(z[some], labels[some])
    spoilt, wrong = np.where(some[:, None], z, np.nan), np.where(some, labels, -1)
    np.testing.assert_allclose(fit(spoilt, wrong, where=some), expected, rtol=RTOL)
    weights = some.astype(np.float32)
    np.testing.assert_allclose(fit(spoilt, wrong, weights=weights), expected, rtol=RTOL)
    np.testing.assert_allclose(fit_temperature(spoilt, wrong, where=some), expected, rtol=RTOL)


@pytest.mark.slow
def test_classes_of_minus_infinity_are_out():
    z, labels = drawn(300, 5)
    out = np.random.default_rng(2).random(z.shape) < 0.3
    out[range(300), labels] = False
    masked = np.where(out, -np.inf, z)
    np.testing.assert_allclose(fit(masked, labels), of_scipy(masked, labels), rtol=RTOL)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_logits_of_half_precision(dtype):
    z, labels = drawn(300, 4)
    rounded = jnp.asarray(z, dtype)
    got = fit(rounded, labels)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, of_scipy(rounded.astype(jnp.float32), labels), rtol=RTOL)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-2, 100.0])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_the_unit_of_the_logits_and_what_is_added_to_all_do_not_matter(scale, shift):
    z, labels = drawn(300, 4)
    z = np.float32(scale * z) + np.float32(shift)
    np.testing.assert_allclose(fit(z, labels), of_scipy(z, labels), rtol=RTOL)


@pytest.mark.slow
def test_at_the_ends_and_where_it_does_not_matter():
    z = jnp.array([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]])
    error, separated = check(z, jnp.array([0, 1]))
    assert "separated" in error.get()
    assert separated == np.float32(1e-3)
    error, worse = check(z, jnp.array([1, 0]), high=jnp.float32(50))
    assert "separated" in error.get()
    assert worse == 50
    error, at_odds = check(z, jnp.array([0, 1]), low=jnp.float32(0.5), high=jnp.float32(0.5))
    np.testing.assert_allclose(at_odds, 0.5, rtol=RTOL)
    nothing = jnp.zeros(2, bool)
    for logits, labels, given in (
        (jnp.ones((2, 3)), jnp.array([0, 1]), {}),
        (jnp.array([[1.0], [2.0]]), jnp.array([0, 0]), {}),
        (z, jnp.array([0, 1]), {"where": nothing}),
        (jnp.zeros((0, 3)), jnp.zeros(0, jnp.int32), {}),
    ):
        error, got = check(logits, labels, **given)
        assert error.get() is None
        assert got == 1


@pytest.mark.slow
def test_what_is_wrong_is_refused_or_heard():
    z, labels = drawn(6, 3)
    with pytest.raises(ValueError, match="labels must have the shape"):
        fit_temperature(z, np.eye(3, dtype=int)[labels])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\)"):
        fit_temperature(z[:, 0], labels + 1, sigmoid=True)
    with pytest.raises(TypeError, match="logits must be floating"):
        fit_temperature(labels, labels, sigmoid=True)
    with pytest.raises(ValueError, match="high must be at least low"):
        fit_temperature(z, labels, low=2.0, high=1.0)
    with pytest.raises(ValueError, match="low must lie in"):
        fit_temperature(z, labels, low=0.0)
    first = jnp.array([labels[0]])
    at_its_label = jnp.zeros((1, 3)).at[0, labels[0]].set(-jnp.inf)
    for bad in (jnp.full((1, 3), jnp.nan), jnp.zeros((1, 3)).at[0, 1].set(jnp.inf), at_its_label):
        error, got = check(jnp.append(z, bad, 0), jnp.append(labels, first))
        assert "a logit is NaN" in error.get()
        assert np.isnan(got)
    error, got = check(z, jnp.append(jnp.asarray(labels[:-1]), 7))
    assert "labels must lie in [0, 3)" in error.get()


@pytest.mark.slow
def test_over_a_vmap_each_has_its_own_and_no_gradient():
    sets = [drawn(100, 3, true=true, seed=i) for i, true in enumerate((0.5, 1.0, 4.0))]
    z, labels = (jnp.stack([jnp.asarray(s[i]) for s in sets]) for i in (0, 1))
    got = jax.jit(jax.vmap(fit_temperature))(z, labels)
    np.testing.assert_allclose(got, [of_scipy(*one) for one in sets], rtol=RTOL)
    assert not np.any(jax.grad(lambda z: fit_temperature(z, labels[0]))(z[0]))


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
        np.testing.assert_allclose(fit(on_devices, ids), expected, rtol=RTOL)
