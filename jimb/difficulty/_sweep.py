"""The pass over the training set at the end of an epoch, a chunk of examples at a time."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from jimb import _checks
from jimb._layout import replicated
from jimb._typing import Array, ArrayLike
from jimb.difficulty._instance import update as update_difficulty

State = TypeVar("State")


def sweep(
    state: State,
    apply: Callable[[Any, Any], Array],
    params: Any,
    *,
    examples: Any,
    labels: ArrayLike,
    where: ArrayLike | None = None,
    previous_params: Any = None,
    update: Callable[..., Any] = update_difficulty,
    chunk_size: int = 1024,
    mesh_axis: str | None = None,
) -> State:
    r"""Updates a state by one pass over the whole data set: predict a chunk, update its rows.

    At no time are there more logits than those of one chunk. Where N is no multiple of the chunk,
    the last chunk begins earlier, and what it has again is masked; no padding reaches the model.
    Call it inside a jitted function that donates the state, which is then overwritten in place.

    Args:
      state: of `difficulty.init`, or of a tracker with one row per example.
      apply: `apply(params, x) -> logits [C, K]` for a chunk `x` of the examples, in evaluation
        mode: it must treat each example by itself.
      params: of the model, any pytree.
      examples: a pytree of arrays `[N, ...]`.
      labels: integers `[N]`.
      where: booleans `[N]`; False leaves an example as it was.
      previous_params: the parameters of the sweep before, for a difficulty state in snapshot mode:
        both are applied. At the first sweep, parameters whose logits are all equal.
      update: the state's `update` function; `difficulty.last_loss.update`, say, for that tracker.
      chunk_size: C, examples at a time (on each device).
      mesh_axis: an axis of the mesh in context (`jax.set_mesh`) to divide the examples over: each
        device sweeps its own share, without communication. An N that does not divide is padded,
        masked and cut again, which copies; a large data set should be laid out in equal shares.

    Returns:
      A state of the same types, shapes and dtypes, without gradient. The sums are those of one
      `update` with all logits, for a half-precision store of 2²⁴ predictions and more to about
      float32's rounding.

    Raises:
      TypeError: `chunk_size` is no int, or as `update`.
      ValueError: `chunk_size` is below 1, `mesh_axis` is no axis of the mesh in context, or left
        out where rows are divided over an Explicit one, examples or labels are not N, or as
        `update`.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> x, labels = jnp.arange(10.0).reshape(5, 2), jnp.array([0, 0, 1, 1, 1])
      >>> apply, params = lambda w, x: x @ w, jnp.eye(2)
      >>> @jax.jit(donate_argnames="state")
      ... def end_epoch(state, params):
      ...     return jimb.difficulty.sweep(
      ...         state, apply, params, examples=x, labels=labels, chunk_size=2
      ...     )
      >>> print(end_epoch(jimb.difficulty.init(5, 2), params).learned.round(3))
      [0.    0.    0.231 0.231 0.231]
    """
    size = _checks.size("chunk_size", chunk_size)
    num_examples = jax.tree.leaves(state)[0].shape[0]
    targets = _checks.integer("labels", labels)
    _checks.same_shape("labels", targets, (num_examples,), "the state's examples")
    mask = _checks.mask(where, targets.shape, "labels")
    inputs = jax.tree.map(jnp.asarray, examples)
    for leaf in jax.tree.leaves(inputs):
        if leaf.shape[:1] != (num_examples,):
            raise ValueError(
                f"examples must have the state's {num_examples} examples along their first axis, "
                f"got {_checks.describe(leaf)}."
            )
    models = (params,) if previous_params is None else (params, previous_params)

    def swept(state: State, models: Any, inputs: Any, targets: Array, mask: Array) -> State:
        def logits(x: Any) -> dict[str, Array]:
            now, *before = (apply(model, x) for model in models)
            return {"logits": now} | ({"previous_logits": before[0]} if before else {})

        def predicted_and_updated(state: State, x: Any, y: Array, kept: Array) -> State:
            new: State = update(state, labels=y, where=kept, **logits(x))
            return new

        return _by_chunks(predicted_and_updated, state, inputs, targets, mask, size)

    everything = (inputs, targets, jnp.ones_like(targets, bool) if mask is None else mask)
    if mesh_axis is None:
        _raise_if_divided(state, everything)
        return swept(state, models, *everything)
    return _on_shares(swept, mesh_axis, state, models, everything)


def _by_chunks(
    fn: Callable[..., State],
    state: State,
    inputs: Any,
    targets: Array,
    mask: Array,
    size: int,
) -> State:
    """`fn(state, inputs, targets, mask)` for chunks of rows, each written back in its place."""
    num_rows = targets.shape[0]
    size = min(size, num_rows)

    def step(i: Array, state: State) -> State:
        start = jnp.minimum(i * size, num_rows - size)

        def chunk(x: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(x, start, size)

        def written(x: Array, new: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(x, new, start, 0)

        fresh = start + jnp.arange(size, dtype=jnp.int32) >= i * size
        rows = jax.tree.map(chunk, (state, inputs, targets))
        new = fn(*rows, chunk(mask) & fresh)
        result: State = jax.tree.map(written, state, new)
        return result

    swept: State = jax.lax.fori_loop(0, -(-num_rows // size), step, state)
    return swept


def _raise_if_divided(state: Any, rows: Any) -> None:
    """ValueError where rows lie on several devices of an Explicit mesh, and no axis was named."""
    for x in jax.tree.leaves((state, rows)):
        axis = jax.typeof(x).sharding.spec[0]
        if axis is not None:
            raise ValueError(
                f"the state or the data are divided over the mesh axis {axis!r}: pass "
                f"mesh_axis={axis!r}, and each device sweeps its own share."
            )


def _on_shares(
    fn: Callable[..., State], axis: str, state: State, models: Any, rows: tuple[Any, Array, Array]
) -> State:
    """`fn(state, models, *rows)` with the rows of state and data divided over a mesh axis."""
    mesh = jax.sharding.get_abstract_mesh()
    if axis not in mesh.axis_names:
        raise ValueError(
            f"mesh_axis={axis!r} is no axis of the mesh in context, which has "
            f"{list(mesh.axis_names)}; call inside jax.set_mesh(mesh)."
        )
    num_rows, share = rows[1].shape[0], PartitionSpec(axis)
    padding = -num_rows % mesh.shape[axis]
    by_type = mesh.axis_types[mesh.axis_names.index(axis)] == AxisType.Explicit

    def divided(x: Array) -> Array:
        if padding:
            x = jnp.pad(replicated(x), [(0, padding)] + [(0, 0)] * (x.ndim - 1))
        if not by_type:
            return x
        rest = jax.typeof(x).sharding.spec[1:]  # the classes of a store may be divided, too
        laid_out: Array = jax.sharding.reshard(x, PartitionSpec(axis, *rest))
        return laid_out

    swept: State
    swept = jax.shard_map(
        lambda state, models, rows: fn(state, models, *rows),
        in_specs=(share, PartitionSpec(), share),
        out_specs=share,
        axis_names={axis},
    )(jax.tree.map(divided, state), models, jax.tree.map(divided, rows))
    if padding:
        swept = jax.tree.map(lambda x: replicated(x)[:num_rows], swept)
    return swept
