"""Ranking measures of scores that are seen in batches: a histogram of each class."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _clock, _labels
from jimb._exports import exported
from jimb._layout import laid_out_like
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.metrics import _curve
from jimb.metrics._ranking import inputs

__all__ = ["RankingMeasures", "RankingState", "compute", "init", "merge", "update"]


class _Fields(NamedTuple):
    counts: Integer[Array, "2 B"]
    rough: Float[Array, "2 B"]


@exported
class RankingState(_clock.Hands, _Fields):
    """Counts of scores `[2, B]`, exact up to 2⁵³: row the class, column the bin, ascending.

    States add up leaf by leaf, under `jax.lax.psum` too, as long as n of them hold no more than
    2⁵⁵ / n examples of a bin.

    Attributes:
      counts: int32, the number itself below 2³¹, modulo 2³² beyond.
      rough: float32, the same number rounded; NaN, for good, beyond 2⁵³.
    """

    __slots__ = ()

    def __new__(cls, counts: Any, rough: Any = None) -> "RankingState":
        """Both hands; the second may be left out where `counts` are plain counts."""
        return super().__new__(cls, *_clock.hands(counts, rough))


@exported
class RankingMeasures(NamedTuple):
    """What `compute` reads of a histogram, float32 scalars.

    Attributes:
      average_precision: as of one score for all examples of a bin.
      average_precision_error: that of the scores themselves lies no further away.
      roc_auc: as of one score for all examples of a bin.
      roc_auc_error: that of the scores themselves lies no further away.
    """

    average_precision: Float[Array, ""]
    average_precision_error: Float[Array, ""]
    roc_auc: Float[Array, ""]
    roc_auc_error: Float[Array, ""]


def init(num_bins: int) -> RankingState:
    """A histogram of nothing yet.

    Args:
      num_bins: B; 10 000, which is 160 kB, tell most scores apart. `compute` says whether it was
        enough.

    Returns:
      A `RankingState`.

    Raises:
      TypeError: B is not an integer.
      ValueError: B is below 1, or 2 B is not below 2³¹.

    Example:
      >>> import jimb
      >>> jimb.metrics.ranking.init(1000).counts.shape
      (2, 1000)
    """
    b = _checks.size("num_bins", num_bins)
    _checks.size("2 * num_bins", 2 * b)
    return RankingState(jnp.zeros((2, b), jnp.int32), jnp.zeros((2, b), jnp.float32))


def update(
    state: RankingState,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    low: ArrayLike = 0.0,
    high: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> RankingState:
    """Adds a batch of scores.

    The bins are B of one width between `low` and `high`, which must be the same in all updates. A
    score outside goes to the bin at that end. A batch sharded over a mesh axis, or over several
    hosts, is counted as a whole; inside `jax.shard_map` count the shares, sum, and merge, as with
    `metrics.update`.

    Args:
      state: from `init`, `update` or `merge`.
      scores: of the positive class, floating point, any shape: probabilities, or logits with
        `low=-20.0, high=20.0` for example.
      labels: 0 and 1, integers or booleans, of the same shape.
      low: a scalar; may be traced.
      high: a scalar above `low`; may be traced.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A state of the same shape and dtypes.

    Raises:
      TypeError: not a state, scores are not floating point, labels are not integers or booleans, or
        `where` is not boolean.
      ValueError: shapes differ, Python or NumPy labels are not 0 or 1, unmasked, or `high` is not
        above `low`. A traced label outside, or a score that is NaN, is dropped, with a checkify
        message. A count beyond 2⁵³ leaves one, too.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.ranking.init(4)
      >>> scores, labels = jnp.array([0.1, 0.3, 0.35, 0.8]), jnp.array([0, 0, 1, 1])
      >>> print(jimb.metrics.ranking.update(state, scores, labels).counts)
      [[1 1 0 0]
       [0 1 0 1]]
    """
    bins = _bins("state", state)
    classes, _ = inputs(scores, labels, None, where)
    values = laid_out_like(jnp.asarray(scores).astype(jnp.float32), classes)
    start = _checks.scalar("low", low, -3e38, 3e38, dtype=jnp.float32)
    end = _checks.scalar("high", high, -3e38, 3e38, dtype=jnp.float32)
    if _checks.on_host(low, high) and not np.asarray(high) > np.asarray(low):
        raise ValueError(f"high must be above low, got {high} and {low}.")
    place = (values - start) / (end - start) * bins
    inside = jnp.clip(jnp.nan_to_num(jnp.floor(place)), 0, bins - 1).astype(jnp.int32)
    known = report(
        (~jnp.isnan(place) & (end > start)) | (classes > 1),
        "scores hold a NaN, or high is not above low: these scores were dropped.",
    )
    cells = jnp.where((classes < 2) & known, classes * bins + inside, 2 * bins)
    hands = _labels.counted(cells, 2 * bins)
    return merge(state, RankingState(*(hand.reshape(2, bins) for hand in hands)))


def merge(left: RankingState, right: RankingState) -> RankingState:
    """The histogram of two disjoint sets of examples together: associative and commutative.

    Args:
      left: a state.
      right: another, of the same bins.

    Returns:
      Their sum.

    Raises:
      TypeError: one is not a state.
      ValueError: the numbers of bins differ. A count beyond 2⁵³ leaves a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> one = jimb.metrics.ranking.init(2)
      >>> one = jimb.metrics.ranking.update(one, jnp.array([0.7]), jnp.array([1]))
      >>> print(jimb.metrics.ranking.merge(one, one).counts)
      [[0 0]
       [0 2]]
    """
    bins = _bins("left", left)
    if _bins("right", right) != bins:
        raise ValueError(f"right must have the {bins} bins of left, got {_bins('right', right)}.")
    return RankingState(*_clock.added(left, right))


def compute(state: RankingState) -> RankingMeasures:
    r"""Average precision and the area under the ROC curve, and how far the exact ones may be.

    Of `metrics.average_precision` and `metrics.roc_auc` of the scores themselves nothing is lost
    but the order inside a bin. Of p positives and n negatives in a bin the area knows all pairs but
    p n: its error is at most `½ Σ p n / (P N)`. The precision at each of the p lies between those
    of all n before them and of all n behind.

    Args:
      state: a `RankingState`.

    Returns:
      `RankingMeasures`. NaN without positives, for the area also without negatives, and where a
      count went beyond 2⁵³.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[2, B]`.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.ranking.init(4)
      >>> scores, labels = jnp.array([0.1, 0.3, 0.35, 0.8]), jnp.array([0, 0, 1, 1])
      >>> state = jimb.metrics.ranking.update(state, scores, labels)
      >>> measures = jimb.metrics.ranking.compute(state)
      >>> print(f"{measures.roc_auc:.3f} ± {measures.roc_auc_error:.3f}")
      0.875 ± 0.125
      >>> print(jimb.metrics.roc_auc(scores, labels))
      1.0
    """
    _bins("state", state)
    exact, held = _clock.wide(*map(jnp.asarray, state))
    few = jnp.sum(jnp.where(held, jnp.asarray(state.rough), 0)) <= 2.0**55
    curve = _curve.of_bins(exact)
    known = jnp.all(held) & few & (curve.total[0][0] > 0)
    both = known & (curve.total[1][0] > 0)
    precision, area = _curve.average_precision(curve), _curve.area(curve)
    return RankingMeasures(
        average_precision=_known(known, precision[0]),
        average_precision_error=_known(known, _upwards(_curve.precision_error(curve, precision))),
        roc_auc=_known(both, area[0]),
        roc_auc_error=_known(both, _upwards(_curve.area_error(curve))),
    )


def _known(known: Array, value: Array) -> Float[Array, ""]:
    return jnp.where(known, value, jnp.nan)


def _upwards(error: Array) -> Float[Array, ""]:
    """The error together with what float32 rounds off the number that it is of."""
    return error * (1 + 2.0**-20) + 2.0**-24


def _bins(name: str, state: Any) -> int:
    """B; raises unless it is a state."""
    if not isinstance(state, RankingState):
        raise TypeError(
            f"{name} must be a RankingState, got {_checks.named(state)}; make it by "
            "metrics.ranking.init(num_bins)."
        )
    counts = state.counts
    if counts.dtype != jnp.int32 or state.rough.dtype != jnp.float32:
        raise TypeError(f"{name}.counts must be integers, got {_checks.named(counts)}.")
    if counts.ndim != 2 or counts.shape[0] != 2 or counts.shape[1] == 0:
        raise ValueError(f"{name}.counts must be [2, B], got {_checks.describe(counts)}.")
    return int(counts.shape[1])
