"""The best threshold of a binary classifier on validation data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jimb import _checks, _labels, metrics
from jimb._typing import Array, ArrayLike, Bool, Float, Integer
from jimb.posthoc._choose import Choice, best
from jimb.sampling._replicated import replicated


def choose_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    criterion: Callable[[metrics.ConfusionState], Array] = metrics.balanced_accuracy,
    where: ArrayLike | None = None,
) -> Choice:
    """The threshold t that scores highest on validation data, where `p >= t` is positive.

    All thresholds are counted from one sort, so that N of them need memory for N, not N².

    Args:
      probabilities: p, of the positive class, any shape.
      labels: 0 and 1, integers of the same shape.
      thresholds: `[G]`, floating point. None tries all that differ on these data: each p, in
        ascending order, and inf, under which nothing is positive; `scores` are `[N + 1]` (inf also
        stands in for the masked).
      criterion: maps a `metrics.ConfusionState` of two classes to a number, higher is better.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A `Choice`: of equal scores the first, the lowest threshold if None were given. A NaN score
      comes after all others, with a checkify message; if all are NaN, so is the value.

    Raises:
      TypeError: probabilities or thresholds are not floating point, labels not integers, or `where`
        is not boolean.
      ValueError: shapes do not fit, probabilities lie outside [0, 1] or labels are not 0 or 1,
        unmasked. Traced, a wrong p is not positive, a wrong label dropped, with a checkify message.

    Example:
      By F1, and by an expected cost in which a missed positive costs ten false alarms:

      >>> import jax.numpy as jnp, jimb
      >>> p, labels = jnp.array([0.1, 0.2, 0.3, 0.4, 0.9]), jnp.array([0, 1, 0, 0, 1])
      >>> choice = jimb.posthoc.choose_threshold(p, labels, criterion=jimb.metrics.f1)
      >>> print(f"{choice.value:.1f} {choice.score:.2f}")
      0.2 0.67
      >>> def saved(state):
      ...     return -jimb.metrics.expected_cost(state, [[0, 1], [10, 0]])
      >>> grid = jnp.array([0.15, 0.5, 0.95])
      >>> choice = jimb.posthoc.choose_threshold(p, labels, thresholds=grid, criterion=saved)
      >>> print(choice.value, choice.scores)
      0.15 [-0.4 -2.  -4. ]

    Reference:
      Elkan, IJCAI 2001.
    """
    given = _checks.floating("probabilities", probabilities)
    ids = _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, given.shape, "probabilities")
    p = _checks.probabilities(probabilities, where=where)
    cells = _labels.positions("labels", labels, 2, where, "classes")
    p, cells = replicated(p).ravel(), replicated(cells).ravel()
    never = jnp.isnan(p)
    if thresholds is None:
        candidates = jnp.where((cells < 2) & ~never, p, jnp.inf)
        points = jnp.append(jnp.sort(candidates), jnp.inf).astype(given.dtype)
    else:
        points = _checks.floating("thresholds", thresholds)
        if points.ndim != 1 or points.size == 0:
            raise ValueError(f"thresholds must be [G], got {_checks.describe(points)}.")
    p = jnp.where(never, -jnp.inf, p)
    counts = _confusions(p, cells, points.astype(p.dtype))
    return best(points, jax.vmap(criterion)(metrics.ConfusionState(counts)))


def _confusions(
    p: Float[Array, " N"], cells: Integer[Array, " N"], thresholds: Float[Array, " G"]
) -> Integer[Array, "G 2 2"]:
    """The confusion counts at each threshold, rows true; cells beyond 1 are dropped."""
    order = jnp.argsort(p)
    below = jnp.searchsorted(p[order], thresholds)  # how many are not positive
    of_class: Bool[Array, "2 N"] = cells[order][None] == jnp.arange(2, dtype=cells.dtype)[:, None]
    so_far = jnp.cumsum(of_class, axis=1, dtype=jnp.int32)
    so_far = jnp.pad(so_far, ((0, 0), (1, 0)))
    negative = so_far[:, below]
    positive = so_far[:, -1:] - negative
    return jnp.moveaxis(jnp.stack([negative, positive], axis=-1), 1, 0)
