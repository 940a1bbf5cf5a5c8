"""Per-example weights to draw with, from class counts or from other weights."""

import math

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._fractions import not_fractions
from jimb._layout import replicated
from jimb._typing import Array, ArrayLike, Float
from jimb.weights import inverse_frequency_weights, mean_one


def class_power(labels: ArrayLike, counts: ArrayLike, *, power: ArrayLike) -> Float[Array, " N"]:
    r"""Weights that draw class c with probability proportional to `n_c^power`.

    1 is instance-balanced (every example alike), ½ square-root, 0 class-balanced, -1 the reversed
    sampling of BBN. Each example's weight is `n_y^{power - 1} / Σ_c n_c^power`, so that weights of
    several powers may be mixed by adding: progressive balancing is
    `(1 - t) · class_power(..., power=1) + t · class_power(..., power=0)`.

    Args:
      labels: integers, `[N]`.
      counts: examples of each class in the same data set, `[K]`; 0 is allowed.
      power: at most 1, a scalar; may be traced.

    Returns:
      Weights `[N]`, float32 (float64 under x64), which sum to 1. NaN for a label outside [0, K).

    Raises:
      TypeError: labels are not integers.
      ValueError: labels are not `[N]`, counts are not `[K]`, are fractions, negative or all 0, or
        the power is above 1 or no scalar. Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> labels = jnp.array([0, 0, 0, 1])
      >>> print(jimb.sampling.class_power(labels, [3, 1], power=0.0))
      [0.16666667 0.16666667 0.16666667 0.5       ]

    Reference:
      Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
      Zhou et al., BBN, CVPR 2020.
    """
    array = _checks.integer("labels", labels)
    if array.ndim != 0:  # as under jax.vmap
        _checks.one_per_example("labels", array, "N")
    traced = _checks.scalar("power", power, -math.inf, 1.0, dtype=jnp.float32)
    inverse = 1 - (np.asarray(power, np.float64) if _checks.on_host(power) else traced)
    n = not_fractions(_checks.per_class("counts", counts))
    if _checks.on_host(n) and not np.any(n):
        raise ValueError("counts are all 0: there is nothing to draw; count the labels first.")
    table = inverse_frequency_weights(n, power=inverse, allow_empty=True)
    per_example = mean_one(table, n) / jnp.sum(jnp.asarray(n, table.dtype))
    return _labels.looked_up(per_example, array)


def mix_uniform(weights: ArrayLike, *, amount: ArrayLike) -> Float[Array, " N"]:
    r"""The weights as a distribution, mixed with the uniform one: `(1 - a)·w/Σw + a/M`.

    M counts the examples with a weight above 0: what is excluded stays excluded. No other example
    is drawn less often than a times its uniform share, and mislabelled ones, which look hard, take
    over less.

    Args:
      weights: non-negative, `[N]`.
      amount: a in [0, 1], a scalar; may be traced. 1 draws all with weight above 0 alike.

    Returns:
      Weights `[N]`, float32 (float64 for float64 weights), which sum to 1; all 0 if the weights
      are.

    Raises:
      TypeError: weights are not floating point.
      ValueError: weights are not `[N]` or negative, or a is outside [0, 1] or no scalar. Traced:
        NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.sampling.mix_uniform(jnp.array([1.0, 0.0, 3.0]), amount=0.5))
      [0.375 0.    0.625]
    """
    w = _checks.example_weights(weights)
    a = _checks.scalar("amount", amount, 0.0, 1.0, dtype=w.dtype)
    total, kept = jnp.sum(w), jnp.sum(w != 0).astype(w.dtype)
    share = w / jnp.where(total == 0, 1, total)
    return jnp.where(w == 0, 0, (1 - a) * share + a / jnp.maximum(kept, 1))


def clip_quantile(weights: ArrayLike, *, q: ArrayLike) -> Float[Array, " N"]:
    r"""The weights, none larger than their q-quantile, `min(w, Q_q)`.

    The quantile is that of the weights above 0, interpolated linearly. It takes the examples of
    the largest weights, among which the mislabelled ones are, back to the size of the others.

    Args:
      weights: non-negative, `[N]`.
      q: in [0, 1], a scalar; may be traced. 1 changes nothing.

    Returns:
      Weights `[N]`, float32 (float64 for float64 weights), not normalised.

    Raises:
      TypeError: weights are not floating point.
      ValueError: weights are not `[N]` or negative, or q is outside [0, 1] or no scalar. Traced:
        NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.sampling.clip_quantile(jnp.array([0.0, 1.0, 2.0, 9.0]), q=0.5))
      [0. 1. 2. 2.]
    """
    w = _checks.example_weights(weights)
    level = _checks.scalar("q", q, 0.0, 1.0, dtype=w.dtype)
    largest = _quantile(replicated(w), level)  # a quantile is of all examples
    clipped = jnp.where(w == 0, 0, jnp.minimum(w, largest))
    return jnp.where(jnp.any(jnp.isnan(w)) | jnp.isnan(level), jnp.nan, clipped)


def _quantile(w: Float[Array, " N"], level: Float[Array, ""]) -> Float[Array, ""]:
    """The quantile of the weights above 0, interpolated linearly; 0 if there are none."""
    ordered = jnp.sort(w)
    kept = jnp.sum(w > 0)
    place = level * jnp.maximum(kept - 1, 0).astype(w.dtype)
    low = jnp.floor(place)
    step = place - low
    ends = w.size - kept + jnp.stack([low, jnp.ceil(place)]).astype(jnp.int32)
    below, above = ordered.at[ends].get(mode="clip")
    quantile: Array = below * (1 - step) + above * step
    return quantile
