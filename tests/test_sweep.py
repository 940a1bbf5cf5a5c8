"""`sweep` equals a loop over the product, in one trace."""

import itertools

import chex
import jax.numpy as jnp
import numpy as np
import pytest

import jimb

GRIDS = {
    "gamma": jnp.array([0.0, 0.5, 2.0], jnp.float32),
    "table": jnp.arange(8, dtype=jnp.float32).reshape(2, 4),
}
X = np.linspace(0.1, 1, 4).astype(np.float32)


def power_sum(x, gamma, table):
    return {"sum": jnp.sum(table * x**gamma), "all": table * x**gamma}


@pytest.mark.parametrize("batch_size", [None, 1, 4, 6, 100])
def test_a_sweep_equals_the_loop(batch_size):
    result = jimb.sweep(power_sum, GRIDS, batch_size=batch_size)(X)
    assert result["sum"].shape == (3, 2)
    assert result["all"].shape == (3, 2, 4)
    for i, j in itertools.product(range(3), range(2)):
        expected = np.float64(GRIDS["table"][j]) * np.float64(X) ** np.float64(GRIDS["gamma"][i])
        np.testing.assert_allclose(result["all"][i, j], expected, rtol=3e-7)
        np.testing.assert_allclose(result["sum"][i, j], expected.sum(), rtol=3e-7)


def test_the_axes_follow_the_order_of_the_grids():
    backwards = dict(reversed(GRIDS.items()))
    assert jimb.sweep(power_sum, backwards)(X)["all"].shape == (2, 3, 4)


def test_a_sweep_traces_once():
    swept = jimb.sweep(chex.assert_max_traces(power_sum, n=1), GRIDS)
    for scale in (1, 2, 3):
        swept(X * scale)


@pytest.mark.parametrize(
    ("grids", "batch_size", "message"),
    [
        ({}, None, "grids is empty"),
        ({"gamma": jnp.float32(1)}, None, "wrap one value"),
        ({"gamma": jnp.zeros(0)}, None, "along its first axis"),
        (GRIDS, 0, "batch_size must be at least 1"),
    ],
)
def test_bad_grids_are_refused(grids, batch_size, message):
    with pytest.raises(ValueError, match=message):
        jimb.sweep(power_sum, grids, batch_size=batch_size)
