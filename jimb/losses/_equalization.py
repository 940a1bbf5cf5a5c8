"""One-vs-all losses that balance the gradients which each class gets as positive and as negative.

Both read `jimb.gradient_ratio`, what positives have pulled over what negatives have.
"""

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._layout import classes_laid_out_like
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._elements import unit_elements, visible
from jimb.losses._sigmoid import focal_of_elements
from jimb.losses._soft_focal import sigmoid_cross_entropy

_FAR = 1e30  # in the place of inf, which times 0 is NaN


def equalization_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    ratio: ArrayLike,
    *,
    alpha: ArrayLike = 4.0,
    gamma: ArrayLike = 12.0,
    mu: ArrayLike = 0.8,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Equalization loss v2, `-[q_c·y·log p + r_c·(1 - y)·log(1 - p)]`.

    With the ratio `g_c` of a class's positive to its negative gradients and
    `f(g) = 1 / (1 + exp(-γ (g - μ)))` the weights are `r_c = f(g_c)` of negatives and
    `q_c = 1 + α (1 - f(g_c))` of positives: a class that negatives outweigh gets less of them. They
    have no gradient by the logits. A class with ratio inf has both weights 1, which is for a class
    of which nothing is known, and for an output of objectness.

    Args:
      logits: `[..., K]`, floating point, one-vs-all.
      labels: `[..., K]`, in [0, 1]: booleans, integers or floats. Of class ids take
        `jax.nn.one_hot`.
      ratio: g, `[K]`, ≥ 0, as `jimb.gradient_ratio.compute` reads it; it may be inf.
      alpha: α ≥ 0, a scalar; may be traced.
      gamma: γ ≥ 0, likewise; with 0 all classes have f = 1/2.
      mu: μ ≥ 0, likewise.
      where: booleans `[..., K]`; False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, `[..., K]`, in the dtype of logits. NaN for a label outside [0, 1]. The
      authors sum them over the classes and average over the examples.

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, or a number is out of range (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((1, 3)), jnp.array([[1, 0, 0]])
      >>> print(jimb.equalization_loss(logits, labels, jnp.array([0.8, 0.8, 0.5])).round(3))
      [[2.079 0.347 0.018]]

    Reference:
      Tan et al., Equalization Loss v2: A New Gradient Balance Approach for Long-tailed Object
      Detection, CVPR 2021.
    """
    given, z, y = unit_elements(logits, labels, where)
    steepness = _checks.scalar("gamma", gamma, 0.0, dtype=z.dtype)
    middle = _checks.scalar("mu", mu, 0.0, dtype=z.dtype)
    boost = _checks.scalar("alpha", alpha, 0.0, dtype=z.dtype)
    x = steepness * (_of_classes(ratio, z) - middle)
    positive, negative = 1 + boost * jax.nn.sigmoid(-x), jax.nn.sigmoid(x)
    losses = sigmoid_cross_entropy(z, positive * y, negative * (1 - y))
    return visible(losses, given.dtype)


def equalized_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    ratio: ArrayLike,
    *,
    alpha: ArrayLike | None = 0.25,
    gamma: ArrayLike = 2.0,
    scale: ArrayLike = 8.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Equalized focal loss, `-α_t (γ_c / γ) (1 - p_t)^γ_c log p_t`.

    `γ_c = γ + s·(1 - g_c)` with the ratio `g_c` of a class's positive to its negative gradients, at
    most 1: a class that negatives outweigh is focused more, and weighs more. With all ratios 1, or
    inf, it is `sigmoid_focal_loss`.

    Args:
      logits: `[..., K]`, floating point, one-vs-all.
      labels: `[..., K]`, in [0, 1]: booleans, integers or floats. Of class ids take
        `jax.nn.one_hot`.
      ratio: g, `[K]`, ≥ 0, as `jimb.gradient_ratio.compute` reads it; above 1 it counts as 1.
      alpha: α in [0, 1], a scalar; may be traced. None means no weighting.
      gamma: γ > 0, a scalar; may be traced. What a balanced class is focused by.
      scale: s ≥ 0, a scalar; may be traced.
      where: booleans `[..., K]`; False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, `[..., K]`, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, or a number is out of range (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.full((1, 2), -1.0), jnp.array([[1, 1]])
      >>> losses = jimb.equalized_focal_loss(logits, labels, jnp.array([1.0, 0.2]))
      >>> print(*(f"{loss:.4f}" for loss in losses[0]))
      0.1755 0.0993

    Reference:
      Li et al., Equalized Focal Loss for Dense Long-Tailed Object Detection, CVPR 2022.
    """
    given, z, y = unit_elements(logits, labels, where)
    balanced = _checks.scalar("gamma", gamma, 0.0, dtype=z.dtype, exclusive=True)
    more = _checks.scalar("scale", scale, 0.0, dtype=z.dtype)
    more = more * (1 - jnp.minimum(_of_classes(ratio, z), 1))
    weight = 1 + more / balanced
    if alpha is not None:
        a = _checks.scalar("alpha", alpha, 0.0, 1.0, dtype=z.dtype)
        weight = weight * (a * y + (1 - a) * (1 - y))
    zero = jnp.zeros_like(z)
    losses = focal_of_elements(z, y, labels, balanced + more + zero, weight + zero)
    return visible(losses, given.dtype)


def _of_classes(ratio: ArrayLike, z: Array) -> Array:
    """The ratios, with axes of 1 in front; a large number for inf."""
    table = _checks.per_class("ratio", ratio)
    g = _checks.bounded("ratio", table, 0.0, dtype=z.dtype, finite=False)
    _checks.one_per_class("ratio", g, _checks.class_logits(z))
    g = jnp.minimum(g, _FAR)
    return classes_laid_out_like(g.reshape((1,) * (z.ndim - 1) + g.shape), z)
