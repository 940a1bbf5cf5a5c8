"""Forgetting events: how often an example was predicted right at one pass and wrong at the next."""

from typing import NamedTuple

import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._typing import Array, ArrayLike, Bool, Float, Integer
from jimb.difficulty import _rows
from jimb.difficulty._right import right
from jimb.heads._head import Logits, LogitsLike

__all__ = ["ForgettingState", "init", "score", "update"]


@exported
class ForgettingState(NamedTuple):
    """What is known of each example's predictions, `[N]` each.

    Attributes:
      correct: whether the last one was right, bool.
      learned: whether any one was right, bool.
      events: how often a right one was followed by a wrong one, int32; -1 from a label outside
        [0, K) on.
      updates: how many there were, int32.
    """

    correct: Bool[Array, " N"]
    learned: Bool[Array, " N"]
    events: Integer[Array, " N"]
    updates: Integer[Array, " N"]


def init(num_examples: int) -> ForgettingState:
    """A state in which no example has been seen.

    Args:
      num_examples: N.

    Returns:
      A `ForgettingState`.

    Raises:
      ValueError: N is below 1.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.forgetting.init(3).events)
      [0 0 0]
    """
    size = _checks.size("num_examples", num_examples)
    # Four arrays, not two twice: a donated state must not hold a buffer twice.
    return ForgettingState(
        jnp.zeros(size, jnp.bool_),
        jnp.zeros(size, jnp.bool_),
        jnp.zeros(size, jnp.int32),
        jnp.zeros(size, jnp.int32),
    )


def update(
    state: ForgettingState,
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    index: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> ForgettingState:
    r"""Counts an event for each example that was right at its last update and is wrong now.

    A prediction is right if `argmax z` is the label; of equal logits the first counts, as in
    `jnp.argmax`. Logits with a NaN are wrong.

    Args:
      state: from `init` or `update`.
      logits: `[N, K]` for the whole data set in order, or `[B, K]` with `index`.
      labels: integers `[N]` or `[B]`.
      index: unique positions in the data set, `[B]`; None means all of it, in order. A traced
        position that is repeated gives an unspecified result.
      where: booleans `[N]` or `[B]`; False leaves an example as it was (padding of a last chunk).

    Returns:
      A state of the same types, shapes and dtypes. A label outside [0, K) makes its example's
      events -1 and its score NaN from then on, with a checkify message.

    Raises:
      TypeError: logits are not floating point, labels or index not integers, `where` not boolean.
      ValueError: shapes do not fit the state, or a Python or NumPy index lies outside [0, N) or
        names a position twice, unmasked. Traced, a row outside is dropped, with a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state, labels = jimb.difficulty.forgetting.init(2), jnp.array([0, 0])
      >>> for logits in ([[2.0, 0.0], [2.0, 0.0]], [[2.0, 0.0], [0.0, 1.0]]):
      ...     state = jimb.difficulty.forgetting.update(state, jnp.array(logits), labels)
      >>> print(state.events)
      [0 1]

    Reference:
      Toneva et al., An Empirical Study of Example Forgetting during Deep Neural Network Learning,
      ICLR 2019.
    """
    return _rows.updated(_counted, state, logits, labels, index=index, where=where)


def score(state: ForgettingState) -> Float[Array, " N"]:
    r"""The number of forgetting events; for an example never once right, that of its updates.

    T updates have at most T/2 events, so that of examples seen equally often none scores more than
    one never learned. An example not yet seen scores 1: a new state draws all alike. One that was
    learned and never forgotten scores 0, which as a weight leaves it out; add 1 to keep it.

    Args:
      state: a `ForgettingState`.

    Returns:
      Scores, float32 `[N]`. NaN after a label outside [0, K).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state, labels = jimb.difficulty.forgetting.init(3), jnp.array([0, 0, 1])
      >>> for logits in ([[2.0, 0.0]] * 3, [[2.0, 0.0], [0.0, 1.0], [2.0, 0.0]]):
      ...     state = jimb.difficulty.forgetting.update(state, jnp.array(logits), labels)
      >>> print(jimb.difficulty.forgetting.score(state))
      [0. 1. 2.]

    Reference:
      Toneva et al., ICLR 2019, where never learned counts as forgotten infinitely often.
    """
    scores = jnp.where(state.learned, state.events, jnp.maximum(state.updates, 1))
    return jnp.where(state.events < 0, jnp.nan, scores.astype(jnp.float32))


def _counted(state: ForgettingState, logits: Logits, labels: Array) -> ForgettingState:
    now = right(logits, labels)
    forgotten = (state.correct & ~now).astype(state.events.dtype)
    good = (labels >= 0) & (state.events >= 0)
    return ForgettingState(
        correct=now,
        learned=state.learned | now,
        events=jnp.where(good, state.events + forgotten, -1),
        updates=state.updates + 1,
    )
