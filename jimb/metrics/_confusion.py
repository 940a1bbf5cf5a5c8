"""Confusion counts as a pytree of sums."""

from typing import NamedTuple

import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._exports import exported
from jimb._report import report
from jimb._typing import Array, ArrayLike, Integer


@exported
class ConfusionState(NamedTuple):
    """Confusion counts, int32 `[K, K]`: row the true class, column the predicted one.

    A negative count is one that went beyond 2³¹ - 1; the measures are then NaN.
    """

    counts: Integer[Array, "K K"]


def init(num_classes: int) -> ConfusionState:
    """Counts of nothing yet.

    Args:
      num_classes: K.

    Returns:
      A `ConfusionState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1, or K² is not below 2³¹.

    Example:
      >>> import jimb
      >>> jimb.metrics.init(3).counts.shape
      (3, 3)
    """
    k = _checks.size("num_classes", num_classes)
    _checks.size("num_classes ** 2, the number of cells,", k * k)
    return ConfusionState(jnp.zeros((k, k), jnp.int32))


def update(
    state: ConfusionState,
    predictions: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
) -> ConfusionState:
    """Adds a batch of predicted classes.

    A batch sharded over a mesh axis, or over several hosts, is counted as a whole. Inside
    `jax.shard_map`, where each device sees its share, count the shares, sum, and merge:

        batch = jimb.metrics.update(jimb.metrics.init(K), predictions, labels)
        state = jimb.metrics.merge(state, jax.lax.psum(batch, "data"))

    A count that would go beyond 2³¹ - 1 becomes and stays -1, and the measures NaN.

    Args:
      state: from `init`, `update` or `merge`.
      predictions: integers, usually `logits.argmax(-1)`, any shape.
      labels: integers of the same shape.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A state of the same shape and dtype.

    Raises:
      TypeError: predictions or labels are not integers, or `where` is not boolean.
      ValueError: shapes differ, or Python or NumPy values lie outside [0, K) unmasked. Traced ones
        are dropped, with a checkify message. A count beyond 2³¹ - 1 leaves one, too.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(state.counts)
      [[1 1]
       [0 1]]
    """
    num_classes = state.counts.shape[0]
    shape = jnp.asarray(labels).shape
    _checks.same_shape("predictions", jnp.asarray(predictions), shape, "labels")
    column, predicted = _labels.in_range(
        _labels.positions("predictions", predictions, num_classes, where, "classes"), num_classes
    )
    row, labelled = _labels.in_range(
        _labels.positions("labels", labels, num_classes, where, "classes"), num_classes
    )
    size = num_classes * num_classes
    cells = jnp.where(predicted & labelled, row * num_classes + column, size)
    added = _labels.class_sums(cells, jnp.int32(1), size)
    return ConfusionState(_added(state.counts, added.reshape(num_classes, num_classes)))


def merge(left: ConfusionState, right: ConfusionState) -> ConfusionState:
    """The counts of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same K.

    Returns:
      Their sum; -1 for a count beyond 2³¹ - 1, as in `update`.

    Raises:
      ValueError: the numbers of classes differ. A count beyond 2³¹ - 1 leaves a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> one = jimb.metrics.update(jimb.metrics.init(2), jnp.array([1]), jnp.array([1]))
      >>> print(jimb.metrics.merge(one, one).counts)
      [[0 0]
       [0 2]]
    """
    _checks.same_shape("right.counts", right.counts, left.counts.shape, "left.counts")
    return ConfusionState(_added(left.counts, right.counts))


def _added(left: Integer[Array, "K K"], right: Integer[Array, "K K"]) -> Integer[Array, "K K"]:
    """The sum, with -1 for what int32 does not hold: further sums must not come back from there."""
    total = left + right
    counted = report(
        (left >= 0) & (right >= 0) & (total >= 0),
        "a confusion count went beyond 2**31 - 1, and the measures are NaN; keep the counts of "
        "fewer examples in one state.",
    )
    return jnp.where(counted, total, -1)
