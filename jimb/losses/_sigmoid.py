"""Sigmoid losses: elementwise, binary or multi-label, unreduced."""

import jax.numpy as jnp

from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.losses._elements import factor, is_plain_zero, unit_elements, visible
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

      The logit that is best under `w₊` is that of the frequency plus `log w₊`, here of one positive
      in ten: subtract it after training, and probabilities are again those of the data.

      >>> import jax
      >>> labels, w = jnp.array([1] + [0] * 9), 9.0
      >>> def loss(z):
      ...     z = jnp.broadcast_to(z, labels.shape)
      ...     return jimb.sigmoid_cross_entropy_loss(z, labels, pos_weight=w).mean()
      >>> trained = jax.lax.fori_loop(0, 100, lambda _, z: z - jax.grad(loss)(z), 1.0)
      >>> print(jax.nn.sigmoid(trained).round(3), jax.nn.sigmoid(trained - jnp.log(w)).round(3))
      0.5 0.1
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
    label_smoothing: ArrayLike = 0.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""Sigmoid focal loss, `-α_t (1 - p_t)^γ log p_t`.

    `p_t = y·p + (1 - y)·(1 - p)` and `α_t = y·α + (1 - y)·(1 - α)`: α weighs the positives. The
    values are those of `optax.sigmoid_focal_loss`. The paper's best pair is γ = 2 with α = 0.25.
    For soft labels the cross-entropy is `-y log p - (1 - y) log(1 - p)`; this differs from
    `softmax_focal_loss`, which sums a focal term per class. Smoothing replaces y by
    `(1 - ε)·y + ε/2` everywhere, in `p_t` and `α_t` too, as Keras does.

    Args:
      logits: any shape, floating point.
      labels: the same shape, in [0, 1]: booleans, integers or floats.
      alpha: in [0, 1], a scalar or broadcastable; may be traced. None means no weighting.
      gamma: γ ≥ 0, a scalar or broadcastable; may be traced.
      label_smoothing: ε in [0, 1], a scalar; may be traced.
      where: booleans of the same shape (partial labels); False gives loss 0 and gradient 0.

    Returns:
      Losses in nats, elementwise, in the dtype of logits. NaN for a label outside [0, 1].

    Raises:
      TypeError: logits are not floating point, labels no numbers, or `where` is not boolean.
      ValueError: shapes do not fit, γ < 0, or α or ε is outside [0, 1] (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([2.0, -1.0]), jnp.array([1, 0])
      >>> jimb.sigmoid_focal_loss(logits, labels, alpha=0.25).round(5)
      Array([0.00045, 0.01699], dtype=float32)

    Reference:
      Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    epsilon = None if is_plain_zero(label_smoothing) else label_smoothing
    given, z, y = unit_elements(logits, labels, where, epsilon)
    focus = factor("gamma", gamma, jnp.inf, z)
    weight = None
    if alpha is not None:
        a = factor("alpha", alpha, 1.0, z)
        weight = a * y + (1 - a) * (1 - y)
    if epsilon is not None:
        return visible(soft_focal(z, y, focus, weight), given.dtype)
    return visible(focal_of_elements(z, y, labels, focus, weight), given.dtype)


def focal_of_elements(
    z: Array, y: Array, labels: ArrayLike, gamma: Array, weight: Array | None
) -> Array:
    """Focal terms of `unit_elements`, which are fewer operations where labels are no floats."""
    if jnp.issubdtype(jnp.asarray(labels).dtype, jnp.floating):
        return soft_focal(z, y, gamma, weight)
    return focal_of_margin(jnp.where(y > 0, -z, z), gamma, weight)


def one_vs_all(logits: Array, is_label: Bool[Array, "*any"], gamma: Array | None) -> Array:
    """Sigmoid cross-entropy or focal terms of one binary problem per class."""
    # A sign for NaN means nothing; but XLA stores an AND of two arrays, and a loop that reads bytes
    # is compiled for more elements at a time: on a CPU with AVX-512 it takes half the time.
    is_label = is_label & (logits == logits)
    return focal_of_margin(jnp.where(is_label, -logits, logits), gamma)
