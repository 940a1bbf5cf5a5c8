"""One function over a grid of hyper-parameters, in one compilation."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._typing import ArrayLike


def sweep(
    fn: Callable[..., Any], grids: Mapping[str, ArrayLike], *, batch_size: int | None = None
) -> Callable[..., Any]:
    r"""`fn` over the product of the grids: `fn(*args, **point)` at every point, compiled once.

    Args:
      fn: a function of JAX arrays that returns a pytree of arrays. It takes each hyper-parameter
        by keyword, traced. `fn` may be a whole training.
      grids: for each hyper-parameter its values, along the first axis (`[G]` scalars, or `[G, K]`
        class tables).
      batch_size: how many points are computed at a time; None means all at once. Smaller needs
        less memory.

    Returns:
      A jitted function of `*args` whose outputs gain one leading axis per grid, in the order of
      `grids`.

    Raises:
      ValueError: a grid is empty or a scalar, there are no grids, or `batch_size` is below 1.

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

    @jax.jit
    def swept(*args: Any) -> Any:
        places = jnp.unravel_index(jnp.arange(math.prod(sizes)), sizes)
        points = {
            name: grid[place] for (name, grid), place in zip(values.items(), places, strict=True)
        }

        def at(point: dict[str, Any]) -> Any:
            return fn(*args, **point)

        if batch_size is None:
            outputs = jax.vmap(at)(points)
        else:
            outputs = jax.lax.map(at, points, batch_size=batch_size)
        return jax.tree.map(lambda leaf: leaf.reshape(sizes + leaf.shape[1:]), outputs)

    return swept
