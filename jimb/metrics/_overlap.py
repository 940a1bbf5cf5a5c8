"""Intersection over union."""

from jimb._clock import Wide
from jimb._pairs import Pair
from jimb._typing import Array, Float
from jimb.metrics import _integers
from jimb.metrics._per_class import both
from jimb.metrics._state import State
from jimb.metrics._sums import Totals, mean, quotient, rounded, share, some, totals


def per_class_iou(state: State) -> Float[Array, " K"]:
    r"""Intersection over union (Jaccard) of each class, `C_cc / (Σ_j (C_cj + C_jc) - C_cc)`.

    Dice, the other measure of overlap, `2 IoU / (1 + IoU)`, is `per_class_f1`, and its mean
    `macro_f1`.

    Args:
      state: a `ConfusionState` or a `TallyState`, of the pixels of a segmentation for example.

    Returns:
      IoU `[K]` in [0, 1], float32; NaN for a class with neither examples nor predictions.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(3)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 0, 0, 1]))
      >>> print(jimb.metrics.per_class_iou(state), jimb.metrics.per_class_f1(state))
      [0.6666667 0.5             nan] [0.8        0.6666667        nan]

    Reference:
      Jaccard, 1901. Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010.
    """
    t = totals(state)
    return rounded(t, _ious(t), of=_union(t))


def mean_iou(state: State) -> Float[Array, ""]:
    r"""The mean of `per_class_iou` over the classes that have examples or predictions.

    Args:
      state: a `ConfusionState` or a `TallyState`; of all images together, not of each.

    Returns:
      A float32 scalar in [0, 1]; NaN if there are no examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> masks, predicted = jnp.array([[0, 0], [0, 1]]), jnp.array([[0, 0], [1, 1]])
      >>> state = jimb.metrics.update(jimb.metrics.init(2), predicted, masks)
      >>> print(jimb.metrics.mean_iou(state))
      0.5833333
    """
    t = totals(state)
    return rounded(t, quotient(mean(_ious(t), some(_union(t)))), of=t.total)


def _ious(t: Totals) -> Pair:
    return quotient(share(t.hits, _union(t)))


def _union(t: Totals) -> Wide:
    return _integers.subtract(both(t), t.hits)
