"""Data maps: how the probability `p_y` of each example's label moves over the passes.

Swayamdipta et al., Dataset Cartography, EMNLP 2020.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.difficulty import _rows
from jimb.difficulty._label_losses import label_losses
from jimb.difficulty._right import right
from jimb.heads._head import Logits, LogitsLike

__all__ = ["DataMapState", "confidence", "correctness", "init", "score", "update", "variability"]


@exported
class DataMapState(NamedTuple):
    """Welford's sums over each example's passes, `[N]` each.

    Attributes:
      updates: passes, int32.
      mean: of `p_y`, float32.
      m2: the sum of squared distances of `p_y` from its mean, float32.
      correct: passes predicted right, int32; -1 from a label outside [0, K) on.
    """

    updates: Integer[Array, " N"]
    mean: Float[Array, " N"]
    m2: Float[Array, " N"]
    correct: Integer[Array, " N"]


def init(num_examples: int) -> DataMapState:
    """A state in which no example has been seen.

    Args:
      num_examples: N.

    Returns:
      A `DataMapState`.

    Raises:
      ValueError: N is below 1.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.data_map.init(3).updates)
      [0 0 0]
    """
    size = _checks.size("num_examples", num_examples)
    # Four arrays, not two twice: a donated state must not hold a buffer twice.
    return DataMapState(
        jnp.zeros(size, jnp.int32),
        jnp.zeros(size, jnp.float32),
        jnp.zeros(size, jnp.float32),
        jnp.zeros(size, jnp.int32),
    )


def update(
    state: DataMapState,
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    index: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> DataMapState:
    r"""Adds one pass's `p_y`, and whether `argmax z` is the label.

    Of equal logits the first counts, as in `jnp.argmax`.

    Args:
      state: from `init` or `update`.
      logits: `[N, K]` for the whole data set in order, or `[B, K]` with `index`.
      labels: integers `[N]` or `[B]`.
      index: unique positions in the data set, `[B]`; None means all of it, in order. A traced
        position that is repeated gives an unspecified result.
      where: booleans `[N]` or `[B]`; False leaves an example as it was (padding of a last chunk).

    Returns:
      A state of the same types, shapes and dtypes, without gradient. A label outside [0, K) makes
      all of its example's read-outs NaN from then on, with a checkify message.

    Raises:
      TypeError: logits are not floating point, labels or index not integers, `where` not boolean.
      ValueError: shapes do not fit the state, or a Python or NumPy index lies outside [0, N) or
        names a position twice, unmasked. Traced, a row outside is dropped, with a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state, labels = jimb.difficulty.data_map.init(2), jnp.array([0, 0])
      >>> for logits in ([[2.0, 0.0], [2.0, 0.0]], [[2.0, 0.0], [0.0, 1.0]]):
      ...     state = jimb.difficulty.data_map.update(state, jnp.array(logits), labels)
      >>> print(state.mean.round(2), state.correct)
      [0.88 0.57] [2 1]

    Reference:
      Swayamdipta et al., Dataset Cartography: Mapping and Diagnosing Datasets with Training
      Dynamics, EMNLP 2020.
    """
    return _rows.updated(_added, state, logits, labels, index=index, where=where)


def confidence(state: DataMapState) -> Float[Array, " N"]:
    """The mean of `p_y` over the passes.

    Args:
      state: a `DataMapState`.

    Returns:
      Means in [0, 1], float32 `[N]`, without gradient; NaN for an example not yet seen.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.data_map.confidence(jimb.difficulty.data_map.init(2)))
      [nan nan]

    Reference:
      Swayamdipta et al., EMNLP 2020.
    """
    return jax.lax.stop_gradient(jnp.where(state.updates > 0, state.mean, jnp.nan))


def variability(state: DataMapState) -> Float[Array, " N"]:
    """The standard deviation of `p_y` over the passes, that of a population.

    Args:
      state: a `DataMapState`.

    Returns:
      Standard deviations in [0, 1/2], float32 `[N]`, without gradient; 0 after one pass and NaN
      for an example not yet seen. Exact to about 1e-7: what varies less reads as near 0.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.data_map.variability(jimb.difficulty.data_map.init(2)))
      [nan nan]

    Reference:
      Swayamdipta et al., EMNLP 2020.
    """
    return jnp.where(state.updates > 0, _deviation(state), jnp.nan)


def correctness(state: DataMapState) -> Float[Array, " N"]:
    """The fraction of the passes that predicted the label.

    Args:
      state: a `DataMapState`.

    Returns:
      Fractions in [0, 1], float32 `[N]`; NaN for an example not yet seen, or after a label outside
      [0, K).

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.data_map.correctness(jimb.difficulty.data_map.init(2)))
      [nan nan]

    Reference:
      Swayamdipta et al., EMNLP 2020.
    """
    known = (state.updates > 0) & (state.correct >= 0)
    return jnp.where(known, state.correct.astype(jnp.float32) / _passes(state), jnp.nan)


def score(state: DataMapState) -> Float[Array, " N"]:
    """The variability: the paper trains on the examples whose `p_y` varies most.

    One pass does not vary: an example seen less than twice scores 1/2, the most that any can. A
    new state draws all alike, and none is left out for not having been seen.

    Args:
      state: a `DataMapState`.

    Returns:
      Scores in [0, 1/2], float32 `[N]`, without gradient.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.data_map.score(jimb.difficulty.data_map.init(2)))
      [0.5 0.5]

    Reference:
      Swayamdipta et al., EMNLP 2020.
    """
    early = (state.updates < 2) & ~jnp.isnan(state.mean)
    return jnp.where(early, 0.5, _deviation(state))


def _deviation(state: DataMapState) -> Float[Array, " N"]:
    """The variability; 0 for an example not yet seen."""
    return jnp.sqrt(jax.lax.stop_gradient(state.m2) / _passes(state))


def _passes(state: DataMapState) -> Float[Array, " N"]:
    return jnp.maximum(state.updates, 1).astype(jnp.float32)


def _added(state: DataMapState, logits: Logits, labels: Array) -> DataMapState:
    p = jnp.exp(-label_losses(logits, labels)).astype(state.mean.dtype)
    updates = state.updates + 1
    moved = p - state.mean
    mean = state.mean + moved / updates.astype(state.mean.dtype)
    now = right(logits, labels).astype(state.correct.dtype)
    good = (labels >= 0) & (state.correct >= 0)
    return DataMapState(
        updates=updates,
        mean=mean,
        m2=state.m2 + moved * (p - mean),
        correct=jnp.where(good, state.correct + now, -1),
    )
