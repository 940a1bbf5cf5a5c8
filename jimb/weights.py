"""Class weights from class counts."""

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._class_numbers import (
    checked,
    checked_counts,
    namespace,
    normalized,
    per_class,
    result_dtype,
)
from jimb._effective_number import effective_number_of, inverse_of
from jimb._fractions import not_fractions
from jimb._pixel_weights import log_frequency_weights as log_frequency_weights
from jimb._pixel_weights import median_frequency_weights as median_frequency_weights
from jimb._pos_weight import balanced_pos_weight as balanced_pos_weight
from jimb._typing import Array, ArrayLike, Float

__all__ = [
    "balanced_alpha",
    "effective_number",
    "effective_number_weights",
    "inverse_frequency_weights",
    "mean_one",
    "single_class_weight",
]


def inverse_frequency_weights(
    counts: ArrayLike, *, power: ArrayLike = 1.0, allow_empty: bool = False
) -> Float[Array, " K"]:
    r"""Class weights proportional to `n_c^{-power}`, summing to the number of non-empty classes.

    `power=1` is inverse frequency, ½ the square-root smoothing, 0 no weighting.

    Args:
      counts: examples of each class in the training set, `[K]`, non-negative.
      power: the exponent, in [0, inf), a scalar or one per class `[K]`; may be traced.
      allow_empty: give a class without examples weight 0 instead of raising.

    Returns:
      Weights `[K]`, float32 (float64 under x64). Python and NumPy input is computed in float64.

    Raises:
      ValueError: counts are not `[K]`, are negative or not finite, name an empty class (host
        counts, unless `allow_empty`), or `power` is negative. Traced: an empty class gets weight 0
        and a checkify message; wrong numbers give NaN and a message.

    Example:
      >>> import jimb
      >>> print(jimb.inverse_frequency_weights([300, 100]))
      [0.5 1.5]

    Reference:
      Huang et al., Learning Deep Representation for Imbalanced Classification, CVPR 2016.
    """
    xp, counts, power = namespace(counts, "power", power)
    n = checked_counts(counts, xp, allow_empty)
    exponent = per_class("power", checked("power", power, 0.0, np.inf, xp), n, xp)
    return normalized(xp.where(n > 0, n, 1) ** -exponent, n, xp)


def effective_number(counts: ArrayLike, *, beta: ArrayLike) -> Float[Array, " K"]:
    r"""The effective number of examples, `E_n = (1 - β^n) / (1 - β)`; n where β = 1.

    Args:
      counts: examples of each class, `[K]`, non-negative; 0 gives 0.
      beta: in [0, 1], a scalar or one per class `[K]`; may be traced.

    Returns:
      `E_n`, `[K]`, float32 (float64 under x64), between 1 and n for non-empty classes.

    Raises:
      ValueError: counts are not `[K]`, negative or not finite, or β is outside [0, 1]. Traced:
        NaN and a checkify message.

    Example:
      >>> import jimb
      >>> print(jimb.effective_number([1, 2, 3], beta=0.5))
      [1.   1.5  1.75]

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    xp, counts, beta = namespace(counts, "beta", beta)
    n = checked_counts(not_fractions(counts), xp, allow_empty=True)
    rate = per_class("beta", 1 - checked("beta", beta, 0.0, 1.0, xp), n, xp)
    return jnp.asarray(effective_number_of(n, rate, xp), result_dtype(n))


def effective_number_weights(
    counts: ArrayLike,
    *,
    beta: ArrayLike | None = None,
    volume: ArrayLike | None = None,
    allow_empty: bool = False,
) -> Float[Array, " K"]:
    r"""Class weights proportional to `1 / E_n`, summing to the number of non-empty classes.

    `E_n = (1 - β^n) / (1 - β)`. β = 0 gives equal weights, β → 1 inverse frequency. Give β, or the
    volume `N = 1 / (1 - β)`, which stays exact where β itself rounds to 1: from 1 - 2⁻²⁵ in
    float32, from 0.999 in bfloat16. A Python β is used in float64, whatever the counts are.

    Args:
      counts: examples of each class in the training set, `[K]`, non-negative.
      beta: in [0, 1], a scalar or one per class `[K]`; may be traced.
      volume: in [1, inf], a scalar or one per class `[K]`; may be traced.
      allow_empty: give a class without examples weight 0 instead of raising.

    Returns:
      Weights `[K]`, float32 (float64 under x64). Python and NumPy input is computed in float64.

    Raises:
      TypeError: not exactly one of `beta` and `volume` is given.
      ValueError: counts are not `[K]`, are negative or not finite, name an empty class (host
        counts, unless `allow_empty`), or β or the volume is out of range. Traced: an empty class
        gets weight 0 and a checkify message; wrong numbers give NaN and a message.

    Example:
      >>> import jimb
      >>> print(jimb.effective_number_weights([5000, 50], beta=0.9999))
      [0.02503446 1.9749656 ]

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    if (beta is None) == (volume is None):
        raise TypeError("give exactly one of beta and volume = 1 / (1 - beta).")
    if beta is not None:
        xp, counts, beta = namespace(counts, "beta", beta)
        rate = 1 - checked("beta", beta, 0.0, 1.0, xp)
    else:
        xp, counts, volume = namespace(counts, "volume", volume)
        rate = 1 / checked("volume", volume, 1.0, np.inf, xp, finite=False)
    n = checked_counts(not_fractions(counts), xp, allow_empty)
    rate = per_class("beta or volume", rate, n, xp)
    return normalized(inverse_of(xp.where(n > 0, n, 1), rate, xp), n, xp)


def mean_one(weights: ArrayLike, counts: ArrayLike) -> Float[Array, " K"]:
    r"""Class weights rescaled to mean 1 over the data, `w / Σ_c π_c w_c` with `π = n / Σn`.

    The mean weighted loss then keeps the size of the unweighted one, and the learning rate its
    meaning.

    Args:
      weights: non-negative, `[K]`.
      counts: examples of each class in the training set, `[K]`, non-negative; 0 is allowed.

    Returns:
      Weights `[K]`, float32 (float64 under x64).

    Raises:
      ValueError: shapes differ, a number is negative or not finite, or no class has both weight
        and examples. Traced: NaN (and a checkify message for a wrong number).

    Example:
      >>> import jimb
      >>> print(jimb.mean_one([1.0, 3.0], [300, 100]))
      [0.6666667 2.       ]

      In a batch of one example a mean that divides by the sum of the weights takes them out again.
      Divided by the number of examples they stay:

      >>> import jax.numpy as jnp
      >>> w, loss, label = jimb.mean_one([1.0, 3.0], [300, 100]), jnp.array([0.5]), jnp.array([1])
      >>> print(jimb.weighted_mean(loss, jimb.take_class(w, label)))
      0.5
      >>> print(jimb.weighted_mean(loss, jimb.take_class(w, label), normalizer=1))
      1.0
    """
    xp, counts, weights = namespace(counts, "weights", weights)
    n = checked_counts(counts, xp, allow_empty=True)
    w = xp.asarray(checked("weights", weights, 0.0, np.inf, xp), n.dtype)
    if w.shape != n.shape:
        raise ValueError(f"weights {list(w.shape)} and counts {list(n.shape)} must both be [K].")
    total = (n * w).sum()
    if xp is np and total == 0:
        raise ValueError("no class has both a weight and an example: there is no mean to rescale.")
    scale = xp.where(total == 0, xp.nan, n.sum() / xp.where(total == 0, 1, total))
    return jnp.asarray(w * scale, result_dtype(n))


def single_class_weight(
    num_classes: int, class_index: int, multiplier: ArrayLike
) -> Float[Array, " K"]:
    r"""Weight `multiplier` for one class and 1 for the others.

    With `weighted_mean(losses, take_class(w, labels), normalizer=number of all labels)` this is the
    weighted softmax loss of one class (`pos_mult`, `pos_cid`).

    Args:
      num_classes: K.
      class_index: the class, in [0, K).
      multiplier: its weight ≥ 0; may be traced.

    Returns:
      Weights `[K]`, float32 (float64 under x64).

    Raises:
      TypeError: K or the class is not an int.
      ValueError: the class is outside [0, K), or `multiplier` is negative or no scalar (traced:
        NaN and a checkify message).

    Example:
      >>> import jimb
      >>> print(jimb.single_class_weight(3, 1, 10.0))
      [ 1. 10.  1.]
    """
    num_classes = _checks.size("num_classes", num_classes)
    if not isinstance(class_index, int | np.integer) or isinstance(class_index, bool):
        raise TypeError(f"class_index must be an int, got {_checks.shown(class_index)}.")
    if not 0 <= class_index < num_classes:
        raise ValueError(f"class_index must lie in [0, {num_classes}), got {class_index}.")
    dtype = result_dtype(_checks.array_of("multiplier", multiplier))
    value = _checks.scalar("multiplier", multiplier, 0.0, dtype=dtype)
    return jnp.ones(num_classes, dtype).at[class_index].set(value)


def balanced_alpha(counts: ArrayLike) -> Float[Array, ""]:
    r"""The α of two classes that weighs each by the frequency of the other, `n₋ / (n₊ + n₋)`.

    Args:
      counts: `[2]`, the examples of the negative class 0 and of the positive class 1.

    Returns:
      α of the positive class, for `sigmoid_focal_loss(alpha=...)`; a float32 scalar (float64 under
      x64).

    Raises:
      ValueError: counts are not `[2]`, are negative or not finite, or have an empty class. Traced:
        an empty class leaves a checkify message, wrong numbers give NaN and a message.

    Example:
      >>> import jimb
      >>> print(jimb.balanced_alpha([75, 25]))
      0.75
    """
    xp, counts, _ = namespace(counts, "", 0.0)
    n = checked_counts(counts, xp, allow_empty=None)
    if n.shape != (2,):
        raise ValueError(f"counts must be [2], negatives and positives, got {list(n.shape)}.")
    return jnp.asarray(n[0] / n.sum(), result_dtype(n))
