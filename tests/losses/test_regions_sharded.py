"""Region losses on a mesh of 2 × 4, Auto and Explicit: images and rows of pixels are divided."""

import functools

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb

B, H, W, K = 8, 4, 3, 4
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 2, (B, H, W, K)).astype(np.float32)
IDS = RNG.integers(0, K, (B, H, W)).astype(np.int32)
WHERE = RNG.uniform(size=(B, H, W)) < 0.8
SOFT = RNG.uniform(size=Z.shape).astype(np.float32)
TVERSKY = {"alpha": 0.3, "beta": 0.7, "gamma": 0.75}

LOSSES = {
    "dice": (jimb.dice_loss, IDS),
    "tversky": (functools.partial(jimb.tversky_loss, **TVERSKY), IDS),
    "sigmoid": (functools.partial(jimb.dice_loss, sigmoid=True), SOFT),
    "lovasz": (jimb.lovasz_softmax_loss, IDS),
}
LAYOUTS = {
    "rows": P("data", "model"),
    "classes": P("data", None, None, "model"),
    "batch": P(("data", "model")),
}
CELLS = [
    (name, layout, axis, kind)
    for name in LOSSES
    for layout in LAYOUTS
    for axis in ((1, 2), (0, 1, 2))
    for kind in (AxisType.Explicit, AxisType.Auto)
]


@functools.cache
def program(name, axis):
    loss, _ = LOSSES[name]

    @jax.jit
    def run(z, labels, where):
        def total(z):
            losses = loss(z, labels, axis=axis, where=where)
            present = jimb.present_regions(
                z, labels, axis=axis, where=where, sigmoid=name == "sigmoid"
            )
            return jimb.weighted_mean(losses, where=present), losses

        return jax.grad(total, has_aux=True)(z)

    return run


@pytest.mark.parametrize(
    ("name", "layout", "axis", "kind"),
    [CELLS[0], *(pytest.param(*cell, marks=pytest.mark.slow) for cell in CELLS[1:])],
    ids=str,
)
def test_value_and_gradient_are_those_of_one_device(name, layout, axis, kind):
    """Measured 2.6e-7, and of the gradient 1e-9 absolutely."""
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind,) * 2)
    _, labels = LOSSES[name]
    where = np.broadcast_to(WHERE[..., None], Z.shape) if name == "sigmoid" else WHERE
    spec = LAYOUTS[layout]
    gradient, losses = program(name, axis)(Z, labels, where)
    with jax.set_mesh(mesh):
        put = [
            jax.device_put(x, NamedSharding(mesh, P(*spec[: x.ndim]))) for x in (Z, labels, where)
        ]
        sharded_gradient, sharded = program(name, axis)(*put)
    np.testing.assert_allclose(sharded, losses, rtol=5e-7)
    np.testing.assert_allclose(sharded_gradient, gradient, atol=3e-9)
    assert sharded_gradient.sharding.is_equivalent_to(put[0].sharding, 4)
