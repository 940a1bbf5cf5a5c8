"""The asymmetric loss of multi-label classification, elementwise."""

import jax
import jax.numpy as jnp

from jimb._numerics import weigh
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._elements import factor, unit_elements, visible
from jimb.losses._focal import focal_of_margin


def sigmoid_asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    gamma_pos: ArrayLike = 1.0,
    gamma_neg: ArrayLike = 4.0,
    clip: ArrayLike = 0.05,
    focus_gradient: bool = True,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Asymmetric loss, `-y (1 - p)^γ₊ log p - (1 - y) p_m^γ₋ log(1 - p_m)`.

    The shifted probability is `p_m = max(p - clip, 0)`: negatives below the shift cost nothing, and
    the hardest ones are flattened, since `1 - p_m` never falls below the shift.

    The derivative is that of this formula. The authors' code, by default and in their training,
    takes the focusing weights `(1 - p)^γ₊` and `p_m^γ₋` for constants, which changes no value and
    makes the gradient smaller: `focus_gradient=False` is theirs.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats.
      gamma_pos: γ₊ ≥ 0 on positives, a scalar or broadcastable; may be traced.
      gamma_neg: γ₋ ≥ 0 on negatives, likewise.
      clip: the shift, in [0, 1], likewise.
      focus_gradient: whether a gradient goes through the focusing weights; a Python bool. Without
        it γ₊ and γ₋ have gradient 0.
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

      The gradient of a positive by the formula, and as the authors train:

      >>> import jax
      >>> def loss(z, through):
      ...     return jimb.sigmoid_asymmetric_loss(z, 1, focus_gradient=through)
      >>> print(*(f"{jax.grad(loss)(1.2, through):.4f}" for through in (True, False)))
      -0.1004 -0.0536

    Reference:
      Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021.
    """
    given, z, y = unit_elements(logits, labels, where)
    focus = factor("gamma_pos", gamma_pos, jnp.inf, z)
    if focus_gradient:
        positive = focal_of_margin(-z, focus)
    else:
        positive = focal_of_margin(-z, None, jax.lax.stop_gradient(_wrongness(z, focus)))
    negative = _shifted_negative(
        z,
        factor("gamma_neg", gamma_neg, jnp.inf, z),
        factor("clip", clip, 1.0, z),
        focus_gradient=focus_gradient,
    )
    return visible(weigh(y, positive) + weigh(1 - y, negative), given.dtype)


def _wrongness(z: Array, gamma: Array) -> Array:
    """`(1 - p)^γ`; 1 at γ = 0 also where p = 1."""
    return jnp.exp(gamma * jnp.maximum(jax.nn.log_sigmoid(-z), -1e30))


def _shifted_negative(z: Array, gamma: Array, clip: Array, *, focus_gradient: bool) -> Array:
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
    focus = jnp.exp(gamma * log_shifted)
    if not focus_gradient:
        focus = jax.lax.stop_gradient(focus)
    losses = jnp.where(inside, focus * -log_rest, 0)
    at_infinity = jnp.exp(gamma * jnp.log1p(-clip)) * -log_clip
    limit = jnp.where(jnp.isnan(z), jnp.nan, jnp.where(z > 0, at_infinity, 0))
    return jnp.where(finite, losses, jax.lax.stop_gradient(limit))
