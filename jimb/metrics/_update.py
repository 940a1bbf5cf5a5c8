"""Batches counted into a state of either kind, and states put together."""

from typing import Any, TypeVar

import jax.numpy as jnp

from jimb import _clock, _ids, _labels
from jimb._counts import CountState
from jimb._layout import laid_out_like
from jimb._typing import Array, ArrayLike, Integer
from jimb.metrics._confusion import ConfusionState
from jimb.metrics._tally import State, TallyState, num_classes_of

Kind = TypeVar("Kind", bound=State)


def update(
    state: Kind, predictions: ArrayLike, labels: ArrayLike, *, where: ArrayLike | None = None
) -> Kind:
    """Adds a batch of predicted classes.

    A batch sharded over a mesh axis, or over several hosts, is counted as a whole. Inside
    `jax.shard_map`, where each device sees its share, count the shares, sum, and merge:

        batch = jimb.metrics.update(jimb.metrics.init(K), predictions, labels)
        state = jimb.metrics.merge(state, jax.lax.psum(batch, "data"))

    Counts go on beyond int32. One beyond 2⁵³ is lost, and the measures NaN for good.

    Args:
      state: from `init`, `init_tally`, `update` or `merge`.
      predictions: integers, usually `logits.argmax(-1)`, any shape.
      labels: integers of the same shape.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A state of the same kind, shape and dtypes.

    Raises:
      TypeError: not a state, predictions or labels are not integers, or `where` is not boolean.
      ValueError: shapes differ, predictions and labels are one-hot, or Python or NumPy values lie
        outside [0, K) unmasked. An example with a traced one is dropped, with a checkify message. A
        count beyond 2⁵³ leaves one, too.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(state.counts)
      [[1 1]
       [0 1]]
    """
    num_classes = num_classes_of("state", state)
    _ids.check_both(predictions, labels, num_classes)
    column, predicted = _labels.in_range(
        _labels.positions("predictions", predictions, num_classes, where, "classes"), num_classes
    )
    rows = _labels.positions("labels", labels, num_classes, where, "classes")
    row, labelled = _labels.in_range(laid_out_like(rows, column), num_classes)
    count: Any = _tally if isinstance(state, TallyState) else _confusion
    more: Kind = merge(state, count(row, column, predicted & labelled, num_classes))
    return more


def merge(left: Kind, right: Kind) -> Kind:
    """The counts of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same kind and K.

    Returns:
      Their sum.

    Raises:
      TypeError: one is not a state, or they are not of the same kind.
      ValueError: the numbers of classes differ. A count beyond 2⁵³ leaves a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> one = jimb.metrics.update(jimb.metrics.init(2), jnp.array([1]), jnp.array([1]))
      >>> print(jimb.metrics.merge(one, one).counts)
      [[0 0]
       [0 2]]
    """
    sizes = num_classes_of("left", left), num_classes_of("right", right)
    if type(left) is not type(right):
        raise TypeError(
            f"right must be a {type(left).__name__} as left is, got a {type(right).__name__}; "
            "count both from init(K), or both from init_tally(K)."
        )
    if sizes[0] != sizes[1]:
        raise ValueError(f"right must be of the {sizes[0]} classes of left, got {sizes[1]}.")
    both: Kind = _added(left, right)
    return both


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, ConfusionState):
        return ConfusionState(*_clock.added(left, right))
    return TallyState(*(CountState(*_clock.added(*both)) for both in zip(left, right, strict=True)))


Places = Integer[Array, "*batch"]


def _confusion(row: Places, column: Places, kept: Array, k: int) -> ConfusionState:
    hands = _labels.counted(jnp.where(kept, row * k + column, k * k), k * k)
    return ConfusionState(*(hand.reshape(k, k) for hand in hands))


def _tally(row: Places, column: Places, kept: Array, k: int) -> TallyState:
    def counted(place: Places, some: Array) -> CountState:
        return CountState(*_labels.counted(jnp.where(some, place, k), k))

    return TallyState(
        hits=counted(row, kept & (row == column)),
        examples=counted(row, kept),
        predictions=counted(column, kept),
    )
