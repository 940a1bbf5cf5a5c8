"""Agreement beyond chance."""

import jax.numpy as jnp

from jimb import _pairs
from jimb._typing import Array, Float
from jimb.metrics._integers import stack, subtract, to_pair
from jimb.metrics._specificity import true_negatives
from jimb.metrics._state import State
from jimb.metrics._sums import quotient, rounded, totals


def cohen_kappa(state: State) -> Float[Array, ""]:
    r"""Cohen's κ, `(p_o - p_e) / (1 - p_e)`: accuracy above what chance would have agreed on.

    `p_o` is the accuracy and `p_e = Σ_c t_c p_c / s²`, with t_c the examples of a class, p_c its
    predictions and s all examples.

    Args:
      state: a `ConfusionState` or a `TallyState`.

    Returns:
      A float32 scalar in [-1, 1]; NaN if all examples and predictions are of one class, or there
      are none.

    Raises:
      TypeError: not a state, or its counts are not integers.
      ValueError: the counts are not `[K, K]`, or `[K]` of a tally.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 0, 1]), jnp.array([0, 0, 1, 1]))
      >>> print(jimb.metrics.cohen_kappa(state))
      0.5

    Reference:
      Cohen, A Coefficient of Agreement for Nominal Scales, 1960.
    """
    t = totals(state)
    # Nothing cancels: as in `_matthews`, of which the numerator is the same; s² - Σ_c t_c p_c is
    # Σ_c t_c (s - p_c).
    left = stack(t.hits, subtract(t.predictions, t.hits), t.examples)
    right = stack(true_negatives(t), subtract(t.examples, t.hits), subtract(t.total, t.predictions))
    ((high, low),) = _pairs.sums(_pairs.multiply(to_pair(left), to_pair(right)))
    agreed, disagreed, chance = zip(high, low, strict=True)
    kappa = quotient((_pairs.subtract(agreed, disagreed), chance))
    return jnp.where(chance[0] > 0, rounded(t, kappa, of=t.total), jnp.nan)
