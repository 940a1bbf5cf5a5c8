"""One array on every device, for what is global: sums along an order, sorts, quantiles."""

import jax
from jax.sharding import NamedSharding, PartitionSpec

from jimb._typing import Array


def replicated(x: Array) -> Array:
    """`x` on every device, as far as its mesh can be seen.

    Cumulative sums are global: refused over an Explicit axis, and quadratic in time over an Auto
    one.
    """
    sharding = jax.typeof(x).sharding
    if any(sharding.spec):
        explicit: Array = jax.sharding.reshard(x, sharding.update(spec=PartitionSpec()))
        return explicit
    mesh = jax.sharding.get_abstract_mesh()
    if not mesh.empty and mesh.are_all_axes_auto:
        auto: Array = jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec()))
        return auto
    return x
