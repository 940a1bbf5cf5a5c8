"""Where arrays lie on a mesh: those that belong together alike, what is global on every device."""

import jax
from jax.sharding import NamedSharding, PartitionSpec

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


def classes_laid_out_like(x: Array, other: Array) -> Array:
    """`x` with its last axis in the layout of that of `other`, unless it has one entry."""
    own, wanted = jax.typeof(x).sharding, jax.typeof(other).sharding
    if x.shape[-1] == 1 or own.spec[-1] == wanted.spec[-1]:
        return x
    mesh = own if wanted.mesh.empty else wanted
    spec = PartitionSpec(*own.spec[:-1], wanted.spec[-1])
    laid_out: Array = jax.sharding.reshard(x, mesh.update(spec=spec))
    return laid_out


def classes_divided(x: Array) -> bool:
    """Whether the type, which knows of Explicit meshes, says that the last axis is divided."""
    return jax.typeof(x).sharding.spec[-1] is not None


def whole_axes(x: Array, number: int) -> Array:
    """`x` with none of its last axes, so many, divided over an Explicit mesh."""
    own = jax.typeof(x).sharding
    kept = own.spec[: x.ndim - number]
    if all(entry is None for entry in own.spec[x.ndim - number :]):
        return x
    whole: Array = jax.sharding.reshard(x, own.update(spec=PartitionSpec(*kept, *(None,) * number)))
    return whole


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
