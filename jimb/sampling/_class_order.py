"""The data set class by class."""

import jax
import jax.numpy as jnp

from jimb._typing import Array, Integer


def by_class(
    key: Array | None, labels: Integer[Array, " N"]
) -> tuple[Integer[Array, " N"], Integer[Array, " N"]]:
    """The labels in order, and the positions that they come from.

    Positions of one class are in random order; without a key, in that of the data set.
    """
    positions = jnp.arange(labels.shape[0], dtype=jnp.int32)
    if key is None:
        # Labels closed over are a constant. XLA would sort it while it compiles, and slowly.
        labels = jax.lax.optimization_barrier(labels)
        classes, members = jax.lax.sort((labels, positions), num_keys=1)
        return classes, members
    bits = jax.random.bits(key, labels.shape, jnp.uint32)
    classes, _, members = jax.lax.sort((labels, bits, positions), num_keys=2)
    return classes, members
