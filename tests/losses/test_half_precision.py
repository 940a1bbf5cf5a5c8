"""Losses of regions and of dense detection of half-precision logits, against float64.

They are computed in float32, and value and gradient are rounded once: at most one number of the
half type beyond the rounded exact one, and that for few.
"""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from tests.helpers import regions_oracle
from tests.helpers.accuracy import rounded_once
from tests.helpers.figures import hold
from tests.losses.test_dense_detection import quality, tails

HALVES = {np.float16: 60_000, ml_dtypes.bfloat16: 1e30}  # and a logit near the largest
B, N, K = 3, 64, 3
TVERSKY = {"alpha": 0.3, "beta": 0.7, "gamma": 0.75}
SCALE = 256  # of the gradients, that float16 need not make them subnormal

both = pytest.mark.parametrize(
    "dtype", [np.float16, pytest.param(ml_dtypes.bfloat16, marks=pytest.mark.slow)]
)


def images(dtype):
    """One of plain logits, one where some are large, one where all are."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (B, N, K))
    large = rng.choice([-1.0, 1.0], z.shape) * HALVES[dtype]
    z = np.where(np.arange(N)[:, None] % 4 < np.array([0, 1, 4])[:, None, None], large, z)
    return z.astype(dtype), rng.integers(0, K, (B, N)).astype(np.int32)


def evaluated(loss, z, *labels):
    """Losses, and `SCALE` times the gradient of their sum."""

    @jax.jit
    def run(z, *labels):
        losses, pullback = jax.vjp(lambda z: loss(z, *labels), z)
        return losses, pullback(jnp.full_like(losses, SCALE))[0]

    return jax.tree.map(np.asarray, run(z, *labels))


def tversky_exact(z, y, axis=1, **hyper):
    z = np.float64(z)
    losses = regions_oracle.tversky(z, y, axis, **hyper)
    return losses, SCALE * regions_oracle.tversky_gradient(z, y, axis, **hyper)


def lovasz_exact(z, labels):
    p = regions_oracle.probabilities(z)
    losses, by_p = zip(*map(regions_oracle.lovasz, p, labels), strict=True)
    return np.stack(losses), SCALE * regions_oracle.by_logits(p, np.stack(by_p))


REGIONS = {
    "dice": (jimb.dice_loss, tversky_exact),
    "focal tversky": (
        functools.partial(jimb.tversky_loss, **TVERSKY),
        functools.partial(tversky_exact, **TVERSKY),
    ),
    "lovasz": (jimb.lovasz_softmax_loss, lovasz_exact),
}


@both
@pytest.mark.parametrize("name", REGIONS)
def test_regions_are_rounded_once(name, dtype):
    z, labels = images(dtype)
    loss, exact = REGIONS[name]
    expected = exact(z, labels if name == "lovasz" else np.eye(K)[labels])
    results = evaluated(functools.partial(loss, axis=1), z, labels)
    hold(rounded_once(name, results, expected, dtype))


@pytest.mark.slow
@both
def test_regions_of_a_sigmoid_are_rounded_once(dtype):
    z, _ = images(dtype)
    y = np.random.default_rng(1).uniform(size=z.shape).astype(np.float32)
    hyper = TVERSKY | {"axis": 1, "sigmoid": True}
    results = evaluated(functools.partial(jimb.tversky_loss, **hyper), z, y)
    hold(rounded_once("sigmoid", results, tversky_exact(z, y, **hyper), dtype))


@both
def test_sums_beyond_float16_are_those_of_float32(dtype):
    """More pixels than the largest float16, and far more than bfloat16 can count."""
    rng = np.random.default_rng(2)
    z = rng.normal([5, 0], 1, (1, 80_000, 2)).astype(dtype)
    labels = (rng.uniform(size=z.shape[:-1]) < 0.01).astype(np.int32)
    expected = tversky_exact(z, np.eye(2)[labels])
    hit = (regions_oracle.probabilities(z) * np.eye(2)[labels]).sum(1)
    assert hit.max() > np.finfo(np.float16).max
    results = evaluated(functools.partial(jimb.dice_loss, axis=1), z, labels)
    hold(rounded_once("many", results, expected, dtype))


# Dense detection.


def varifocal(z, y):
    """The value and its gradient in float64."""
    right, wrong = np.logaddexp(0, -z), np.logaddexp(0, z)
    p, q = np.exp(-right), np.exp(-wrong)
    value = np.where(y > 0, y * (y * right + (1 - y) * wrong), 0.75 * p**2 * wrong)
    background = 0.75 * p**2 * (2 * q * wrong + p)
    return value, np.where(y > 0, y * ((1 - y) * p - y * q), background)


DETECTION = {
    "quality": (jimb.quality_focal_loss, lambda z, y: quality(z, y, 2.0)),
    "varifocal": (jimb.varifocal_loss, varifocal),
}


@both
@pytest.mark.parametrize("name", DETECTION)
def test_dense_detection_is_rounded_once(name, dtype):
    z, y = tails(dtype)
    z[:40] = np.resize([-HALVES[dtype], HALVES[dtype]], 40)
    loss, exact = DETECTION[name]
    with np.errstate(over="ignore"):
        value, gradient = exact(np.float64(z), np.float64(y))
    results, expected = evaluated(loss, z, y), (value, SCALE * gradient)
    # Below, a factor of a term is no longer a normal float32.
    hold(rounded_once(name, results, expected, dtype, above=SCALE * 1e-28))


# A mesh of 2 × 4.


@pytest.mark.slow
@both
@pytest.mark.parametrize("axis", [1, (0, 1)], ids=str)
@pytest.mark.parametrize("name", REGIONS)
def test_images_and_pixels_on_a_mesh_are_rounded_once(name, axis, dtype):
    z, labels = (np.concatenate([x, x[::-1]]) for x in images(dtype))
    loss, exact = REGIONS[name]
    regions = B * 2 if axis == 1 else 1
    of, ids = z.reshape(regions, -1, K), labels.reshape(regions, -1)
    expected = exact(of, ids if name == "lovasz" else np.eye(K)[ids])
    mesh = jax.make_mesh((2, 4), ("data", "model"))
    with jax.set_mesh(mesh):
        put = jax.device_put((z, labels), NamedSharding(mesh, P("data", "model")))
        losses, gradient = evaluated(functools.partial(loss, axis=axis), *put)
    results = losses.reshape(expected[0].shape), gradient.reshape(expected[1].shape)
    hold(rounded_once(name, results, expected, dtype))
