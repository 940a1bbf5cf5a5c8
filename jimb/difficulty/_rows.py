"""Updates of a per-example state by a batch: what is checked, and which rows are read and written.

A state is a pytree of arrays whose first axis is the data set's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jimb import _checks, _labels
from jimb._layout import laid_out_like, replicated
from jimb._report import report
from jimb._scatter import set_rows
from jimb._typing import Array, ArrayLike, Bool, Integer
from jimb.difficulty._chunks import in_chunks
from jimb.difficulty._given import logits_and_labels
from jimb.heads._head import Logits, LogitsLike
from jimb.heads._read import in_batch

State = TypeVar("State")


class Batch(NamedTuple):
    """Checked input of an update.

    Attributes:
      logits: `[B, K]`, without gradient.
      labels: int32 `[B]`; -1 stands for every label outside [0, K), 0 for one that is masked.
      mask: which rows count, `[B]`, or None.
      positions: rows of the state, `[B]`, in range; None means all of them, in order.
    """

    logits: Logits
    labels: Integer[Array, " B"]
    mask: Bool[Array, " B"] | None
    positions: Integer[Array, " B"] | None


def checked(
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    index: ArrayLike | None,
    where: ArrayLike | None,
    num_examples: int,
    num_classes: int | None = None,
) -> Batch:
    """The batch; an error sentence where something does not fit a state of this size."""
    z, array = logits_and_labels(logits, labels)
    if z.ndim != 2:
        raise ValueError(f"logits must be [N, K] or [B, K], got {z.dtype}{list(z.shape)}.")
    if num_classes is not None and z.shape[-1] != num_classes:
        raise ValueError(f"logits have {z.shape[-1]} classes, the state {num_classes}.")
    mask = _checks.mask(where, array.shape, "labels")
    if mask is not None:
        mask = laid_out_like(mask, in_batch(z))
    safe, valid = _labels.in_range(array, z.shape[-1])
    message = f"labels must lie in [0, {z.shape[-1]}), the classes; some did not: NaN."
    said = report(valid if mask is None else valid | ~mask, message)
    targets = jnp.where(said, safe, -1)
    positions, kept = None, mask
    if index is not None:
        positions, kept = _positions(in_batch(z), index, where, mask, num_examples)
    elif z.shape[0] != num_examples:
        raise ValueError(
            f"logits are {list(z.shape)}, the state has {num_examples} examples: pass all of them "
            "in order, or say which these are with index=."
        )
    return Batch(jax.lax.stop_gradient(z), targets, kept, positions)


def read(state: State, positions: Integer[Array, " B"] | None) -> State:
    """These rows of the state, laid out like `positions`."""
    if positions is None:
        return state
    layout = jax.typeof(positions).sharding

    def rows(x: Array) -> Array:
        spec = PartitionSpec(*layout.spec, *jax.typeof(x).sharding.spec[1:])
        return x.at[positions].get(mode="promise_in_bounds", out_sharding=layout.update(spec=spec))

    found: State = jax.tree.map(rows, state)
    return found


def write(
    state: State,
    rows: State,
    positions: Integer[Array, " B"] | None,
    mask: Bool[Array, " B"] | None,
) -> State:
    """The state with these rows in place of its own, but for those that are masked."""

    def written(x: Array, new: Array) -> Array:
        if mask is None:
            return new
        if positions is None:
            return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - 1)), new, x)
        placed: Array = set_rows(x, positions, new, mask)
        return placed

    result: State = jax.tree.map(written, state, rows)
    return result


def updated(
    fn: Callable[..., State],
    state: State,
    logits: LogitsLike,
    labels: ArrayLike,
    *extra: Array | None,
    index: ArrayLike | None,
    where: ArrayLike | None,
    num_classes: int | None = None,
) -> State:
    """The state with `fn(rows, logits, labels, *extra)` in place of the rows of the batch.

    `fn` treats each row by itself; a label outside [0, K) reaches it as -1.
    """
    batch = checked(
        logits,
        labels,
        index=index,
        where=where,
        num_examples=jax.tree.leaves(state)[0].shape[0],
        num_classes=num_classes,
    )
    given = (batch.logits, batch.labels, *extra)
    if batch.positions is None and isinstance(batch.logits, Array):
        rows = jax.tree.leaves(state)[0]
        in_rows = (batch.mask, batch.logits, batch.labels, *extra)
        laid_out = [x if x is None else laid_out_like(x, rows) for x in in_rows]
        whole: State = _all_updated(fn, state, *laid_out)
        return whole
    return write(state, fn(read(state, batch.positions), *given), batch.positions, batch.mask)


@jax.jit(static_argnames="fn")  # else a caller without jit would compile its loop at each call
def _all_updated(
    fn: Callable[..., State], state: State, mask: Array | None, logits: Array, *given: Array | None
) -> State:
    num_rows, width = logits.shape

    def rows(state: State, mask: Array | None, *given: Array | None) -> State:
        return write(state, fn(state, *given), None, mask)

    return in_chunks(rows, state, mask, logits, *given, num_rows=num_rows, width=width)


def _positions(
    batch: Array,
    index: ArrayLike,
    where: ArrayLike | None,
    mask: Bool[Array, " B"] | None,
    num_examples: int,
) -> tuple[Integer[Array, " B"], Bool[Array, " B"]]:
    """Rows of the state, and which of them to write."""
    array = _checks.integer("index", index)
    _checks.same_shape("index", array, batch.shape[:-1], "the batch, logits.shape[:-1]")
    _labels.raise_if_outside("index", index, num_examples, where, "examples")
    _raise_if_repeated(index, where)
    array = laid_out_like(array, batch)
    positions = _labels.positions("index", array, num_examples, mask, "examples")
    said = report(
        positions <= num_examples,  # always: the check is that of repeats
        "index must hold each position once; some came twice, and one update was lost.",
        check=lambda positions: _unique(positions, num_examples),
        positions=positions,
    )
    safe, kept = _labels.in_range(positions, num_examples)
    return safe, said & kept


def _unique(positions: Array, num_examples: int) -> Array:
    """Whether no position comes twice, but for those to drop."""
    ordered = jnp.sort(replicated(positions))
    repeated = ordered[..., 1:] == ordered[..., :-1]
    return ~jnp.any(repeated & (ordered[..., 1:] < num_examples))


def _raise_if_repeated(index: Any, where: Any) -> None:
    """ValueError where a host index names a position twice, of which one update would be lost."""
    if not (_checks.on_host(index) and (where is None or _checks.on_host(where))):
        return
    kept = np.asarray(index) if where is None else np.asarray(index)[np.asarray(where)]
    values, times = np.unique(kept, return_counts=True)
    if (times > 1).any():
        bad = ", ".join(map(str, values[times > 1][:8]))
        raise ValueError(
            f"index must hold each position once, got {bad} more than once: mask the repeats with "
            "where=, or update in several calls."
        )
