"""The class-balanced trio: a loss times `1 / E_n` of the true class, normalised to sum to K."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._notice import noticed
from jimb._numerics import weigh
from jimb._typing import Array, ArrayLike, Float, Typed
from jimb.heads._head import Logits, LogitsLike
from jimb.losses._elements import finish, focusing, prepare
from jimb.losses._given_labels import class_ids, softmax_logits, stored_logits
from jimb.losses._sigmoid import one_vs_all
from jimb.losses._softmax import softmax_cross_entropy_loss
from jimb.weights import effective_number_weights


def class_balanced_softmax_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    beta: ArrayLike = 0.9999,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Softmax cross-entropy times the true class's weight, `-w_y log p_y`.

    `w = effective_number_weights(counts, beta=beta)`, which sums to K.

    Args:
      logits: `[..., K]`, floating point.
      labels: integers `[...]`.
      counts: examples of each class in the training set, `[K]`. A class without any has weight 0:
        so has the loss of a label that names it, with a checkify message.
      beta: in [0, 1], a scalar or one per class; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], or counts are negative, fractions or
        all 0. Traced, a wrong number gives NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.class_balanced_softmax_loss(logits, labels, [5000, 50]).round(4)
      Array([0.0174, 1.3689], dtype=float32)

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    given, array, mask = _checked(logits, labels, where)
    weights = _weights(counts, beta, given, array, mask)
    return softmax_cross_entropy_loss(given, array, class_weights=weights, where=mask)


def class_balanced_sigmoid_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    beta: ArrayLike = 0.9999,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""One-vs-all sigmoid cross-entropy times the true class's weight, `-w_y Σ_c log σ(z_c^t)`.

    `z_c^t` is `z_c` for the true class and `-z_c` for the others; the example's weight applies to
    all its K terms.

    Args:
      logits: `[..., K]`, floating point. Start the output bias with
        `one_vs_all_bias_init`.
      labels: integers `[...]`.
      counts: examples of each class in the training set, `[K]`. A class without any has weight 0:
        so has the loss of a label that names it, with a checkify message.
      beta: in [0, 1], a scalar or one per class; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], or counts are negative, fractions or
        all 0. Traced, a wrong number gives NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.class_balanced_sigmoid_loss(logits, labels, [5000, 50]).round(4)
      Array([0.0347, 2.7379], dtype=float32)

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    return _one_vs_all_loss(logits, labels, counts, beta=beta, gamma=None, where=where)


def class_balanced_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    beta: ArrayLike = 0.9999,
    gamma: ArrayLike = 2.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""One-vs-all focal loss times the true class's weight, `-w_y Σ_c (1 - p_c^t)^γ log p_c^t`.

    This sigmoid form is the paper's CB-Focal; `softmax_focal_loss` with the same weights is
    another method.

    Args:
      logits: `[..., K]`, floating point. Start the output bias with
        `one_vs_all_bias_init`.
      labels: integers `[...]`.
      counts: examples of each class in the training set, `[K]`. A class without any has weight 0:
        so has the loss of a label that names it, with a checkify message.
      beta: in [0, 1], a scalar or one per class; may be traced.
      gamma: γ ≥ 0, a scalar or one per example `[...]`; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], γ < 0, or counts are negative,
        fractions or all 0. Traced, a wrong number gives NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.class_balanced_focal_loss(logits, labels, [5000, 50]).round(4)
      Array([0.0087, 0.6845], dtype=float32)

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    focus = _checks.given("gamma", gamma)
    return _one_vs_all_loss(logits, labels, counts, beta=beta, gamma=focus, where=where)


def _one_vs_all_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    beta: ArrayLike,
    gamma: ArrayLike | None,
    where: ArrayLike | None,
) -> Float[Array, "*batch"]:
    given, array, mask = _checked(stored_logits(logits, labels), labels, where)
    assert isinstance(given, jax.Array)
    z = prepare(given, mask)
    safe, valid = _labels.in_range(array, z.shape[-1])
    is_label = _labels.one_hot(safe, z)
    focus = None if gamma is None else focusing(gamma, array.shape, z.dtype, per_class=True)
    losses = jnp.sum(one_vs_all(z, is_label, focus), axis=-1)
    weights = _labels.look_up(_weights(counts, beta, given, array, mask).astype(z.dtype), safe)
    return finish(weigh(weights, losses), valid, mask, given.dtype)


def _checked(
    logits: LogitsLike, labels: ArrayLike, where: ArrayLike | None
) -> tuple[Logits, Array, Array | None]:
    given = softmax_logits(logits, labels)
    mask = _checks.mask(where, given.shape[:-1], "the batch, logits.shape[:-1]")
    return given, class_ids(labels, given, where), mask


def _weights(
    counts: ArrayLike,
    beta: ArrayLike,
    logits: Typed,
    labels: Array,
    mask: Array | None,
) -> Float[Array, " K"]:
    n = _checks.per_class("counts", counts)
    weights = effective_number_weights(n, beta=beta, allow_empty=True)
    _checks.one_per_class("counts", weights, logits)
    if _checks.on_host(n) and not np.any(n):
        raise ValueError("counts are all 0: no class has a weight; count the training set first.")
    return noticed(
        weights,
        "labels name an empty class: counts has no example of it, and its loss is 0. Count the "
        "training set again, or mask these labels with where=.",
        _not_of_an_empty_class,
        labels=labels,
        weights=weights,
        kept=jnp.ones(labels.shape, bool) if mask is None else mask,
    )


def _not_of_an_empty_class(labels: Array, weights: Array, kept: Array) -> Array:
    safe, valid = _labels.in_range(labels, weights.shape[-1])
    return (_labels.look_up(weights, safe) != 0) | ~valid | ~kept
