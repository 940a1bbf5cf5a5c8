"""The last loss of each example: the plainest difficulty, and the baseline for the others."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._exports import exported
from jimb._typing import Array, ArrayLike, Float
from jimb.difficulty import _rows
from jimb.difficulty._label_losses import label_losses
from jimb.heads._head import Logits, LogitsLike

__all__ = ["LastLossState", "init", "score", "update"]

_LARGEST = 65504.0  # of float16: no -log p is larger in a difficulty's store either


@exported
class LastLossState(NamedTuple):
    """Cross-entropy of each example when it was last seen, float32 `[N]`, in nats."""

    losses: Float[Array, " N"]


def init(num_examples: int, num_classes: int) -> LastLossState:
    """A state in which every example has the loss of the uniform prediction, `log K`.

    Args:
      num_examples: N.
      num_classes: K.

    Returns:
      A `LastLossState`.

    Raises:
      ValueError: N or K is below 1.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.last_loss.init(3, 10).losses)
      [2.3025851 2.3025851 2.3025851]
    """
    uniform = math.log(_checks.size("num_classes", num_classes))
    losses = jnp.full(_checks.size("num_examples", num_examples), uniform, jnp.float32)
    return LastLossState(losses)


def update(
    state: LastLossState,
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    index: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> LastLossState:
    r"""Puts the loss `-log p_y` of this pass in the place of the one before.

    Args:
      state: from `init` or `update`.
      logits: `[N, K]` for the whole data set in order, or `[B, K]` with `index`.
      labels: integers `[N]` or `[B]`.
      index: unique positions in the data set, `[B]`; None means all of it, in order. A traced
        position that is repeated gives an unspecified result.
      where: booleans `[N]` or `[B]`; False leaves an example as it was (padding of a last chunk).

    Returns:
      A state of the same types, shapes and dtypes, without gradient. Losses are at most 65504, as
      in the difficulty's store. A label outside [0, K) makes its example's loss NaN, with a
      checkify message, until the next pass.

    Raises:
      TypeError: logits are not floating point, labels or index not integers, `where` not boolean.
      ValueError: shapes do not fit the state, or a Python or NumPy index lies outside [0, N) or
        names a position twice, unmasked. Traced, a row outside is dropped, with a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.difficulty.last_loss.init(3, 2)
      >>> logits, labels = jnp.array([[2.0, 0.0], [0.0, 1.0]]), jnp.array([0, 0])
      >>> state = jimb.difficulty.last_loss.update(state, logits, labels, index=jnp.array([2, 0]))
      >>> print(state.losses.round(2))
      [1.31 0.69 0.13]
    """
    return _rows.updated(_lost, state, logits, labels, index=index, where=where)


def score(state: LastLossState) -> Float[Array, " N"]:
    """The last losses themselves; `log K` for an example not yet seen.

    Args:
      state: a `LastLossState`.

    Returns:
      Losses in nats, float32 `[N]`, without gradient: weights to draw in proportion to the loss.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.last_loss.score(jimb.difficulty.last_loss.init(2, 2)).round(4))
      [0.6931 0.6931]

    Reference:
      Loshchilov and Hutter, Online Batch Selection for Faster Training of Neural Networks, ICLR
      workshop 2016. They draw by the rank of the last loss; here it is the loss itself.
    """
    return jax.lax.stop_gradient(state.losses)


def _lost(state: LastLossState, logits: Logits, labels: Array) -> LastLossState:
    losses = jnp.minimum(label_losses(logits, labels), _LARGEST)
    return LastLossState(losses.astype(state.losses.dtype))
