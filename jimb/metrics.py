"""Confusion counts as a pytree of sums, and measures read from them."""

from typing import NamedTuple

import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._typing import Array, ArrayLike, Float, Integer


class ConfusionState(NamedTuple):
    """Confusion counts, int32 `[K, K]`: row the true class, column the predicted one."""

    counts: Integer[Array, "K K"]


def init(num_classes: int) -> ConfusionState:
    """Counts of nothing yet.

    Args:
      num_classes: K.

    Returns:
      A `ConfusionState`.

    Raises:
      ValueError: K is below 1.

    Example:
      >>> import jimb
      >>> jimb.metrics.init(3).counts.shape
      (3, 3)
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}.")
    return ConfusionState(jnp.zeros((num_classes, num_classes), jnp.int32))


def update(
    state: ConfusionState,
    predictions: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
) -> ConfusionState:
    """Adds a batch of predicted classes.

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
        are dropped, with a checkify message.

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
    return ConfusionState(state.counts + added.reshape(num_classes, num_classes))


def merge(left: ConfusionState, right: ConfusionState) -> ConfusionState:
    """The counts of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same K.

    Returns:
      Their sum.

    Raises:
      ValueError: the numbers of classes differ.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> one = jimb.metrics.update(jimb.metrics.init(2), jnp.array([1]), jnp.array([1]))
      >>> print(jimb.metrics.merge(one, one).counts)
      [[0 0]
       [0 2]]
    """
    _checks.same_shape("right.counts", right.counts, left.counts.shape, "left.counts")
    return ConfusionState(left.counts + right.counts)


def per_class_recall(state: ConfusionState) -> Float[Array, " K"]:
    r"""The share of each class that was predicted right, `C_cc / Σ_j C_cj`.

    Args:
      state: confusion counts.

    Returns:
      Recalls `[K]` in [0, 1], float32; NaN for a class without examples.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(jimb.metrics.per_class_recall(state))
      [0.5 1.  nan]
    """
    examples = jnp.sum(state.counts, axis=1)
    recalled = jnp.diagonal(state.counts).astype(jnp.float32)
    return jnp.where(examples > 0, recalled / jnp.maximum(examples, 1).astype(jnp.float32), jnp.nan)


def balanced_accuracy(state: ConfusionState) -> Float[Array, ""]:
    r"""The mean recall over the classes that have examples.

    Args:
      state: confusion counts.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 1, 1]), jnp.array([0, 0, 1]))
      >>> print(jimb.metrics.balanced_accuracy(state))
      0.75

    Reference:
      Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010.
    """
    return jnp.nanmean(per_class_recall(state))
