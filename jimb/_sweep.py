"""One function over a grid of hyper-parameters, in one compilation."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jimb import _checks
from jimb._layout import replicated
from jimb._typing import ArrayLike


def sweep(
    fn: Callable[..., Any],
    grids: Mapping[str, ArrayLike],
    *,
    batch_size: int | None = None,
    mesh_axis: str | None = None,
) -> Callable[..., Any]:
    r"""`fn` over the product of the grids: `fn(*args, **point)` at every point, compiled once.

    Args:
      fn: a function of JAX arrays that returns a pytree of arrays. It takes each hyper-parameter
        by keyword, traced. `fn` may be a whole training.
      grids: for each hyper-parameter its values, along the first axis (`[G]` scalars, or `[G, K]`
        class tables).
      batch_size: how many points are computed at a time (on each device); None means all at once.
        Smaller needs less memory.
      mesh_axis: an axis of the mesh in context (`jax.set_mesh`) to divide the points over: each
        device computes its own, without communication until the outputs are gathered. The
        arguments and the outputs are on every device. Where the points do not divide, the last
        one is computed again in place of those that are missing.

    Returns:
      A jitted function of `*args` whose outputs gain one leading axis per grid, in the order of
      `grids`.

    Raises:
      ValueError: a grid is empty or a scalar, there are no grids, or `batch_size` is below 1; at
        the call, `mesh_axis` is no axis of the mesh in context.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((4, 3)), jnp.array([0, 1, 2, 0])
      >>> def loss(logits, gamma, alpha):
      ...     losses = jimb.softmax_focal_loss(logits, labels, gamma=gamma)
      ...     return alpha * jimb.weighted_mean(losses)
      >>> grids = {"gamma": jnp.array([0.0, 1.0, 2.0]), "alpha": jnp.array([0.25, 0.75])}
      >>> jimb.sweep(loss, grids)(logits).shape
      (3, 2)
    """
    values = {name: jnp.asarray(grid) for name, grid in grids.items()}
    if not values:
        raise ValueError("grids is empty: name at least one hyper-parameter and its values.")
    for name, grid in values.items():
        if grid.ndim == 0 or grid.shape[0] == 0:
            raise ValueError(
                f"grids[{name!r}] must hold values along its first axis, got "
                f"{_checks.describe(grid)}; wrap one value as [value]."
            )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    sizes = tuple(grid.shape[0] for grid in values.values())

    number = math.prod(sizes)

    def at_all(points: dict[str, Any], args: tuple[Any, ...]) -> Any:
        def at(point: dict[str, Any]) -> Any:
            return fn(*args, **point)

        if batch_size is None:
            return jax.vmap(at)(points)
        return jax.lax.map(at, points, batch_size=batch_size)

    @jax.jit
    def swept(*args: Any) -> Any:
        shares = 1 if mesh_axis is None else _axis_size(mesh_axis)
        padded = -(-number // shares) * shares
        places = np.unravel_index(np.minimum(np.arange(padded), number - 1), sizes)
        points = {
            name: grid[place] for (name, grid), place in zip(values.items(), places, strict=True)
        }
        if mesh_axis is None:
            outputs = at_all(points, args)
        else:
            outputs = _on_shares(at_all, mesh_axis, points, args)
        return jax.tree.map(lambda leaf: leaf[:number].reshape(sizes + leaf.shape[1:]), outputs)

    return swept


def _axis_size(mesh_axis: str) -> int:
    mesh = jax.sharding.get_abstract_mesh()
    if mesh_axis not in mesh.axis_names:
        raise ValueError(
            f"mesh_axis {mesh_axis!r} is no axis of the mesh in context, which has "
            f"{mesh.axis_names}; set one with jax.set_mesh."
        )
    size: int = mesh.shape[mesh_axis]
    return size


def _on_shares(
    at_all: Callable[..., Any], mesh_axis: str, points: dict[str, Any], args: tuple[Any, ...]
) -> Any:
    """Each device its own points; the outputs on every device."""
    share = len(next(iter(points.values()))) // _axis_size(mesh_axis)

    def on_one(points: dict[str, Any], args: tuple[Any, ...]) -> Any:
        first = share * jax.lax.axis_index(mesh_axis)
        own = {
            name: jax.lax.dynamic_slice_in_dim(values, first, share)
            for name, values in points.items()
        }
        return jax.tree.map(
            lambda leaf: jax.lax.all_gather(leaf, mesh_axis, axis=0, tiled=True),
            at_all(own, args),
        )

    everywhere = PartitionSpec()
    # A scan of `fn` may begin with what is the same for all points, and go on with what is not.
    return jax.shard_map(on_one, in_specs=everywhere, out_specs=everywhere, check_vma=False)(
        points, jax.tree.map(replicated, args)
    )
