"""A function of rows over a whole data set, in place and a cacheful at a time."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax

State = TypeVar("State")

_CHUNK = 2**19  # elements: their float32 copies fit the second-level cache of one or two cores


def in_chunks(
    fn: Callable[..., State], state: State, *rows: Any, width: int, num_rows: int
) -> State:
    """`fn(state, *rows)` for a function that treats each row by itself and returns a new state.

    On a CPU in chunks of rows: what is computed on the way then stays in the cache, and a donated
    state is overwritten in place. Accelerators, and data laid out over a mesh, take all at once.
    """
    size = max(_CHUNK // width, 1)
    if num_rows < 2 * size or any(_on_mesh(x) for x in jax.tree.leaves((state, rows))):
        return fn(state, *rows)

    def chunked(state: State, *rows: Any) -> State:
        def step(start: Any, count: int, state: State) -> State:
            def part(x: Any) -> Any:
                return jax.lax.dynamic_slice_in_dim(x, start, count)

            def written(x: Any, new: Any) -> Any:
                return jax.lax.dynamic_update_slice_in_dim(x, new, start, 0)

            new: State = fn(*jax.tree.map(part, (state, *rows)))
            result: State = jax.tree.map(written, state, new)
            return result

        chunks, rest = divmod(num_rows, size)
        state = jax.lax.fori_loop(0, chunks, lambda i, state: step(i * size, size, state), state)
        return step(chunks * size, rest, state) if rest else state

    result: State = jax.lax.platform_dependent(state, *rows, cpu=chunked, default=fn)
    return result


def _on_mesh(x: Any) -> bool:
    """Whether rows may lie on several devices; inside `shard_map` they do not."""
    mesh = jax.typeof(x).sharding.mesh
    return not mesh.empty and any(t != jax.sharding.AxisType.Manual for t in mesh.axis_types)
