"""What is left alone of what is not of a class."""

from jimb._clock import Wide
from jimb._typing import Array, Float
from jimb.metrics import _integers
from jimb.metrics._state import State
from jimb.metrics._sums import Totals, quotient, rounded, share, totals


def per_class_specificity(state: State) -> Float[Array, " K"]:
    r"""The share of all other examples that was not predicted as a class, `TN_c / (TN_c + FP_c)`.

    Each class stands against all others. Of two classes `[1]` is the specificity of a test for
    class 1, which is the recall of class 0.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      Specificities `[K]` in [0, 1], float32; NaN for a class that has all examples.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> labels, predictions = jnp.array([0, 0, 0, 0, 1]), jnp.array([0, 1, 0, 0, 1])
      >>> state = jimb.metrics.update(state, predictions, labels)
      >>> print(jimb.metrics.per_class_specificity(state))
      [1.   0.75]

    Reference:
      Yerushalmy, Statistical Problems in Assessing Methods of Medical Diagnosis, 1947.
    """
    t = totals(state)
    return rounded(t, quotient(share(true_negatives(t), negatives(t))), of=negatives(t))


def negatives(t: Totals) -> Wide:
    """The examples of all other classes."""
    return _integers.subtract(t.total, t.examples)


def true_negatives(t: Totals) -> Wide:
    """Those of them that were not predicted as the class."""
    return _integers.subtract(negatives(t), _integers.subtract(t.predictions, t.hits))
