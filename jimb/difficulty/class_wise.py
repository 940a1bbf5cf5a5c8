"""Class-wise difficulty: class weights from the accuracy of each class on held-out data.

Sinha et al., Class-Wise Difficulty-Balanced Loss, ACCV 2020.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._exports import exported
from jimb._layout import laid_out_like
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer
from jimb.difficulty._given import logits_and_labels
from jimb.difficulty._right import right
from jimb.heads._head import LogitsLike
from jimb.heads._read import in_batch

__all__ = ["ClassWiseState", "accuracy", "init", "score", "update"]


@exported
class ClassWiseState(NamedTuple):
    """Counts of held-out examples by class, int32 `[K]` each.

    Attributes:
      correct: those predicted right.
      total: all of them.

    A negative count is one that went beyond 2³¹ - 1; the accuracy and the weights are then NaN.
    """

    correct: Integer[Array, " K"]
    total: Integer[Array, " K"]


def init(num_classes: int) -> ClassWiseState:
    """Counts of nothing yet: where every evaluation of a model starts.

    Args:
      num_classes: K.

    Returns:
      A `ClassWiseState`.

    Raises:
      ValueError: K is below 1.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.class_wise.init(3).total)
      [0 0 0]
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}.")
    # Two arrays, not one twice: a donated state must not hold a buffer twice.
    return ClassWiseState(jnp.zeros(num_classes, jnp.int32), jnp.zeros(num_classes, jnp.int32))


def update(
    state: ClassWiseState,
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
) -> ClassWiseState:
    r"""Counts a batch of held-out examples, and those of it whose `argmax z` is the label.

    Of equal logits the first counts, as in `jnp.argmax`; logits with a NaN are wrong.

    Args:
      state: from `init` or `update`.
      logits: `[..., K]`, floating point.
      labels: integers `[...]`.
      where: booleans `[...]`; False leaves an example out (padding of a last batch).

    Returns:
      A state of the same types, shapes and dtypes.

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, or Python or NumPy labels lie outside [0, K) unmasked. Traced
        ones are dropped, with a checkify message; a count beyond 2³¹ - 1 leaves one, too.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state, logits = jimb.difficulty.class_wise.init(2), jnp.array([[2.0, 0.0], [2.0, 0.0]])
      >>> state = jimb.difficulty.class_wise.update(state, logits, jnp.array([0, 1]))
      >>> print(state.correct, state.total)
      [1 0] [1 1]
    """
    num_classes = state.total.shape[0]
    z, array = logits_and_labels(logits, labels)
    if z.shape[-1] != num_classes:
        raise ValueError(f"logits have {z.shape[-1]} classes, the state {num_classes}.")
    mask = _checks.mask(where, array.shape, "labels")
    _labels.raise_if_outside("labels", labels, num_classes, where, "classes")
    kept = None if mask is None else laid_out_like(mask, in_batch(z))
    cells = _labels.positions("labels", array, num_classes, kept, "classes")
    hits = right(z, cells).astype(jnp.int32)
    return ClassWiseState(
        _added(state.correct, _labels.class_sums(cells, hits, num_classes)),
        _added(state.total, _labels.class_sums(cells, jnp.int32(1), num_classes)),
    )


def _added(left: Integer[Array, " K"], right: Integer[Array, " K"]) -> Integer[Array, " K"]:
    """The sum, with -1 for what int32 does not hold: further sums must not come back from there."""
    total = left + right
    counted = report(
        (left >= 0) & (total >= 0),
        "a count of held-out examples went beyond 2**31 - 1, and its class's weight is NaN; keep "
        "the counts of fewer examples in one state.",
    )
    return jnp.where(counted, total, -1)


def accuracy(state: ClassWiseState) -> Float[Array, " K"]:
    """The share of each class that is predicted right, `A_k`.

    Args:
      state: a `ClassWiseState`.

    Returns:
      Accuracies in [0, 1], float32 `[K]`; NaN for a class without examples.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.class_wise.accuracy(jimb.difficulty.class_wise.init(2)))
      [nan nan]
    """
    return jnp.where(state.total > 0, _share(state.correct, state.total), jnp.nan)


def score(state: ClassWiseState, *, tau: ArrayLike | None = None) -> Float[Array, " K"]:
    r"""Class weights `(1 - A_k)^τ`: what the model does not get right of each class.

    The default follows how uneven the classes are: `τ = 2·sigmoid(b)` with
    `b = max A / (min A + 0.01) - 1`, which is 1 for even classes and goes to 2. Per-example weights
    are `jimb.take_class(score, labels)`; the weights are not normalised (`jimb.mean_one` does).

    Args:
      state: a `ClassWiseState` of held-out data, not of the training set.
      tau: τ ≥ 0, a scalar; may be traced. None is the default above; 0 weighs all classes alike.

    Returns:
      Weights in [0, 1], float32 `[K]`, without gradient. 0 for a class that is all right. A class
      without held-out examples counts as all wrong: 1, left out of max and min, with a checkify
      message.

    Raises:
      ValueError: τ < 0 or no scalar (traced and < 0: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> counts = jnp.array([90, 50]), jnp.array([100, 100])
      >>> state = jimb.difficulty.class_wise.ClassWiseState(*counts)
      >>> print(jimb.difficulty.class_wise.score(state, tau=1.0))
      [0.1 0.5]

    Reference:
      Sinha et al., Class-Wise Difficulty-Balanced Loss for Solving Class-Imbalance, ACCV 2020;
      Class-Difficulty Based Methods for Long-Tailed Visual Recognition, IJCV 2022.
    """
    known = report(state.total != 0, "a class without held-out examples counts as all wrong.")
    if tau is None:
        exponent = _dynamic(_share(state.correct, state.total), known)
    else:
        exponent = _checks.scalar("tau", tau, 0.0, dtype=jnp.float32)
    # Not 1 - A: near 1 it has lost the digits that the counts still have.
    weights = jnp.where(known, _share(state.total - state.correct, state.total), 1) ** exponent
    weights = jnp.where(jnp.isnan(exponent), jnp.nan, weights)  # 1 to the power of NaN is 1
    return jax.lax.stop_gradient(weights)


def _share(part: Integer[Array, " K"], total: Integer[Array, " K"]) -> Float[Array, " K"]:
    """`part / total`; 0 where there is nothing, NaN where the count was lost."""
    share = part.astype(jnp.float32) / jnp.maximum(total, 1).astype(jnp.float32)
    return jnp.where(total < 0, jnp.nan, share)


def _dynamic(accuracies: Float[Array, " K"], known: Bool[Array, " K"]) -> Float[Array, ""]:
    largest = jnp.max(accuracies, where=known, initial=0)
    smallest = jnp.min(accuracies, where=known, initial=1)
    return 2 * jax.nn.sigmoid(largest / (smallest + 0.01) - 1)
