"""Layers whose classes are divided over devices: each walks over its own, then a few sums are made.

On a mesh that happens in a `jax.shard_map` made here; inside a caller's own one it happens there.
Neither the classes of a row nor the kernel are gathered.
"""

import functools
import math
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb import _axes
from jimb._axes import Names
from jimb._typing import Array, Integer
from jimb.heads._blocks import Layer, Walk, block_size, product

Function = Callable[[Layer, Any, Walk], Any]


class Options(NamedTuple):
    """What of `LinearLogits` is compiled in."""

    axis_name: Hashable | Names | None
    block_size: int | None
    precision: jax.lax.Precision | None


class Placed(NamedTuple):
    """Where the arrays of a layer are on a mesh.

    Attributes:
      mesh: the mesh.
      manual: its axes over which each device works for itself: all that types tell of, and classes.
      classes: the axes that divide the classes.
      batch: of each batch axis the mesh axes that divide it, as far as types tell.
    """

    mesh: AbstractMesh
    manual: frozenset[Any]
    classes: Names
    batch: tuple[Any, ...]


def parts(axis_name: Hashable | Names | None) -> int:
    """How many devices hold a part of the classes each, where a call sees the part of one."""
    return math.prod(map(jax.lax.axis_size, _axes.if_mapped(axis_name)))


def run(
    function: Function, layer: Layer, labels: Integer[Array, "*batch"] | None, options: Options
) -> Any:
    """`function(layer, labels, walk)` on each device with its classes: arrays of the batch."""
    mapped = _axes.if_mapped(options.axis_name)
    placed = None if mapped else _placed(layer, options.axis_name)
    if placed is None:
        return _on_one(function, layer, labels, options._replace(axis_name=mapped))
    options = options._replace(axis_name=placed.classes)
    found = _on_mesh(function, layer, labels, options, placed)
    # Where one axis divides both batch and classes, each device has had all of the batch.
    batch = jax.typeof(layer.features).sharding.spec[: layer.features.ndim - 1]
    return jax.tree.map(lambda x: _laid_out(x, placed, P(*batch)), found)


def share(table: Array, layer: Layer, axis_name: Hashable | Names | None) -> Array:
    """Of a number for each class `[K]` those of the classes in the kernel."""
    mapped = _axes.if_mapped(axis_name)
    if mapped:
        return _axes.own_share(_axes.entering(table, mapped), mapped, layer.kernel.shape[1])
    placed = _placed(layer, axis_name)
    return table if placed is None else _laid_out(table, placed, P(placed.classes or None))


def stored(layer: Layer, options: Options) -> Array:
    """The logits, float32 or float64; inside a `jax.shard_map` around the call this device's."""
    placed = None if _axes.if_mapped(options.axis_name) else _placed(layer, options.axis_name)
    if placed is not None:
        layer = _laid_out_all(layer, placed)
    features, kernel, bias, *_ = layer
    walk = Walk(kernel.shape[1], options.precision, ())
    z = product(features, kernel.astype(features.dtype), (features.ndim - 1,), (0,), walk)
    return z if bias is None else z + bias.astype(z.dtype).reshape((1,) * (z.ndim - 1) + bias.shape)


@jax.jit(static_argnames=("function", "options"))
def _on_one(function: Function, layer: Layer, labels: Array | None, options: Options) -> Any:
    names: Any = options.axis_name
    num_classes = layer.kernel.shape[1]
    rows = math.prod(layer.features.shape[:-1])
    size = options.block_size or block_size(rows, num_classes)
    walk = Walk(min(size, num_classes), options.precision, names)
    layer, labels = _axes.together((layer, labels), names)
    # A device has a part of the classes, so that its gradient by the features is a part of it.
    layer = layer._replace(features=_axes.entering(layer.features, names))
    return function(layer, labels, walk)


@jax.jit(static_argnames=("function", "options", "placed"))
def _on_mesh(
    function: Function, layer: Layer, labels: Array | None, options: Options, placed: Placed
) -> Any:
    batch = P(*placed.batch)
    mapped = jax.shard_map(
        functools.partial(_on_one, function, options=options),
        mesh=placed.mesh,
        in_specs=(_specs(layer, placed), None if labels is None else batch),
        out_specs=batch,
        axis_names=placed.manual,
    )
    own = None if labels is None else _laid_out(labels, placed, batch)
    return mapped(_laid_out_all(layer, placed), own)


def _specs(layer: Layer, placed: Placed) -> Any:
    classes = placed.classes or None
    specs = P(*placed.batch, None), P(None, classes), *[P(classes)] * 3
    return jax.tree.unflatten(
        jax.tree.structure(layer),
        [spec for x, spec in zip(layer, specs, strict=True) if x is not None],
    )


def _laid_out_all(layer: Layer, placed: Placed) -> Layer:
    specs = _specs(layer, placed)
    laid_out: Layer = jax.tree.map(lambda x, spec: _laid_out(x, placed, spec), layer, specs)
    return laid_out


def _placed(layer: Layer, axis_name: Hashable | Names | None) -> Placed | None:
    """None where no mesh is known, or where XLA is to divide the work by itself."""
    names = _axes.names_of(axis_name)
    mesh = _mesh(layer)
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    missing = [name for name in names if kinds.get(name) in (None, AxisType.Manual)]
    if missing:
        raise ValueError(
            f"axis_name must name the axis of a mesh that divides the classes, got {missing[0]!r}: "
            "make the mesh known by jax.set_mesh or by the shardings of the arrays, or leave "
            "axis_name out where every device has all classes."
        )
    told = frozenset(name for name, kind in kinds.items() if kind == AxisType.Explicit)
    if not names and told:
        names = _axes.names_of(jax.typeof(layer.kernel).sharding.spec[1])
    if not names and not told:
        return None
    if AxisType.Manual in mesh.axis_types:
        raise ValueError(
            "inside a jax.shard_map that maps some axes of a mesh, LinearLogits needs the axis of "
            "the classes mapped, too: let it map all axes, and name that one by axis_name."
        )
    num_classes, devices = layer.kernel.shape[1], math.prod(mesh.shape[name] for name in names)
    if num_classes % devices:
        raise ValueError(
            f"the {devices} devices of {names} do not divide the kernel's {num_classes} classes "
            "evenly: pad the kernel, with a bias of -inf for what is added."
        )
    spec = jax.typeof(layer.features).sharding.spec[: layer.features.ndim - 1]
    batch = (tuple(n for n in _axes.names_of(axes) if n not in names) or None for axes in spec)
    return Placed(mesh, told | frozenset(names), names, tuple(batch))


def _mesh(layer: Layer) -> AbstractMesh:
    for x in (layer.kernel, layer.features):
        mesh: AbstractMesh = jax.typeof(x).sharding.mesh
        if not mesh.empty:
            return mesh
    return jax.sharding.get_abstract_mesh()


def _laid_out(x: Array, placed: Placed, spec: P) -> Array:
    """`x` in this layout, as far as its axes are told by types."""
    told = {
        name
        for name, kind in zip(placed.mesh.axis_names, placed.mesh.axis_types, strict=True)
        if kind == AxisType.Explicit
    }
    if not told:
        return x
    only = P(*(tuple(n for n in _axes.names_of(axes) if n in told) or None for axes in spec))
    laid_out: Array = jax.sharding.reshard(x, NamedSharding(placed.mesh, only))
    return laid_out
