"""What the measures need of a confusion matrix, and no more: three counts per class."""

from typing import Any, NamedTuple

from jimb import _counts
from jimb._counts import CountState
from jimb._exports import exported
from jimb.metrics import _weighted
from jimb.metrics._confusion import matrix
from jimb.metrics._state import State


class _Fields(NamedTuple):
    hits: CountState
    examples: CountState
    predictions: CountState


@exported
class TallyState(State, _Fields):
    """Counts `[K]` for many classes, exact up to 2⁵³: the diagonal of the confusion, and its sums.

    `TallyState(CountState(hits), CountState(examples), CountState(predictions))` makes one of
    counts that are known; `counting.to_numpy` and `counting.compute` read each. States add up leaf
    by leaf, under `jax.lax.psum` too, as long as n of them hold no more than 2⁵⁵ / n examples.

    Attributes:
      hits: `counting.CountState`, the examples of each class that were predicted as it.
      examples: the same, of its examples.
      predictions: the same, of those that were predicted as it.
    """

    __slots__ = ()


def init_tally(num_classes: int) -> TallyState:
    """Counts of nothing yet, for many classes: three numbers per class, not K.

    All measures but `expected_cost` read it, and give the same bits as of the confusion.

    Args:
      num_classes: K.

    Returns:
      A `TallyState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1, or not below 2³¹.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init_tally(1_000_000)
      >>> labels, predictions = jnp.array([7, 7, 999_999]), jnp.array([7, 3, 999_999])
      >>> state = jimb.metrics.update(state, predictions, labels)
      >>> print(jimb.metrics.balanced_accuracy(state))
      0.75
    """
    # Each of its own: a buffer that is donated may not come twice.
    return TallyState(*(_counts.empty(num_classes) for _ in TallyState._fields))


def num_classes_of(name: str, state: Any) -> int:
    """K; raises unless it is a state of either kind."""
    if isinstance(state, TallyState):
        return _size(name, state)
    if isinstance(state, _weighted.WeightedConfusionState | _weighted.WeightedTallyState):
        return _weighted.num_classes(name, state)
    return int(matrix(name, state).shape[0])


def _size(name: str, tally: TallyState) -> int:
    sizes = [
        int(_counts.per_class(f"{name}.{field}", counts).shape[0])
        for field, counts in zip(tally._fields, tally, strict=True)
    ]
    if len(set(sizes)) > 1:
        raise ValueError(f"{name} must have one count per class three times, got {sizes}.")
    return sizes[0]
