"""Accuracy of the classes with many, some and few training examples."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._exports import exported
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.metrics._state import State
from jimb.metrics._sums import mean, quotient, rounded, share, some, totals

_LARGEST = float(np.finfo(np.float32).max)


@exported
class ShotAccuracy(NamedTuple):
    """The mean recall of three groups of classes, float32 scalars.

    Attributes:
      many: of classes with many training examples.
      medium: of those in between.
      few: of classes with few.
    """

    many: Float[Array, ""]
    medium: Float[Array, ""]
    few: Float[Array, ""]


def shot_accuracy(
    state: State,
    train_counts: ArrayLike,
    *,
    many_above: ArrayLike = 100,
    few_below: ArrayLike = 20,
) -> ShotAccuracy:
    r"""The mean recall of the classes with many, medium and few training examples.

    Many are `n_c > many_above`, few are `n_c < few_below`, medium are all others. A class without
    test examples is left out.

    Args:
      state: of the test set, a `ConfusionState` or a `TallyState`.
      train_counts: examples of each class in the training set, `[K]`.
      many_above: a scalar; may be traced.
      few_below: a scalar, at most `many_above`; may be traced.

    Returns:
      Three float32 scalars in [0, 1]. NaN, with a checkify message, for a group without classes
      that have test examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally, train_counts are not `[K]` or
        are negative, or `few_below` is above `many_above`. Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> labels, predictions = jnp.array([0, 0, 1, 1, 2]), jnp.array([0, 0, 1, 0, 0])
      >>> state = jimb.metrics.update(state, predictions, labels)
      >>> shots = jimb.metrics.shot_accuracy(state, [500, 50, 5])
      >>> print(shots.many, shots.medium, shots.few)
      1.0 0.5 0.0

    Reference:
      Liu et al., Large-Scale Long-Tailed Recognition in an Open World, CVPR 2019.
    """
    t = totals(state)
    recall, tested = quotient(share(t.hits, t.examples)), some(t.examples)
    train_counts = _checks.per_class("train_counts", train_counts)
    n = _checks.bounded("train_counts", train_counts, 0.0, _LARGEST, dtype=jnp.float32)
    if n.shape != tested.shape:
        raise ValueError(
            f"train_counts must be one number per class of the state, [{tested.shape[0]}], got "
            f"{_checks.describe(n)}."
        )
    above, below, known = _thresholds(many_above, few_below)
    known &= jnp.all(~jnp.isnan(n))
    given = train_counts, many_above, few_below
    if _checks.on_host(*given):  # a count beyond 2²⁴ is told from the next one
        groups = _groups(*(np.asarray(x, np.float64) for x in given))
    else:
        groups = _groups(n, above, below)

    def accuracy(name: str, group: Bool[Array, " K"]) -> Array:
        found = report(
            jnp.any(group & tested) | ~known,
            f"the group '{name}' has no class with test examples: its accuracy is NaN.",
        )
        value = rounded(t, quotient(mean(recall, group & tested)), of=t.total)
        return jnp.where(found & known, value, jnp.nan)

    return ShotAccuracy(**{name: accuracy(name, group) for name, group in groups.items()})


def _groups(n: Any, above: Any, below: Any) -> dict[str, Bool[Array, " K"]]:
    groups = {"many": n > above, "medium": (n <= above) & (n >= below), "few": n < below}
    return {name: jnp.asarray(group) for name, group in groups.items()}


def _thresholds(many_above: ArrayLike, few_below: ArrayLike) -> tuple[Array, Array, Array]:
    """Both, and whether they are in order."""
    above = _checks.scalar("many_above", many_above, 0.0, dtype=jnp.float32)
    below = _checks.scalar("few_below", few_below, 0.0, dtype=jnp.float32)
    sentence = "few_below must not be above many_above: a class would be in both groups"
    if _checks.on_host(many_above, few_below) and np.asarray(few_below) > np.asarray(many_above):
        raise ValueError(f"{sentence}; got {few_below} and {many_above}.")
    ordered = report(below <= above, sentence + ".")
    return above, below, ordered
