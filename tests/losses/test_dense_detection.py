"""Quality focal and varifocal loss: soft labels, both tails, and the label itself."""

import jax
import jax.numpy as jnp
import numpy as np

import jimb
from tests.helpers.exact import relative_error
from tests.helpers.losses_table import varifocal_oracle

BETAS = np.float32([0, 0.5, 1, 2, 5])[:, None]


def derivatives(loss, z, y, **hyper):
    """Values, gradients and second derivatives by the logits, of every β or γ at once."""

    @jax.jit
    def run(z, y, hyper):
        def values(z):
            return loss(z, y, **hyper)

        def slopes(z):
            losses, pullback = jax.vjp(values, z)
            return pullback(jnp.ones_like(losses))[0], losses

        slope, curvature, losses = jax.jvp(slopes, (z,), (jnp.ones_like(z),), has_aux=True)
        return losses, slope, curvature

    return [np.float64(x) for x in run(z, y, hyper)]


def logistic(z):
    return 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))


def quality(z, y, beta):
    """The value and its gradient in float64."""
    z, y, beta = np.float64(z), np.float64(y), np.float64(beta)
    p, q = logistic(z)
    away = (1 - y) * p - y * q
    entropy = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    inner = beta * np.abs(away) ** (beta - 1) * np.sign(away) * p * q * entropy
    return np.abs(away) ** beta * entropy, inner + np.abs(away) ** beta * away


def tails(dtype=np.float32):
    """Logits in both tails; labels of 0, 1 and between, not so close to p that digits cancel."""
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.uniform(-100, 100, 300), rng.normal(0, 3, 300)]).astype(dtype)
    y = rng.uniform(size=z.size).astype(np.float32)
    y[::3], y[1::3] = 0, np.where(z[1::3] > 0, 1, 10.0 ** rng.uniform(-12, 0, z[1::3].size))
    p, q = logistic(np.float64(z))
    apart = np.abs((1 - y) * p - y * q) > 0.05 * np.maximum((1 - y) * p, y * q)
    return z[apart], y[apart]


def test_quality_focal_is_accurate_in_both_tails():
    """Measured 6.1e-6 and 3.9e-6."""
    z, y = (np.broadcast_to(x, (BETAS.size, x.size)) for x in tails())
    value, gradient, curvature = derivatives(jimb.quality_focal_loss, z, y, beta=BETAS)
    exact, slope = quality(z, y, BETAS)
    assert np.all(np.isfinite(gradient))
    assert relative_error(value, exact) < 8e-6
    # Below, a factor of a term is no longer a normal float32.
    assert relative_error(gradient, slope, above=1e-28) < 5e-6
    assert np.all(np.isfinite(curvature))


def test_quality_focal_at_its_label():
    """Flat there; the curvature of β = 2 is `2 (p q)² entropy`, that of β = 0 is `p q`."""
    z = np.zeros((BETAS.size, 1), np.float32)
    value, gradient, curvature = derivatives(
        jimb.quality_focal_loss, z, np.full_like(z, 0.5), beta=BETAS
    )
    np.testing.assert_array_equal(value[1:], 0)
    np.testing.assert_array_equal(gradient, 0)
    expected = [0.25, 0, 0, 2 / 16 * np.log(2), 0]
    np.testing.assert_allclose(curvature[:, 0], expected, rtol=3e-7)


def test_varifocal_of_soft_labels():
    rng = np.random.default_rng(1)
    z = rng.normal(0, 4, 40).astype(np.float32)
    y = np.where(rng.uniform(size=40) < 0.5, 0, rng.uniform(size=40)).astype(np.float32)
    value, gradient, curvature = derivatives(jimb.varifocal_loss, z, y)
    wide, step = np.float64(z), 1e-4
    around = [varifocal_oracle(wide + s, np.float64(y)) for s in (-step, 0, step)]
    np.testing.assert_allclose(value, around[1], rtol=1e-6)
    np.testing.assert_allclose(gradient, (around[2] - around[0]) / (2 * step), rtol=1e-5, atol=1e-7)
    second = (around[0] - 2 * around[1] + around[2]) / step**2
    np.testing.assert_allclose(curvature, second, rtol=1e-4, atol=1e-6)
