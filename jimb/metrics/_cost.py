"""What the errors cost."""

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _pairs
from jimb._typing import Array, ArrayLike, Float
from jimb.metrics._confusion import ConfusionState
from jimb.metrics._sums import cells, quotient, rounded, share, totals
from jimb.metrics._tally import TallyState
from jimb.metrics._weighted import WeightedConfusionState, WeightedTallyState

_LARGEST = float(np.finfo(np.float32).max)


def expected_cost(
    state: ConfusionState | WeightedConfusionState, costs: ArrayLike
) -> Float[Array, ""]:
    r"""The mean cost of an example, `Σ_ij C_ij cost_ij / Σ_ij C_ij`.

    Lower is better: where a higher number is to be better, take its negative.

    Args:
      state: a `ConfusionState`; what an error cost is not in a `TallyState`.
      costs: `[K, K]`, row the true class, column the predicted one; a negative cost is a gain. May
        be traced.

    Returns:
      A float32 scalar in the unit of the costs; NaN if there are no examples.

    Raises:
      TypeError: not a `ConfusionState`, or its counts are not integers.
      ValueError: the counts or costs are not `[K, K]`, or costs are not finite. Traced: NaN and a
        checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> state = jimb.metrics.init(2)
      >>> state = jimb.metrics.update(state, jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 0, 1]))
      >>> print(jimb.metrics.expected_cost(state, [[0, 1], [9, 0]]))  # a missed positive costs 9
      2.5

    Reference:
      Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.
    """
    if isinstance(state, TallyState | WeightedTallyState):
        raise TypeError(
            f"state must be a ConfusionState, got a {type(state).__name__}, which does not know "
            "what an example was taken for; count predictions by metrics.update(metrics.init(K), "
            "...)."
        )
    (high, low), t = cells(state)[0], totals(state)
    costs = _checks.per_class("costs", costs)
    table = _checks.bounded("costs", costs, -_LARGEST, _LARGEST, dtype=jnp.float32)
    _checks.same_shape("costs", table, high.shape, "state.counts")
    shares = quotient(share((high.ravel(), low.ravel()), t.total))
    terms = _pairs.multiply(shares, (table.ravel(), jnp.zeros_like(table.ravel())))
    return rounded(t, _pairs.sums(terms)[0], of=t.total)
