"""How well scores rank positives above negatives: exact, from one sort."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import laid_out_like, replicated
from jimb._pairs import Pair
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.metrics import _curve
from jimb.metrics._curve import Curve
from jimb.metrics._example_weights import checked, included
from jimb.metrics._numbers import scalar_pair


def average_precision(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, ""]:
    r"""The area under the precision-recall curve, in steps: `Σ_n (R_n - R_{n-1}) P_n`.

    P and R are precision and recall of `score ≥ t`, at each t that is a score, in descending
    order; there is no interpolation, and examples of one score are one step. By chance it is the
    share of positives.

    Args:
      scores: of the positive class, logits or probabilities, floating point, any shape. Only their
        order counts; those of NumPy also in float64.
      labels: 0 and 1, integers or booleans, of the same shape.
      weights: of examples, non-negative, floating point, of the same shape. A weight of 0 leaves an
        example out, whatever its score and label.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A float32 scalar in (0, 1], the nearest to the exact value but for 1e-9. NaN, with a checkify
      message, without positives or where a score is NaN.

    Raises:
      TypeError: scores or weights are not floating point, labels are not integers or booleans, or
        `where` is not boolean.
      ValueError: shapes differ, or Python or NumPy labels are not 0 or 1, or weights negative or
        not finite, unmasked. Traced, such a label is dropped, such a weight gives NaN, with a
        checkify message.

    Example:
      And of each class against all others, whose mean is the macro average:

      >>> import jax, jax.numpy as jnp, jimb
      >>> scores, labels = jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])
      >>> print(jimb.metrics.average_precision(scores, labels))
      0.8333333
      >>> logits = jnp.array([[2.0, 0.0, 1.0], [1.0, 3.0, 0.0], [1.0, 2.0, 2.0], [0.0, 1.0, 0.0]])
      >>> one_hot = jax.nn.one_hot(jnp.array([0, 1, 2, 0]), 3, dtype=int)
      >>> each = jax.vmap(jimb.metrics.average_precision, in_axes=1)(logits, one_hot)
      >>> print(each, each.mean())
      [0.75 1.   1.  ] 0.9166667

    Reference:
      Su et al., A Relationship between the Average Precision and the Area Under the ROC Curve,
      ICTIR 2015.
    """
    curve, known = _curve_of(scores, labels, weights, where)
    found = report(
        curve.total[0][0] > 0, "labels have no positive example: the average precision is NaN."
    )
    return _number(_curve.average_precision(curve), known & found)


def roc_auc(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    max_fpr: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, ""]:
    r"""The area under the ROC curve: how often a positive scores above a negative.

    `P(s₊ > s₋) + ½ P(s₊ = s₋)` over all pairs of a positive and a negative. By chance it is ½,
    whatever the share of positives, and it hardly sees false alarms among very many negatives:
    there look at `average_precision`, or at the left of the curve alone by `max_fpr`.

    Args:
      scores: of the positive class, logits or probabilities, floating point, any shape. Only their
        order counts; those of NumPy also in float64.
      labels: 0 and 1, integers or booleans, of the same shape.
      max_fpr: the largest false-positive rate m, in (0, 1], for the area A left of it. Its result
        is `½ (1 + (A - m²/2) / (m - m²/2))`, ½ by chance and 1 at best. A scalar; may be traced.
      weights: of examples, non-negative, floating point, of the same shape. A weight of 0 leaves an
        example out, whatever its score and label.
      where: booleans of the same shape; False leaves an example out.

    Returns:
      A float32 scalar in [0, 1], the nearest to the exact value but for 1e-9. NaN, with a checkify
      message, without positives, without negatives, or where a score is NaN.

    Raises:
      TypeError: scores or weights are not floating point, labels are not integers or booleans, or
        `where` is not boolean.
      ValueError: shapes differ, or Python or NumPy labels are not 0 or 1, or weights negative or
        not finite, unmasked; `max_fpr` lies outside (0, 1] or is no scalar. Traced, such a label is
        dropped, such a number gives NaN, with a checkify message.

    Example:
      And of each class against all others, whose mean is the macro average:

      >>> import jax, jax.numpy as jnp, jimb
      >>> scores, labels = jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])
      >>> print(jimb.metrics.roc_auc(scores, labels))
      0.75
      >>> print(jimb.metrics.roc_auc(scores, labels, max_fpr=0.5))
      0.6666667
      >>> logits = jnp.array([[2.0, 0.0, 1.0], [1.0, 3.0, 0.0], [1.0, 2.0, 2.0], [0.0, 1.0, 0.0]])
      >>> one_hot = jax.nn.one_hot(jnp.array([0, 1, 2, 0]), 3, dtype=int)
      >>> each = jax.vmap(jimb.metrics.roc_auc, in_axes=1)(logits, one_hot)
      >>> print(each, each.mean())
      [0.5 1.  1. ] 0.8333334

    Reference:
      Hanley and McNeil, Radiology 1982. McClish, Analyzing a Portion of the ROC Curve, 1989.
    """
    curve, known = _curve_of(scores, labels, weights, where)
    found = report(
        (curve.total[0][0] > 0) & (curve.total[1][0] > 0),
        "labels have examples of one class only, or none: the area under the curve is NaN.",
    )
    if max_fpr is None:
        return _number(_curve.area(curve), known & found)
    most = scalar_pair("max_fpr", max_fpr, 0.0, 1.0, exclusive=True)
    return _number(_curve.partial_area(curve, most), known & found & ~jnp.isnan(most[0]))


def _number(value: Pair, known: Array) -> Float[Array, ""]:
    return jnp.where(known, value[0], jnp.nan)


def _curve_of(scores: Any, labels: Any, weights: Any, where: Any) -> tuple[Curve, Bool[Array, ""]]:
    """The curve, and whether all scores and weights are numbers."""
    classes, kept = inputs(scores, labels, weights, where)
    nan = jnp.isnan(jnp.asarray(scores)) & (classes < 2)
    known = report(~jnp.any(nan), "scores hold a NaN: the measure is NaN.")
    operands = [_in_order(scores), classes]
    if weights is not None:
        w = laid_out_like(checked(weights, kept), classes)
        operands.append(jnp.where(classes < 2, w, 0))
        known &= ~jnp.any(jnp.isnan(operands[-1]))
    key, classes, *rest = (replicated(x).ravel() for x in operands)
    if key.size == 0:  # a curve has at least one step
        key, classes, *rest = jnp.zeros(1), jnp.full(1, 2), *(jnp.zeros(1) for _ in rest)
    return _curve.of_scores(key, classes, *rest), known


def inputs(scores: Any, labels: Any, weights: Any, where: Any) -> tuple[Array, Any]:
    """The class of each example, 2 for those left out; and which are not masked."""
    array = _checks.floating("scores", scores)
    ids = labels
    if getattr(labels, "dtype", None) == np.bool_:
        ids = labels.astype(np.int32)
    _checks.same_shape("labels", _checks.label_array("labels", ids), array.shape, "scores")
    kept = included(weights, where, array.shape, "scores")
    return _labels.positions("labels", ids, 2, kept, "classes"), kept


def _in_order(scores: Any) -> Array:
    """Numbers in the order of the scores, none of them NaN.

    On the host it is their rank: float64 has no place on the device.
    """
    if _checks.on_host(scores):
        exact = np.asarray(scores)
        rank: Array = jnp.asarray(np.unique(exact, return_inverse=True)[1].reshape(exact.shape))
        return rank
    return jnp.where(jnp.isnan(scores), 0, scores)
