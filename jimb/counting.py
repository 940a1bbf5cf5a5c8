"""How many examples each class has, of a data set that is seen in batches."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _clock, _counts, _labels
from jimb._counts import CountState
from jimb._typing import Array, ArrayLike, Float
from jimb.metrics import ConfusionState

__all__ = ["CountState", "compute", "init", "merge", "to_numpy", "update"]


def init(num_classes: int) -> CountState:
    """Counts of nothing yet.

    Args:
      num_classes: K.

    Returns:
      A `CountState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1.

    Example:
      >>> import jimb
      >>> jimb.counting.init(3).wrapped.shape
      (3,)
    """
    return _counts.empty(num_classes)


def update(state: CountState, labels: ArrayLike, *, where: ArrayLike | None = None) -> CountState:
    """Adds the labels of a batch.

    A batch sharded over a mesh axis, or over several hosts, is counted as a whole. Inside
    `jax.shard_map`, where each device sees its share, count the shares, sum, and merge:

        batch = jimb.counting.update(jimb.counting.init(K), labels)
        state = jimb.counting.merge(state, jax.lax.psum(batch, "data"))

    Args:
      state: from `init`, `update` or `merge`.
      labels: integers in [0, K), any shape.
      where: booleans of the same shape; False leaves a label out.

    Returns:
      A state of the same shape and dtypes.

    Raises:
      TypeError: the state is no `CountState`, labels are not integers, or `where` is not boolean.
      ValueError: shapes differ, or Python or NumPy labels lie outside [0, K) unmasked. Traced ones
        are dropped, with a checkify message. A count beyond 2⁵³ leaves one, too.

    Example:
      The weights of a data set that is read in batches, one step of a loop or of `jax.lax.scan`
      each:

      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.counting.init(3)
      >>> for labels in (jnp.array([0, 0, 1]), jnp.array([0, 2, 2])):
      ...     state = jimb.counting.update(state, labels)
      >>> counts = jimb.counting.compute(state)
      >>> print(counts, jimb.inverse_frequency_weights(counts))
      [3. 1. 2.] [0.54545456 1.6363636  0.8181818 ]
    """
    num_classes = _counts.per_class("state", state).shape[0]
    if _labels.on_host(labels, where):
        batch = CountState(_labels.class_counts(labels, num_classes, where=where))
    else:
        labels = _labels.class_ids("labels", labels, num_classes)
        cells = _labels.positions("labels", labels, num_classes, where, "classes")
        batch = CountState(*_labels.counted(cells, num_classes))
    return merge(state, batch)


def merge(left: CountState, right: CountState) -> CountState:
    """The counts of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same K.

    Returns:
      Their sum.

    Raises:
      TypeError: one is no `CountState`.
      ValueError: the numbers of classes differ. A count beyond 2⁵³ leaves a checkify message.

    Example:
      >>> import jimb
      >>> half = jimb.counting.CountState([3_000_000_000, 7])
      >>> jimb.counting.to_numpy(jimb.counting.merge(half, half))
      array([6000000000,         14])
    """
    shape = _counts.per_class("left", left).shape
    _checks.same_shape("right", _counts.per_class("right", right), shape, "left")
    return CountState(*_clock.added(left, right))


def compute(state: CountState | ConfusionState) -> Float[Array, "*K"]:
    """The counts as numbers that every function takes, inside `jit` and outside.

    Args:
      state: a `CountState` or a `metrics.ConfusionState`.

    Returns:
      The counts, `[K]` (`[K, K]` of a `ConfusionState`), float32: each rounded once, exact below
      2²⁴ and to 6e-8 beyond. Under x64 float64, exact. NaN for a count that went beyond 2⁵³.

    Raises:
      TypeError: not a state.

    Example:
      >>> import jimb
      >>> state = jimb.counting.update(jimb.counting.init(2), [0, 1, 1])
      >>> print(jimb.counting.compute(state))
      [1. 2.]
    """
    exact, held = _clock.wide(*map(jnp.asarray, _counts.hands("state", state)))
    if jax.dtypes.canonicalize_dtype(np.float64) == np.float64:
        high, low = exact
        values = high.astype(jnp.float64) * 2.0**32 + low.astype(jnp.float64)
    else:
        values = _clock.nearest(exact)
    return jnp.where(held, values, jnp.nan)


def to_numpy(state: CountState | ConfusionState) -> np.ndarray:
    """The exact counts, on the host: it waits for the device.

    Args:
      state: a `CountState` or a `metrics.ConfusionState`.

    Returns:
      The counts, `[K]` (`[K, K]` of a `ConfusionState`), NumPy int64.

    Raises:
      TypeError: not a state, or one inside `jit`.
      ValueError: a count went beyond 2⁵³.

    Example:
      >>> import jimb
      >>> state = jimb.counting.CountState([5_300_000_000, 12])
      >>> jimb.counting.to_numpy(jimb.counting.update(state, [0, 1, 1]))
      array([5300000001,         14])
    """
    wrapped, rough = _counts.hands("state", state)
    if isinstance(wrapped, jax.core.Tracer):
        raise TypeError("to_numpy reads a state outside jit; inside, call compute(state).")
    return _clock.integers(np.asarray(wrapped), np.asarray(rough))
