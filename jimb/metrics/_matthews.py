"""Matthews correlation without cancellation."""

from jimb import _pairs
from jimb.metrics._integers import stack, subtract, to_pair
from jimb.metrics._sums import Fraction, Totals


def correlation(t: Totals) -> Fraction:
    """R_K; its denominator is 0 where all examples or all predictions are of one class.

    Its numerator, `hits·total - Σ examples_c·predictions_c`, is a small difference of two large
    numbers, and so are both factors under the root. But it equals `Σ_c TP_c TN_c - Σ_c FP_c FN_c`,
    neither sum of which is larger than the denominator (Cauchy and Schwarz).
    """
    false_positives = subtract(t.predictions, t.hits)
    false_negatives = subtract(t.examples, t.hits)
    others, other_predictions = subtract(t.total, t.examples), subtract(t.total, t.predictions)
    true_negatives = subtract(others, false_positives)
    left = stack(t.hits, false_positives, t.examples, t.predictions)
    right = stack(true_negatives, false_negatives, others, other_predictions)
    ((high, low),) = _pairs.sums(_pairs.multiply(to_pair(left), to_pair(right)))
    agreed, disagreed, spread, predicted_spread = zip(high, low, strict=True)
    roots = _pairs.multiply(_pairs.sqrt(spread), _pairs.sqrt(predicted_spread))
    return _pairs.subtract(agreed, disagreed), roots
