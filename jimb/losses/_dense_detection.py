"""Sigmoid losses whose label is the quality of a box, its IoU: quality focal and varifocal."""

import jax.numpy as jnp

from jimb import _checks
from jimb._numerics import weigh
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._elements import factor, unit_elements, visible
from jimb.losses._focal import focal_of_margin
from jimb.losses._power import power_of_distance
from jimb.losses._soft_focal import sigmoid_cross_entropy


def quality_focal_loss(
    logits: ArrayLike, labels: ArrayLike, *, beta: ArrayLike = 2.0, where: ArrayLike | None = None
) -> Float[Array, "*any"]:
    r"""Quality focal loss, `|y - p|^β · (-y log p - (1 - y) log(1 - p))`.

    The label is the IoU of the predicted box with its object, and 0 in the background: one number
    for class and quality, so that boxes can be sorted by p. The loss is 0 and flat at p = y. With
    labels of 0 and 1 it is `sigmoid_focal_loss` with γ = β; with others that loss mixes, and has
    its minimum elsewhere.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats. Stop the gradient of an IoU
        that the network predicts.
      beta: β ≥ 0, a scalar or broadcastable; may be traced. β < 1 has an infinite slope at p = y,
        for which 0 is given.
      where: booleans of the same shape; False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, or β < 0 (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, iou = jnp.array([1.0, 1.0, -1.0]), jnp.array([0.9, 0.3, 0.0])
      >>> jimb.quality_focal_loss(logits, iou).round(4)
      Array([0.0118, 0.1883, 0.0227], dtype=float32)

    Reference:
      Li et al., Generalized Focal Loss, NeurIPS 2020.
    """
    given, z, y = unit_elements(logits, labels, where)
    power = power_of_distance(z, y, factor("beta", _checks.given("beta", beta), jnp.inf, z))
    return visible(weigh(power, sigmoid_cross_entropy(z, y, 1 - y)), given.dtype)


def varifocal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: ArrayLike = 0.75,
    gamma: ArrayLike = 2.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Varifocal loss, `y · (-y log p - (1 - y) log(1 - p))` if y > 0, else `-α p^γ log(1 - p)`.

    The label is the IoU of the predicted box with its object, and 0 in the background. Focusing
    turns down only the background; a positive weighs as much as its quality. At y = 0 the value
    jumps, so that a label that should be 0 must be 0.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats. Stop the gradient of an IoU
        that the network predicts.
      alpha: α ≥ 0 on the background, a scalar or broadcastable; may be traced.
      gamma: γ ≥ 0 on the background, likewise.
      where: booleans of the same shape; False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, or α or γ is negative (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, iou = jnp.array([1.0, 1.0, -1.0]), jnp.array([0.9, 0.3, 0.0])
      >>> jimb.varifocal_loss(logits, iou).round(4)
      Array([0.3719, 0.304 , 0.017 ], dtype=float32)

    Reference:
      Zhang et al., VarifocalNet, CVPR 2021.
    """
    given, z, y = unit_elements(logits, labels, where)
    focus = factor("gamma", _checks.given("gamma", gamma), jnp.inf, z)
    weight = factor("alpha", _checks.given("alpha", alpha), jnp.inf, z)
    positive = weigh(y, sigmoid_cross_entropy(z, y, 1 - y))
    return visible(jnp.where(y > 0, positive, focal_of_margin(z, focus, weight)), given.dtype)
