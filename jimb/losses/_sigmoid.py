"""Sigmoid losses: elementwise, binary or multi-label, unreduced."""

import jax
import jax.numpy as jnp

from jimb._numerics import weigh
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.losses._elements import factor, unit_elements, visible
from jimb.losses._focal import focal_of_margin
from jimb.losses._soft_focal import sigmoid_cross_entropy, soft_focal


def sigmoid_cross_entropy_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Sigmoid cross-entropy, `-[w₊·y·log p + (1 - y)·log(1 - p)]`.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats.
      pos_weight: `w₊` ≥ 0 on the positive term, a scalar or broadcastable (one per class); may be
        traced.
      where: booleans of the same shape (partial labels); False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, or `pos_weight` < 0 (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> jimb.sigmoid_cross_entropy_loss(jnp.array([2.0, -1.0]), jnp.array([1, 1])).round(4)
      Array([0.1269, 1.3133], dtype=float32)
    """
    given, z, y = unit_elements(logits, labels, where)
    positive = y if pos_weight is None else y * factor("pos_weight", pos_weight, jnp.inf, z)
    return visible(sigmoid_cross_entropy(z, positive, 1 - y), given.dtype)


def sigmoid_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: ArrayLike | None = None,
    gamma: ArrayLike = 2.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Sigmoid focal loss, `-α_t (1 - p_t)^γ log p_t`.

    `p_t = y·p + (1 - y)·(1 - p)` and `α_t = y·α + (1 - y)·(1 - α)`: α weighs the positives. The
    values are those of `optax.sigmoid_focal_loss`. The paper's best pair is γ = 2 with α = 0.25.
    For soft labels the cross-entropy is `-y log p - (1 - y) log(1 - p)`; this differs from
    `softmax_focal_loss`, which sums a focal term per class.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats.
      alpha: in [0, 1], a scalar or broadcastable; may be traced. None means no weighting.
      gamma: γ ≥ 0, a scalar or broadcastable; may be traced.
      where: booleans of the same shape (partial labels); False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, γ < 0, or α is outside [0, 1] (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([2.0, -1.0]), jnp.array([1, 0])
      >>> jimb.sigmoid_focal_loss(logits, labels, alpha=0.25).round(5)
      Array([0.00045, 0.01699], dtype=float32)

    Reference:
      Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    given, z, y = unit_elements(logits, labels, where)
    focus = factor("gamma", gamma, jnp.inf, z)
    weight = None
    if alpha is not None:
        a = factor("alpha", alpha, 1.0, z)
        weight = a * y + (1 - a) * (1 - y)
    if jnp.issubdtype(jnp.asarray(labels).dtype, jnp.floating):
        losses = soft_focal(z, y, focus, weight)
    else:
        losses = focal_of_margin(jnp.where(y > 0, -z, z), focus, weight)
    return visible(losses, given.dtype)


def sigmoid_asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    gamma_pos: ArrayLike = 1.0,
    gamma_neg: ArrayLike = 4.0,
    clip: ArrayLike = 0.05,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Asymmetric loss, `-y (1 - p)^γ₊ log p - (1 - y) p_m^γ₋ log(1 - p_m)`.

    The shifted probability is `p_m = max(p - clip, 0)`: negatives below the shift cost nothing, and
    the hardest ones are flattened, since `1 - p_m` never falls below the shift.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats.
      gamma_pos: γ₊ ≥ 0 on positives, a scalar or broadcastable; may be traced.
      gamma_neg: γ₋ ≥ 0 on negatives, likewise.
      clip: the shift, in [0, 1], likewise.
      where: booleans of the same shape (partial labels); False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, γ < 0, or the shift is outside [0, 1] (traced: NaN and a
        checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([2.0, -1.0, -4.0]), jnp.array([1, 0, 0])
      >>> jimb.sigmoid_asymmetric_loss(logits, labels).round(5)
      Array([0.01513, 0.00057, 0.     ], dtype=float32)

    Reference:
      Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021.
    """
    given, z, y = unit_elements(logits, labels, where)
    positive = focal_of_margin(-z, factor("gamma_pos", gamma_pos, jnp.inf, z))
    negative = _shifted_negative(
        z, factor("gamma_neg", gamma_neg, jnp.inf, z), factor("clip", clip, 1.0, z)
    )
    return visible(weigh(y, positive) + weigh(1 - y, negative), given.dtype)


def _shifted_negative(z: Array, gamma: Array, clip: Array) -> Array:
    """`-p_m^γ log(1 - p_m)`, 0 with gradient 0 where p_m = 0; the limit at infinite logits."""
    finite = jnp.isfinite(z)
    safe = jnp.where(finite, z, 0)
    inside = jax.nn.sigmoid(safe) > clip
    shifts = inside & (clip > 0)
    # clip / p, below 1 whatever it rounds to; e^{-z} is only formed where p > clip bounds it.
    ratio = jnp.where(shifts, clip * (1 + jnp.exp(-jnp.where(shifts, safe, 0))), 0)
    log_shifted = jax.nn.log_sigmoid(safe) + jnp.log1p(-jnp.minimum(ratio, 1 - 2.0**-24))
    log_clip = jnp.where(clip > 0, jnp.log(jnp.where(clip > 0, clip, 1)), -jnp.inf)
    # Two forms of log(1 - p_m): each keeps its digits where the other loses them.
    above = jnp.logaddexp(jax.nn.log_sigmoid(-safe), log_clip)
    below = jnp.log1p(-jnp.exp(jnp.minimum(log_shifted, -0.5)))
    log_rest = jnp.where(log_shifted > -0.5, above, below)
    losses = jnp.where(inside, jnp.exp(gamma * log_shifted) * -log_rest, 0)
    at_infinity = jnp.exp(gamma * jnp.log1p(-clip)) * -log_clip
    limit = jnp.where(jnp.isnan(z), jnp.nan, jnp.where(z > 0, at_infinity, 0))
    return jnp.where(finite, losses, jax.lax.stop_gradient(limit))


def one_vs_all(logits: Array, is_label: Bool[Array, "*any"], gamma: Array | None) -> Array:
    """Sigmoid cross-entropy or focal terms of one binary problem per class."""
    # A sign for NaN means nothing; but XLA stores an AND of two arrays, and a loop that reads bytes
    # is compiled for more elements at a time: on a CPU with AVX-512 it takes half the time.
    is_label = is_label & (logits == logits)
    return focal_of_margin(jnp.where(is_label, -logits, logits), gamma)
