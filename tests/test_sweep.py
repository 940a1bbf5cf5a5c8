"""`sweep` equals a loop over the product, in one trace."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

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


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize(
    "mesh_shape",
    [(4,), (2, 4), *(pytest.param(s, marks=pytest.mark.slow) for s in ((1,), (8,), (4, 2)))],
)
def test_points_divided_over_devices_give_the_same(mesh_shape, batch_size, kind):
    """Six points on four and eight devices: some compute the last one again."""
    axes = ("data", "points")[-len(mesh_shape) :]
    devices = jax.devices()[: math.prod(mesh_shape)]
    mesh = jax.make_mesh(mesh_shape, axes, axis_types=(kind,) * len(axes), devices=devices)
    with jax.set_mesh(mesh):
        swept = jimb.sweep(power_sum, GRIDS, batch_size=batch_size, mesh_axis="points")
        result = swept(X)
        text = swept.lower(X).compile().as_text()
    for i, j in itertools.product(range(3), range(2)):
        expected = np.float64(GRIDS["table"][j]) * np.float64(X) ** np.float64(GRIDS["gamma"][i])
        np.testing.assert_allclose(result["all"][i, j], expected, rtol=3e-7)
        np.testing.assert_allclose(result["sum"][i, j], expected.sum(), rtol=3e-7)
    assert "all-reduce" not in text
    assert "collective-permute" not in text


def test_a_scan_that_begins_alike_at_all_points_is_divided():
    def decayed(x, gamma):
        return jax.lax.scan(lambda c, _: (c * gamma, None), x, length=3)[0]

    grids = {"gamma": jnp.array([0.5, 1.0, 2.0], jnp.float32)}
    with jax.set_mesh(jax.make_mesh((8,), ("points",))):
        result = jimb.sweep(decayed, grids, mesh_axis="points")(X)
    np.testing.assert_array_equal(result, np.array([[0.125], [1], [8]], np.float32) * X)


def test_keys_are_points_as_well():
    keys = jax.random.split(jax.random.key(0), 3)
    with jax.set_mesh(jax.make_mesh((8,), ("points",))):
        drawn = jimb.sweep(jax.random.uniform, {"key": keys}, mesh_axis="points")()
    np.testing.assert_array_equal(drawn, [jax.random.uniform(key) for key in keys])


def test_an_axis_that_the_mesh_has_not_is_refused():
    swept = jimb.sweep(power_sum, GRIDS, mesh_axis="points")
    with pytest.raises(ValueError, match="'points' is no axis of the mesh in context"):
        swept(X)
    with (
        jax.set_mesh(jax.make_mesh((8,), ("data",))),
        pytest.raises(ValueError, match="'data'"),
    ):
        swept(X)
