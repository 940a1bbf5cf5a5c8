"""Confusion counts as a pytree of sums."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _clock, _ids, _labels
from jimb._exports import exported
from jimb._layout import laid_out_like
from jimb._typing import Array, ArrayLike, Float, Integer


class _Fields(NamedTuple):
    counts: Integer[Array, "K K"]
    rough: Float[Array, "K K"]


@exported
class ConfusionState(_clock.Hands, _Fields):
    """Confusion counts `[K, K]`, exact up to 2⁵³: row the true class, column the predicted one.

    `ConfusionState(counts)` makes one of a matrix that is known, another library's or an older
    state's. `counting.to_numpy` has the exact counts at any size. States add up leaf by leaf, under
    `jax.lax.psum` too, as long as n of them hold no more than 2⁵⁵ / n examples of a cell.

    Attributes:
      counts: int32, the number itself below 2³¹, modulo 2³² beyond.
      rough: float32, the same number rounded; NaN, for good, beyond 2⁵³.
    """

    __slots__ = ()

    def __new__(cls, counts: Any, rough: Any = None) -> "ConfusionState":
        """Both hands; the second may be left out where `counts` are plain counts."""
        return super().__new__(cls, *_clock.hands(counts, rough))


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
    return ConfusionState(jnp.zeros((k, k), jnp.int32), jnp.zeros((k, k), jnp.float32))


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

    Counts go on beyond int32. One beyond 2⁵³ is lost, and the measures NaN for good.

    Args:
      state: from `init`, `update` or `merge`.
      predictions: integers, usually `logits.argmax(-1)`, any shape.
      labels: integers of the same shape.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A state of the same shape and dtypes.

    Raises:
      TypeError: the state is no `ConfusionState`, predictions or labels are not integers, or
        `where` is not boolean.
      ValueError: shapes differ, predictions and labels are one-hot, or Python or NumPy values lie
        outside [0, K) unmasked. Traced ones are dropped, with a checkify message. A count beyond
        2⁵³ leaves one, too.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(state.counts)
      [[1 1]
       [0 1]]
    """
    num_classes = matrix("state", state).shape[0]
    _ids.check_both(predictions, labels, num_classes)
    column, predicted = _labels.in_range(
        _labels.positions("predictions", predictions, num_classes, where, "classes"), num_classes
    )
    rows = _labels.positions("labels", labels, num_classes, where, "classes")
    row, labelled = _labels.in_range(laid_out_like(rows, column), num_classes)
    size = num_classes * num_classes
    cells = jnp.where(predicted & labelled, row * num_classes + column, size)
    batch = [hand.reshape(num_classes, num_classes) for hand in _labels.counted(cells, size)]
    return merge(state, ConfusionState(*batch))


def merge(left: ConfusionState, right: ConfusionState) -> ConfusionState:
    """The counts of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same K.

    Returns:
      Their sum.

    Raises:
      TypeError: one is no `ConfusionState`.
      ValueError: the numbers of classes differ. A count beyond 2⁵³ leaves a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> one = jimb.metrics.update(jimb.metrics.init(2), jnp.array([1]), jnp.array([1]))
      >>> print(jimb.metrics.merge(one, one).counts)
      [[0 0]
       [0 2]]
    """
    shape = matrix("left", left).shape
    _checks.same_shape("right.counts", matrix("right", right), shape, "left.counts")
    return ConfusionState(*_clock.added(left, right))


def matrix(name: str, state: Any) -> Array | np.ndarray:
    """The hand that is exact; a state may have been made from another library's matrix."""
    if not isinstance(state, ConfusionState):
        raise TypeError(
            f"{name} must be a ConfusionState, got {_checks.named(state)}; count predictions by "
            "metrics.update(metrics.init(K), predictions, labels), or make a state of a matrix "
            "[K, K], rows true, by metrics.ConfusionState(matrix)."
        )
    counts: Array | np.ndarray = state.counts
    if getattr(counts, "dtype", None) != jnp.int32 or state.rough.dtype != jnp.float32:
        raise TypeError(f"{name}.counts must be integers, got {_checks.named(counts)}; cast them.")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"{name}.counts must be [K, K], got {_checks.describe(counts)}.")
    return counts
