"""Options of the losses that one call of each function does not reach raise no alarm either."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb

pytestmark = pytest.mark.slow  # one call of each is in tests/test_alarms.py

CE, FOCAL = jimb.softmax_cross_entropy_loss, jimb.softmax_focal_loss
Z = np.random.default_rng(0).normal(0, 3, (6, 4)).astype(np.float32)
Y, MASKED = jnp.array([0, 1, 2, 3, 0, 1]), jnp.array([0, 1, 2, 3, 0, -1])
WHERE, SOFT, ONE_HOT = MASKED >= 0, jax.nn.softmax(jnp.asarray(Z)), jax.nn.one_hot(Y, 4)
WEIGHTS, COUNTS = jnp.array([1.0, 0.0, 3.0, 0.5]), jnp.array([5, 3, 2, 1])

LOSSES = {
    "smoothing": lambda z: CE(z, Y, label_smoothing=0.1),
    "smoothing and weights": lambda z: CE(z, Y, label_smoothing=0.1, class_weights=WEIGHTS),
    "smoothing, masked": lambda z: CE(z, MASKED, label_smoothing=0.1, where=WHERE),
    "soft": lambda z: CE(z, SOFT),
    "one-hot and weights": lambda z: CE(z, ONE_HOT, class_weights=WEIGHTS),
    "soft and smoothing": lambda z: CE(z, ONE_HOT, label_smoothing=0.1),
    "soft focal": lambda z: FOCAL(z, ONE_HOT, class_weights=WEIGHTS),
    "soft focal, γ = 0": lambda z: FOCAL(z, SOFT, gamma=0.0),
    "a weight of 0": lambda z: FOCAL(z, Y, class_weights=WEIGHTS),
    "pos_weight": lambda z: jimb.sigmoid_cross_entropy_loss(z, ONE_HOT, pos_weight=WEIGHTS),
    "float labels": lambda z: jimb.sigmoid_focal_loss(z, ONE_HOT, alpha=0.25),
    "partial labels": lambda z: jimb.sigmoid_focal_loss(z, ONE_HOT, where=ONE_HOT == 1),
    "soft asymmetric": lambda z: jimb.sigmoid_asymmetric_loss(z, SOFT),
    "soft vs": lambda z: jimb.vs_loss(z, SOFT, COUNTS, gamma=0.1, tau=1.0),
}


@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize("name", LOSSES)
def test_no_alarm(name, scale):
    loss, z = LOSSES[name], jnp.asarray(scale * Z)

    def both(z):
        return jax.value_and_grad(lambda z: loss(z).sum())(z)

    with jax.debug_nans(True), jax.debug_infs(True):
        jax.block_until_ready((loss(z), both(z), jax.jit(both)(z)))
    error, _ = jax.jit(checkify.checkify(both, errors=checkify.all_checks))(z)
    assert error.get() is None
