"""Weights of a segmentation data set against the papers' formulas in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb

RNG = np.random.default_rng(0)
PIXELS = np.array([9_000_000, 40_000, 700, 12, 250_000])
IMAGES = np.array([100, 60, 9, 2, 31])


def median_frequency(pixels, of):
    share = pixels / of
    return np.median(share) / share


def test_median_frequency_is_the_formula_of_the_paper():
    sizes = IMAGES * 360 * 480
    for of in (IMAGES, sizes):
        expected = median_frequency(PIXELS, of)
        got = jimb.median_frequency_weights(PIXELS, image_counts=of)
        np.testing.assert_allclose(got, expected, rtol=1e-7)
        traced = jax.jit(jimb.median_frequency_weights)(jnp.asarray(PIXELS), image_counts=of)
        np.testing.assert_allclose(traced, expected, rtol=3e-7)
    weights = jimb.median_frequency_weights(PIXELS[:4])
    np.testing.assert_allclose(weights, np.median(PIXELS[:4]) / PIXELS[:4], rtol=1e-7)


def test_log_frequency_is_the_formula_of_enet():
    for offset in (1.02, 1.0, 1.5):
        expected = 1 / np.log(offset + PIXELS / PIXELS.sum())
        got = jimb.log_frequency_weights(PIXELS, offset=offset)
        np.testing.assert_allclose(got, expected, rtol=1e-7)
    traced = jimb.log_frequency_weights(jnp.asarray(PIXELS))
    np.testing.assert_allclose(traced, 1 / np.log(1.02 + PIXELS / PIXELS.sum()), rtol=3e-7)


@pytest.mark.parametrize(
    "weights", [jimb.median_frequency_weights, jimb.log_frequency_weights], ids=lambda f: f.__name__
)
def test_an_empty_class_is_refused_or_has_weight_zero_and_leaves_the_others_alone(weights):
    counts = np.array([70, 0, 20, 10, 0])
    with pytest.raises(ValueError, match=r"no example of class 1, 4 \(2 of 5 classes empty\)"):
        weights(counts)
    traced = weights(jnp.asarray(counts))
    for got in (weights(counts, allow_empty=True), traced):
        np.testing.assert_array_equal(np.asarray(got)[[1, 4]], 0)
        np.testing.assert_allclose(np.asarray(got)[[0, 2, 3]], weights(counts[[0, 2, 3]]), 3e-7)
    np.testing.assert_array_equal(weights([0, 0], allow_empty=True), [0, 0])


def test_wrong_numbers_are_refused():
    with pytest.raises(ValueError, match=r"image_counts must be above 0.*as class 1"):
        jimb.median_frequency_weights([3, 5], image_counts=[1, 0])
    with pytest.raises(ValueError, match="image_counts must have the shape"):
        jimb.median_frequency_weights([3, 5], image_counts=[1, 1, 1])
    with pytest.raises(ValueError, match="offset must lie in"):
        jimb.log_frequency_weights([3, 5], offset=0.9)
    with pytest.raises(ValueError, match="offset must have the shape"):
        jimb.log_frequency_weights([3, 5], offset=[1.1, 1.2])


@pytest.mark.slow
def test_wrong_traced_numbers_are_nan_and_leave_a_message():
    check = checkify.checkify(jimb.median_frequency_weights)
    error, got = check(jnp.array([3, 5]), image_counts=jnp.array([1, 0]))
    assert np.isnan(got).all()
    assert "image_counts must be above 0" in error.get()
    for weights in (jimb.median_frequency_weights, jimb.log_frequency_weights):
        error, got = checkify.checkify(weights)(jnp.array([3, -5]))
        assert np.isnan(got).any()
        assert "counts must lie in" in error.get()
        assert "empty class" in checkify.checkify(weights)(jnp.array([3, 0]))[0].get()
