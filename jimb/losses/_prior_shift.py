"""Losses that add the class prior to the logits in training, so that it need not be learnt.

After training the prior is subtracted; that is another function, never a negative τ here.
"""

import jax.numpy as jnp

from jimb import _checks
from jimb._numerics import compute_dtype, scaled_log
from jimb._typing import Array, ArrayLike, Float
from jimb.heads._head import LogitsLike
from jimb.losses._given_labels import class_ids, softmax_logits
from jimb.losses._softmax import softmax_loss


def balanced_softmax_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Softmax cross-entropy of the logits plus the log counts, `CE(z + log n, y)`.

    Equal to `logit_adjusted_loss` with the prior `n / Σn` and τ = 1.

    Args:
      logits: `[..., K]`, floating point.
      labels: integers `[...]`, or float soft labels `[..., K]`.
      counts: examples of each class in the training set, `[K]`. A count of 0 removes the class:
        probability 0, gradient 0, and an infinite loss if it is a label.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels neither integer nor floating, or `where`
        is not boolean.
      ValueError: shapes do not fit, or counts are negative (traced: NaN and a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> jimb.balanced_softmax_loss(jnp.zeros((2, 2)), jnp.array([0, 1]), [90, 10]).round(4)
      Array([0.1054, 2.3026], dtype=float32)

    Reference:
      Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020.
    """
    z = softmax_logits(logits, labels)
    n = _checks.class_table("counts", counts, z)
    return softmax_loss(z, labels, shift=scaled_log(n, jnp.ones((), n.dtype)), where=where)


def logit_adjusted_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    prior: ArrayLike,
    *,
    tau: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Logit-adjusted softmax cross-entropy, `CE(z + τ log π, y)`.

    Args:
      logits: `[..., K]`, floating point.
      labels: integers `[...]`, or float soft labels `[..., K]`.
      prior: π, the class frequencies that the training draws, `[K]`, summing to 1. A class with
        π = 0 is removed if τ > 0.
      tau: τ ≥ 0, a scalar; may be traced. 0 is cross-entropy.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels neither integer nor floating, or `where`
        is not boolean.
      ValueError: shapes do not fit, τ < 0, or the prior is no distribution (traced: NaN and a
        checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.logit_adjusted_loss(logits, labels, [0.9, 0.1], tau=0.5).round(4)
      Array([0.2877, 1.3863], dtype=float32)

    Reference:
      Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021.
    """
    z = softmax_logits(logits, labels)
    strength = _checks.scalar("tau", tau, 0.0, dtype=compute_dtype(z))
    return softmax_loss(
        z, labels, shift=scaled_log(_checks.distribution("prior", prior, z), strength), where=where
    )


def ldam_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    max_margin: ArrayLike = 0.5,
    scale: ArrayLike,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Label-distribution-aware margin loss, `CE(s·(z - m_y e_y), y)`.

    The margin `m_c = max_margin · (n_c / min n)^{-1/4}` is subtracted from the true class's logit;
    the minimum is over non-empty classes. It needs the logits of a cosine head, `cosine_logits`,
    with which the paper uses the scale s = 30.

    Args:
      logits: `[..., K]`, floating point, cosines.
      labels: integers `[...]`.
      counts: examples of each class in the training set, `[K]`; an empty class has the largest
        margin.
      max_margin: ≥ 0, a scalar; may be traced.
      scale: s > 0, a scalar; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, or a number is out of range (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> cosines, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.ldam_loss(cosines, labels, [160, 10], scale=2.0).round(4)
      Array([0.9741, 1.3133], dtype=float32)

    Reference:
      Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss,
      NeurIPS 2019.
    """
    z = softmax_logits(logits, labels)
    _checks.mask(where, z.shape[:-1], "the batch, logits.shape[:-1]")
    ids = class_ids(labels, z, where)
    n = _checks.class_table("counts", counts, z)
    largest = _checks.scalar("max_margin", max_margin, 0.0, dtype=n.dtype)
    s = _checks.scalar("scale", scale, 0.0, dtype=n.dtype, exclusive=True)
    smallest = jnp.min(jnp.where(n == 0, jnp.inf, n))
    margins = largest * jnp.where(n == 0, 1, n / smallest) ** -0.25
    return softmax_loss(z, ids, factor=s, margins=s * margins, where=where)


def vs_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    gamma: ArrayLike,
    tau: ArrayLike,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Vector-scaling loss, `CE(Δ·z + ι, y)` with `Δ_c = (n_c / n_max)^γ`, `ι_c = τ log π_c`.

    γ = 0 is logit adjustment, τ = 0 class-dependent temperatures (CDT).

    Args:
      logits: `[..., K]`, floating point.
      labels: integers `[...]`, or float soft labels `[..., K]`.
      counts: examples of each class in the training set, `[K]`; `π = n / Σn`. An empty class is
        removed if τ > 0.
      gamma: γ ≥ 0, a scalar; may be traced.
      tau: τ ≥ 0, a scalar; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels neither integer nor floating, or `where`
        is not boolean.
      ValueError: shapes do not fit, or a number is out of range (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([[1.0, 1.0]]), jnp.array([1])
      >>> jimb.vs_loss(logits, labels, [90, 10], gamma=0.2, tau=1.0).round(4)
      Array([2.6278], dtype=float32)

    Reference:
      Kini et al., Label-Imbalanced and Group-Sensitive Classification under Overparameterization,
      NeurIPS 2021.
    """
    z = softmax_logits(logits, labels)
    n = _checks.class_table("counts", counts, z)
    exponent = _checks.scalar("gamma", gamma, 0.0, dtype=n.dtype)
    strength = _checks.scalar("tau", tau, 0.0, dtype=n.dtype)
    factor = jnp.exp(scaled_log(n / jnp.max(n), exponent))
    shift = scaled_log(n / jnp.sum(n), strength)
    return softmax_loss(z, labels, factor=factor, shift=shift, where=where)
