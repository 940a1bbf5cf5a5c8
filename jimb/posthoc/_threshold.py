"""The best threshold of a binary classifier on validation data."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels, metrics
from jimb._layout import replicated
from jimb._report import report
from jimb._typing import Array, ArrayLike
from jimb.posthoc._choose import Choice, first_best, function
from jimb.posthoc._host import rounded, widened

_NEVER = 2.0  # above all probabilities, as inf is, but no alarm to `jax_debug_infs`
_ONE_SIDED = (
    "labels have examples of one class only, or none: the threshold is the highest without "
    "positives, and the lowest without negatives, unless the criterion scores another higher."
)


def choose_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    thresholds: ArrayLike | None = None,
    criterion: Callable[[metrics.ConfusionState], Array] = metrics.balanced_accuracy,
    midway: bool = False,
    where: ArrayLike | None = None,
) -> Choice:
    """The threshold t that scores highest on validation data, where `p >= t` is positive.

    All thresholds are counted from one sort, so that N of them need memory for N, not N².

    Args:
      probabilities: p, of the positive class, any shape.
      labels: 0 and 1, integers of the same shape.
      thresholds: `[G]`, floating point, which are rounded to the dtype of p. None tries all that
        differ on these data: each p, in ascending order, and inf, under which nothing is positive;
        `scores` are `[N + 1]` (inf also stands in for the masked).
      criterion: maps a `metrics.ConfusionState` of two classes to a number, higher is better.
      midway: True for a value in the middle of the gap between the best p and the next lower, or 0.
        On these data it scores the same; on others it is better where few examples chose it. (inf
        stays, and so does p where no number lies in the gap.)
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A `Choice`: of equal scores the first, the lowest threshold if None were given. Its value has
      the dtype of p, and its score is that of `p >= value`: for NumPy or Python p, also float64, it
      is a NumPy number. (Inside `jit`, where there is no float64, NumPy p are rounded down to
      float32, so that this holds there, too.) A NaN score comes after all others, with a checkify
      message; if all are NaN, so is the value.

      Without positives the highest threshold is taken, inf if None were given, and without
      negatives the lowest, if no other scores higher: an absent class costs no alarm. A warning
      says so, traced a checkify message.

    Raises:
      TypeError: probabilities or thresholds are not floating point, labels not integers, `where`
        is not boolean, or `criterion` is no function.
      ValueError: shapes do not fit, `midway` has thresholds beside it, probabilities lie outside
        [0, 1] or labels are not 0 or 1, unmasked. Traced, a wrong p is not positive, a wrong label
        dropped, with a checkify message.

    Example:
      By F1, and by an expected cost in which a missed positive costs ten false alarms:

      >>> import jax.numpy as jnp, jimb
      >>> p, labels = jnp.array([0.1, 0.2, 0.3, 0.4, 0.9]), jnp.array([0, 1, 0, 0, 1])
      >>> choice = jimb.posthoc.choose_threshold(p, labels, criterion=jimb.metrics.f1)
      >>> print(f"{choice.value:.1f} {choice.score:.2f}")
      0.2 0.67
      >>> choice = jimb.posthoc.choose_threshold(p, labels, criterion=jimb.metrics.f1, midway=True)
      >>> print(f"{choice.value:.2f} {choice.score:.2f}")
      0.15 0.67
      >>> def saved(state):
      ...     return -jimb.metrics.expected_cost(state, [[0, 1], [10, 0]])
      >>> grid = jnp.array([0.15, 0.5, 0.95])
      >>> choice = jimb.posthoc.choose_threshold(p, labels, thresholds=grid, criterion=saved)
      >>> print(choice.value, choice.scores)
      0.15 [-0.4 -2.  -4. ]

      Of several labels, one threshold for each:

      >>> import jax
      >>> p = jnp.array([[0.1, 0.9], [0.2, 0.6], [0.7, 0.8], [0.6, 0.1]])
      >>> labels = jnp.array([[0, 1], [1, 0], [1, 1], [0, 0]])
      >>> each = jax.vmap(
      ...     lambda p, y: jimb.posthoc.choose_threshold(p, y, criterion=jimb.metrics.f1),
      ...     in_axes=1)
      >>> print(each(p, labels).value)
      [0.2 0.8]

    Reference:
      Elkan, IJCAI 2001.
    """
    _fitting(probabilities, labels)
    function("criterion", criterion)
    if midway and thresholds is not None:
        raise ValueError("midway lies between probabilities: leave thresholds out, or midway.")
    dtype = _checks.floating("probabilities", probabilities).dtype
    p = _checks.probabilities(probabilities, where=where)
    cells = _labels.positions("labels", labels, 2, where, "classes")
    points = None if thresholds is None else _points(thresholds)
    if _checks.on_host(probabilities):
        own = np.asarray(probabilities)
        if not any(isinstance(x, jax.core.Tracer) for x in (p, cells, points)):
            exact = np.where(np.isnan(p), np.nan, widened(own))
            grid = thresholds if thresholds is None or _checks.on_host(thresholds) else points
            choice = _chosen(np, exact, np.asarray(cells), grid, own.dtype, criterion, midway)
            if choice is not None:
                return choice
        p = _checks.probabilities(rounded(own, dtype, "down"), where=where)
    choice = _chosen(jnp, replicated(p), replicated(cells), points, dtype, criterion, midway)
    assert choice is not None
    return choice


def _fitting(probabilities: ArrayLike, labels: ArrayLike) -> None:
    """One label per p, in the order in which they are passed."""
    with _checks.numbers("probabilities", probabilities):
        p = jnp.asarray(probabilities)
    ids = _checks.label_array("labels", labels)
    if not jnp.issubdtype(p.dtype, jnp.floating) and jnp.issubdtype(ids.dtype, jnp.floating):
        raise TypeError("probabilities come first, then labels, which are integers; swap them.")
    if p.shape[:-1] == ids.shape and p.ndim > ids.ndim:
        raise ValueError(
            f"probabilities must be of the positive class alone, in the shape {list(ids.shape)} of "
            f"labels, got {_checks.describe(p)}; take the column [..., 1] of two, or column c "
            "and labels == c of more."
        )
    if ids.shape[:-1] == p.shape and ids.ndim > p.ndim:
        raise ValueError(
            f"labels must be 0 and 1 in the shape {list(p.shape)} of probabilities, got "
            f"{_checks.describe(ids)}; of one-hot labels take .argmax(-1)."
        )
    _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, p.shape, "probabilities")


def _chosen(
    xp: Any,
    p: Any,
    cells: Any,
    points: Any,
    dtype: np.dtype[Any],
    criterion: Callable[[metrics.ConfusionState], Array],
    midway: bool,
) -> Choice | None:
    """The choice, computed by `xp`: in NumPy, or None where the scores are traced, or in JAX."""
    tried = points is None
    p, cells = p.ravel(), cells.ravel()
    never = xp.isnan(p)
    if tried:
        points = xp.sort(xp.where((cells < 2) & ~never, p, _NEVER))
        points = xp.append(points, xp.asarray(_NEVER, p.dtype))
    else:
        with np.errstate(over="ignore"):  # as `p >= t` rounds a Python t
            points = xp.asarray(points).astype(dtype).astype(p.dtype)
    lowest = float(np.finfo(p.dtype).min)
    counts = _confusions(xp, xp.where(never, lowest, p), cells, points)
    scores = jax.vmap(criterion)(metrics.ConfusionState(jnp.asarray(counts)))
    if xp is np and isinstance(scores, jax.core.Tracer):
        return None
    examples = xp.sum(counts[0], axis=-1)
    both = xp.all(examples > 0)
    if xp is jnp:
        both = report(both, _ONE_SIDED)
    elif not both:
        warnings.warn(_ONE_SIDED, stacklevel=3)
    place, known, scored = map(xp.asarray, (*first_best(scores, points.shape), scores))
    side = xp.where(examples[1] == 0, xp.argmax(points), xp.argmin(points))
    one_side = ~both & (xp.isnan(scored[side]) | (scored[side] >= scored[place]))
    place = xp.where(one_side, side, place)
    value = xp.where(known | one_side, points[place], xp.nan)
    if midway:
        value = _midway(xp, points, value, dtype)
    if tried:
        value = xp.where(value == _NEVER, xp.inf, value)
    return Choice(value.astype(dtype)[()], scores[place], scores)


def _midway(xp: Any, points: Any, best: Any, dtype: np.dtype[Any]) -> Any:
    """Between a point and the next lower one; rounded, it must not reach the lower."""
    lower = xp.max(xp.where(points < best, points, 0))
    middle = (lower + (best - lower) / 2).astype(dtype).astype(points.dtype)
    return xp.where((middle > lower) & (best < _NEVER), middle, best)


def _confusions(xp: Any, p: Any, cells: Any, thresholds: Any) -> Any:
    """The confusion counts `[G, 2, 2]` at each threshold, rows true; cells beyond 1 are dropped."""
    order = xp.argsort(p)
    below = xp.searchsorted(p[order], thresholds)  # how many are not positive
    of_class = cells[order][None] == xp.arange(2, dtype=cells.dtype)[:, None]
    so_far = xp.cumsum(of_class, axis=1, dtype=xp.int32)
    so_far = xp.pad(so_far, ((0, 0), (1, 0)))
    negative = so_far[:, below]
    positive = so_far[:, -1:] - negative
    return xp.moveaxis(xp.stack([negative, positive], axis=-1), 1, 0)


def _points(thresholds: ArrayLike) -> Array:
    points = _checks.floating("thresholds", thresholds)
    if points.ndim != 1 or points.size == 0:
        raise ValueError(f"thresholds must be [G], got {_checks.describe(points)}.")
    return points
