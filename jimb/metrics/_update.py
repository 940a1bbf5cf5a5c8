"""Batches counted into a state of either kind, and states put together."""

from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

from jimb import _clock, _ids, _labels, _pairs
from jimb._counts import CountState
from jimb._layout import laid_out_like
from jimb._pairs import Pair
from jimb._typing import Array, ArrayLike, Integer
from jimb.metrics._compiled import compiled
from jimb.metrics._confusion import ConfusionState
from jimb.metrics._example_weights import checked, included
from jimb.metrics._fixed_point import of_ones, of_weights, value
from jimb.metrics._state import State
from jimb.metrics._tally import TallyState, num_classes_of
from jimb.metrics._weighted import WeightedConfusionState, WeightedTallyState

Kind = TypeVar("Kind", bound=State)
Weighted = WeightedConfusionState | WeightedTallyState


def update(
    state: Kind,
    predictions: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Kind:
    """Adds a batch of predicted classes.

    A batch sharded over a mesh axis, or over several hosts, is counted as a whole. Inside
    `jax.shard_map`, where each device sees its share, count the shares, sum, and merge:

        batch = jimb.metrics.update(jimb.metrics.init(K), predictions, labels)
        state = jimb.metrics.merge(state, jax.lax.psum(batch, "data"))

    Counts go on beyond int32. One beyond 2⁵³ is lost, and the measures NaN for good.

    Args:
      state: from `init`, `init_tally`, their weighted kinds, `update` or `merge`.
      predictions: integers, usually `logits.argmax(-1)`, any shape.
      labels: integers of the same shape.
      weights: of examples, non-negative, floating point of the same shape, for a state from
        `init_weighted` or `init_weighted_tally`; None counts each as 1. A weight of 0 leaves an
        example out, whatever its label.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A state of the same kind, shape and dtypes.

    Raises:
      TypeError: not a state, predictions or labels are not integers, `where` is not boolean, or
        weights are not floating point or are given to a state of whole examples.
      ValueError: shapes differ, predictions and labels are one-hot, or Python or NumPy values lie
        outside [0, K) unmasked. An example with a traced one is dropped, with a checkify message. A
        count beyond 2⁵³ leaves one, too. Weights are negative or not finite: traced, all sums are
        NaN, with a message.

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
    if weights is not None and not isinstance(state, Weighted):
        raise TypeError(
            f"state must be weighted to take weights, got a {type(state).__name__}, which counts "
            "whole examples; make it by metrics.init_weighted(K), or init_weighted_tally(K)."
        )
    where = included(weights, where, np.shape(labels), "labels")
    column, predicted = _labels.in_range(
        _labels.positions("predictions", predictions, num_classes, where, "classes"), num_classes
    )
    rows = _labels.positions("labels", labels, num_classes, where, "classes")
    row, labelled = _labels.in_range(laid_out_like(rows, column), num_classes)
    kept = predicted & labelled
    if isinstance(state, Weighted):
        given = None if weights is None else laid_out_like(checked(weights, where), column)
        batch = _weighed(state, row, column, kept, given)
    else:
        count: Any = _tally if isinstance(state, TallyState) else _confusion
        batch = count(row, column, kept, num_classes)
    more: Kind = merge(state, batch)
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
            "count both from init(K), or both from init_tally(K), or from the same weighted kind."
        )
    if sizes[0] != sizes[1]:
        raise ValueError(f"right must be of the {sizes[0]} classes of left, got {sizes[1]}.")
    both: Kind = _added(left, right)
    return both


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, ConfusionState):
        return ConfusionState(*_clock.added(left, right))
    if isinstance(left, Weighted):
        return type(left)(*compiled(_pairs.add)(left, right))
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


@compiled
def _weighed(state: Any, row: Places, column: Places, kept: Array, weights: Array | None) -> Any:
    k = state.high.shape[-1]
    of = of_ones(kept) if weights is None else of_weights(jnp.where(kept, weights, 0))

    def summed(place: Places, some: Array, size: int) -> Pair:
        return value(_labels.class_sums(jnp.where(some, place, size), of.digits, size), of)

    if isinstance(state, WeightedConfusionState):
        cells = summed(row * k + column, kept, k * k)
        return WeightedConfusionState(*(part.reshape(k, k) for part in cells))
    parts = (
        summed(row, kept & (row == column), k),
        summed(row, kept, k),
        summed(column, kept, k),
    )
    return WeightedTallyState(*map(jnp.stack, zip(*parts, strict=True)))
