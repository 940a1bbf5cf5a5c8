"""What `_ordered` has, as XLA does it best: quicker, with bits that depend on the shapes."""

import jax.numpy as jnp

from jimb._typing import Array


def total(x: Array) -> Array:
    """The sum over the last axis, `[..., 1]`."""
    return jnp.sum(x, axis=-1, keepdims=True)


exp, log = jnp.exp, jnp.log
