"""A pool of hard examples: each batch's hardest go in, and come out again as full batches.

A ring buffer of fixed size, so that a training step with it compiles once.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._layout import replicated
from jimb._report import report
from jimb._scatter import set_rows
from jimb._typing import Array, ArrayLike, Bool, Integer

__all__ = ["PoolState", "init", "pop", "push"]


@exported
class PoolState(NamedTuple):
    """Examples in the order in which they came, in a ring.

    Attributes:
      examples: a pytree; each array `[capacity, ...]`.
      start: where the oldest example is, int32 `[]`.
      size: how many examples there are, int32 `[]`.
      batch: as long as what `pop` gives back, which fixes shapes; all False, and never read.
    """

    examples: Any
    start: Integer[Array, ""]
    size: Integer[Array, ""]
    batch: Bool[Array, " batch_size"]


def init(example: Any, *, capacity: int, batch_size: int) -> PoolState:
    """An empty pool.

    A state is one copy of `capacity` examples. Donate it to the compiled step, or each step copies
    it. It is the same on every device of a mesh: put it there with `jax.device_put(state, P())`.

    Args:
      example: one example, without a batch axis: a pytree of arrays or `jax.ShapeDtypeStruct`, of
        which only shapes and dtypes count. `jnp.int32(0)` for positions in the data set; typed keys
        are arrays too.
      capacity: how many examples fit, at least `batch_size`. If each push adds at most h of them,
        no more than `batch_size`, and a pop follows, `batch_size + h` is always enough.
      batch_size: how many examples `pop` gives back.

    Returns:
      A `PoolState`.

    Raises:
      TypeError: a leaf of `example` is no array, or `capacity` or `batch_size` is not an int.
      ValueError: `example` has no arrays, `capacity` or `batch_size` is below 1, or `capacity` is
        below `batch_size`.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> example = {"image": jax.ShapeDtypeStruct((32, 32, 3), jnp.uint8), "label": jnp.int32(0)}
      >>> state = jimb.mining.pool.init(example, capacity=512, batch_size=128)
      >>> state.examples["image"].shape
      (512, 32, 32, 3)
    """
    capacity, batch_size = (
        _checks.size("capacity", capacity),
        _checks.size("batch_size", batch_size),
    )
    if capacity < batch_size:
        raise ValueError(
            f"capacity must be at least batch_size, {batch_size}, got {capacity}: the pool gives "
            "back full batches; enlarge it or take smaller batches."
        )
    if not jax.tree.leaves(example):
        raise ValueError(f"example must hold at least one array, got {example!r:.80}.")
    with _checks.numbers("example", example):
        shapes = jax.eval_shape(lambda x: x, example)
    return PoolState(
        jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), shapes),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), jnp.int32),
        jnp.zeros(batch_size, jnp.bool_),
    )


def push(
    state: PoolState, examples: Any, *, where: ArrayLike | None = None
) -> tuple[PoolState, Bool[Array, " B"]]:
    """Adds examples of a batch, in their order, behind those that are there.

    Args:
      state: a `PoolState`.
      examples: a pytree as given to `init`, each array with a leading axis, `[B, ...]`.
      where: booleans `[B]`; False leaves an example out. Usually
        `jimb.mining.hard_example_weights(...) > 0`.

    Returns:
      A state of the same types, shapes and dtypes, and which examples were taken, `[B]`. When the
      pool is full the rest is not taken, with a checkify message. Examples keep no gradient. A
      batch that is split over a mesh is gathered: the pool is the same on every device.

    Raises:
      TypeError: an array has another dtype than the pool's, or `where` is not boolean.
      ValueError: the structure is not that of the pool's examples, or a shape does not fit.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.mining.pool.init(jnp.int32(0), capacity=3, batch_size=2)
      >>> positions, losses = jnp.array([7, 8, 9, 4]), jnp.array([0.1, 2.0, 0.3, 0.7])
      >>> hard = jimb.mining.hard_example_weights(losses, keep=2) > 0
      >>> state, taken = jimb.mining.pool.push(state, positions, where=hard)
      >>> print(state.examples, taken)
      [8 4 0] [False  True False  True]
    """
    batch, num = _batch(state, examples)
    mask = _checks.mask(where, (num,), "the examples' first axis")
    wanted = jnp.ones(num, bool) if mask is None else replicated(mask)
    capacity = _capacity(state)
    rank = jnp.cumsum(wanted, dtype=jnp.int32) - 1
    fits = rank < capacity - state.size
    fits = report(
        ~wanted | fits,
        "the pool is full, and {left} of the examples did not fit: pop after each push, push fewer "
        "of each batch, or give it a larger capacity.",
        left=jnp.sum(wanted & ~fits),
    )
    taken = wanted & fits
    place = _further(_further(state.start, state.size, capacity), rank, capacity)
    place = jnp.where(taken, place, 0)

    def written(ring: Array, rows: Array) -> Array:
        new = replicated(jax.lax.stop_gradient(rows))
        placed: Array = set_rows(ring, place, new, taken)
        return placed

    ring = jax.tree.map(written, state.examples, batch)
    size = state.size + jnp.sum(taken, dtype=jnp.int32)
    return state._replace(examples=ring, size=size), taken


def pop(state: PoolState) -> tuple[PoolState, Any, Bool[Array, " batch_size"]]:
    """Takes the oldest `batch_size` examples out, once there are so many.

    Args:
      state: a `PoolState`.

    Returns:
      A state of the same types, shapes and dtypes; the examples, each array `[batch_size, ...]`;
      and `where`, booleans `[batch_size]`, for the loss and `weighted_mean`: all True, or, while
      there are too few, all False. The state is then as it was, and the examples are zeros.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.mining.pool.init(jnp.int32(0), capacity=3, batch_size=2)
      >>> state, _ = jimb.mining.pool.push(state, jnp.array([5, 6, 7]))
      >>> for _ in range(2):
      ...     state, positions, where = jimb.mining.pool.pop(state)
      ...     print(positions, where, state.size)
      [5 6] [ True  True] 1
      [0 0] [False False] 1
    """
    batch_size, capacity = state.batch.shape[0], _capacity(state)
    ready = state.size >= batch_size
    places = _further(state.start, jnp.arange(batch_size, dtype=jnp.int32), capacity)

    def oldest(ring: Array) -> Array:
        rows = ring.at[places].get(mode="promise_in_bounds")
        return jnp.where(ready, rows, jnp.zeros_like(rows))

    rest = state._replace(
        start=jnp.where(ready, _further(state.start, jnp.int32(batch_size), capacity), state.start),
        size=jnp.where(ready, state.size - batch_size, state.size),
    )
    return rest, jax.tree.map(oldest, state.examples), jnp.broadcast_to(ready, (batch_size,))


def _further(place: Array, steps: Array, capacity: int) -> Integer[Array, "*any"]:
    """The place so many steps on, at most once around; the sum might not fit 32 bits."""
    until_end = capacity - place
    return jnp.where(steps < until_end, place + steps, steps - until_end)


def _capacity(state: PoolState) -> int:
    capacity: int = jax.tree.leaves(state.examples)[0].shape[0]
    return capacity


def _batch(state: PoolState, examples: Any) -> tuple[Any, int]:
    """The examples as arrays, and how many there are."""
    _same_structure(state.examples, examples)
    sizes: dict[str, int] = {}

    def checked(path: Any, ring: Array, leaf: Any) -> Array:
        name = "examples" + jax.tree_util.keystr(path)
        with _checks.numbers(name, leaf):
            array = jnp.asarray(leaf)
        if array.dtype != ring.dtype:
            raise TypeError(
                f"{name} must be {ring.dtype}, as in the pool, got {_checks.describe(array)}; cast "
                "it, or give init an example of this dtype."
            )
        if array.ndim == 0 or array.shape[1:] != ring.shape[1:]:
            shape = ", ".join(["B", *map(str, ring.shape[1:])])
            raise ValueError(
                f"{name} must be [{shape}], as in the pool, got {_checks.describe(array)}; one "
                "example alone needs a leading axis of size 1."
            )
        sizes[name] = array.shape[0]
        return array

    arrays = jax.tree.map_with_path(checked, state.examples, examples)
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"examples must have one leading axis, [B, ...], got sizes {said}.")
    return arrays, next(iter(sizes.values()))


def _same_structure(pool: Any, examples: Any) -> None:
    """ValueError unless the trees are built alike; it names what is missing or too much."""
    expected: Any = jax.tree.structure(pool)
    given: Any = jax.tree.structure(examples)
    if expected == given:
        return
    paths = [
        [jax.tree_util.keystr(path) or "the array itself" for path, _ in found]
        for found in map(jax.tree.leaves_with_path, (pool, examples))
    ]
    missing, surplus = ([path for path in paths[i] if path not in paths[1 - i]] for i in range(2))
    said = [
        f"{what} {', '.join(names[:8])}"
        for what, names in (("missing", missing), ("not in the pool", surplus))
        if names
    ]
    raise ValueError(
        "examples must be built like the example given to init: "
        + ("; ".join(said) or f"that was {expected}, this is {given}")
        + "."
    )
