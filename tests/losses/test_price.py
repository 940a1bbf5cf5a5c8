"""What the losses cost by XLA's own count, value and gradient, which is the same on every CPU."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

import jimb


def price(loss, labels, shape):
    """Operations and bytes of each logit, of a mean and its gradient."""
    logits = jax.ShapeDtypeStruct(shape, jnp.float32)
    step = jax.jit(jax.value_and_grad(lambda z, y: jnp.mean(loss(z, y))))
    cost = step.lower(logits, labels).compile().cost_analysis()
    return cost["flops"] / logits.size, cost["bytes accessed"] / logits.size


@pytest.mark.parametrize("loss", ["softmax_cross_entropy_loss", "softmax_focal_loss"])
def test_softmax_losses_stay_near_optax_cross_entropy(loss):
    """Measured 2.26 times its operations, 9.09 for 4.02, and its bytes, 28.1.

    On two threads XLA counts 36.1 bytes for Optax, a pass more for the scatter of its gradient.
    """
    shape = (8192, 1000)  # which is only compiled; of less XLA's program is another
    labels = jax.ShapeDtypeStruct(shape[:1], jnp.int32)
    operations, moved = price(getattr(jimb, loss), labels, shape)
    optax_loss = optax.softmax_cross_entropy_with_integer_labels
    optax_operations, optax_moved = price(optax_loss, labels, shape)
    assert operations <= 2.4 * optax_operations
    assert moved <= 1.05 * optax_moved


def test_sigmoid_focal_stays_at_39_bytes():
    shape = (65_536, 80)
    loss = functools.partial(jimb.sigmoid_focal_loss, alpha=0.25)
    _, moved = price(loss, jax.ShapeDtypeStruct(shape, jnp.int32), shape)
    assert moved <= 40
