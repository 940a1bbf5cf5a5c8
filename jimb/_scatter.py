"""Rows written into an array, none outside it: `checkify.index_checks` would refuse that."""

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jimb._layout import replicated
from jimb._typing import Array, Bool, Integer


@jax.jit  # one program, also for a caller without jit
def set_rows(
    x: Array, positions: Integer[Array, " B"], rows: Array, kept: Bool[Array, " B"]
) -> Array:
    """`x` with these rows in place of its own, but for those that are not kept; in its layout.

    Positions lie in [0, N), and those that are kept are unique. What is not kept writes once more
    what the first one that is kept writes; where none is, a row of `x` itself.
    """
    if rows.shape[0] == 0:
        return x
    layout = jax.typeof(x).sharding
    all_kept = replicated(kept)
    some, first = jnp.any(all_kept), jnp.argmax(all_kept, keepdims=True)

    def row(array: Array, place: Integer[Array, " 1"]) -> Array:
        own = jax.typeof(array).sharding
        whole = own.update(spec=PartitionSpec(None, *own.spec[1:]))
        return array.at[place].get(mode="promise_in_bounds", out_sharding=whole)

    place = jnp.where(some, replicated(positions)[first], 0)
    spare = jnp.where(some, row(rows, first), row(x, place))
    mask = kept.reshape(kept.shape + (1,) * (rows.ndim - 1))
    return x.at[jnp.where(kept, positions, place)].set(
        jnp.where(mask, rows, spare),
        mode="promise_in_bounds",
        out_sharding=layout,
    )
