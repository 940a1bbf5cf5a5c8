"""Arrays that belong together, laid out alike: JAX refuses to mix layouts on Explicit meshes."""

import jax
from jax.sharding import PartitionSpec

from jimb._typing import Array


def laid_out_like(x: Array, other: Array) -> Array:
    """`x` in the layout of `other` along the axes in front that both have."""
    own, wanted = jax.typeof(x).sharding, jax.typeof(other).sharding
    shared = min(x.ndim, other.ndim)
    spec = PartitionSpec(*wanted.spec[:shared], *own.spec[shared:])
    if own.spec == spec:
        return x
    mesh = own if wanted.mesh.empty else wanted
    laid_out: Array = jax.sharding.reshard(x, mesh.update(spec=spec))
    return laid_out
