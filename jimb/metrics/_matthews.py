"""Matthews correlation without cancellation."""

import jax.numpy as jnp

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array
from jimb.metrics._integers import Wide, subtract, to_pair
from jimb.metrics._tally import Tally, divide, some


def correlation(t: Tally) -> Pair:
    """R_K; 0 where all examples or all predictions are of one class, NaN without examples.

    Its numerator, `hits·total - Σ examples_c·predictions_c`, is a small difference of two large
    numbers, and so are both factors under the root. But it equals `Σ_c TP_c TN_c - Σ_c FP_c FN_c`,
    neither sum of which is larger than the denominator (Cauchy and Schwarz).
    """
    false_positives = subtract(t.predictions, t.hits)
    false_negatives = subtract(t.examples, t.hits)
    others, other_predictions = subtract(t.total, t.examples), subtract(t.total, t.predictions)
    true_negatives = subtract(others, false_positives)
    agreed, disagreed, spread, predicted_spread = _pairs.sums(
        _product(t.hits, true_negatives),
        _product(false_positives, false_negatives),
        _product(t.examples, others),
        _product(t.predictions, other_predictions),
    )
    one_sided = (spread[0] == 0) | (predicted_spread[0] == 0)
    roots = _pairs.sqrt(spread), _pairs.sqrt(predicted_spread)
    high, low = divide(divide(_pairs.subtract(agreed, disagreed), roots[0]), roots[1])
    high = jnp.where(one_sided, jnp.where(some(t.total), 0, jnp.nan), high)
    return high, jnp.where(one_sided, 0, low)


def _product(a: Wide, b: Wide) -> tuple[Array, Array]:
    return _pairs.multiply(to_pair(a), to_pair(b))
