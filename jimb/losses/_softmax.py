"""Softmax losses: integer labels or soft labels, unreduced."""

import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._numerics import compute_dtype, weigh
from jimb._typing import Array, ArrayLike, Float, Typed
from jimb.heads._affine import affine
from jimb.heads._head import Head, Logits, LogitsLike
from jimb.heads._read import masked, sums
from jimb.losses._elements import finish, focusing, is_plain_zero, prepare
from jimb.losses._focal import focal_of_margin
from jimb.losses._given_labels import softmax_labels, softmax_logits, stored
from jimb.losses._margin import softmax_margin
from jimb.losses._of_head import margin_of, smoothed_loss_of
from jimb.losses._smoothing import smoothed_loss
from jimb.losses._soft_softmax import softmax_soft_loss


def softmax_cross_entropy_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    label_smoothing: ArrayLike = 0.0,
    class_weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Softmax cross-entropy, `-Σ_c w_c y_c log p_c`.

    Integer labels stand for their one-hot vectors. Smoothing replaces y by `(1 - ε)·y + ε/K`; each
    class term then carries its own weight.

    Args:
      logits: `[..., K]`, floating point. -inf on a non-target class removes the class; with
        smoothing every class is a target, so that the loss is inf.
      labels: integers `[...]`, or float soft labels `[..., K]`.
      label_smoothing: ε in [0, 1]; may be traced.
      class_weights: `[K]`, ≥ 0, multiplies; it does not change what a mean divides by.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K), and for soft
      labels of which one is outside [-0.01, 1.01].

    Raises:
      TypeError: logits are not floating point, labels neither integer nor floating, or `where`
        is not boolean.
      ValueError: shapes do not fit, ε is outside [0, 1] or a class weight negative (traced: NaN and
        a checkify message), or labels of Python or NumPy are wrong where nothing is traced.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits = jnp.array([[2.0, 0.0], [0.0, 0.0]])
      >>> jimb.softmax_cross_entropy_loss(logits, jnp.array([0, 1])).round(4)
      Array([0.1269, 0.6931], dtype=float32)

      Smoothing where classes are removed, by soft labels over those that are left:

      >>> import jax
      >>> logits, labels = jnp.array([[2.0, -jnp.inf, 0.0], [0.0, 0.0, 0.0]]), jnp.array([0, 1])
      >>> left = (logits > -jnp.inf).astype(jnp.float32)
      >>> even = left / left.sum(axis=-1, keepdims=True)
      >>> soft = 0.9 * jax.nn.one_hot(labels, 3) + 0.1 * even
      >>> jimb.softmax_cross_entropy_loss(logits, soft).round(4)
      Array([0.2269, 1.0986], dtype=float32)

    Reference:
      Smoothing: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
    """
    return softmax_loss(
        logits,
        labels,
        smoothing=None if is_plain_zero(label_smoothing) else label_smoothing,
        class_weights=class_weights,
        where=where,
    )


def softmax_focal_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    gamma: ArrayLike = 2.0,
    label_smoothing: ArrayLike = 0.0,
    class_weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Softmax focal loss, `-(1 - p_t)^γ log p_t`; soft labels `-Σ_c y_c (1 - p_c)^γ log p_c`.

    γ = 0 is cross-entropy. `p_t` is that of the unweighted cross-entropy. Soft labels differ from
    `sigmoid_focal_loss`, whose `p_t` mixes the two classes. Smoothing makes soft labels,
    `(1 - ε)·y + ε/K`, as Keras does.

    Args:
      logits: `[..., K]`, floating point. -inf on a non-target class removes the class; with
        smoothing every class is a target, so that the loss is inf.
      labels: integers `[...]`, or float soft labels `[..., K]`.
      gamma: γ ≥ 0, a scalar or one per example `[...]`; may be traced.
      label_smoothing: ε in [0, 1]; may be traced. It needs stored logits.
      class_weights: `[K]`, ≥ 0, multiplies each class term.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K), and for soft
      labels of which one is outside [-0.01, 1.01].

    Raises:
      TypeError: logits are not floating point, or not stored and labels are smoothed, labels are
        neither integer nor floating, or `where` is not boolean.
      ValueError: shapes do not fit, γ or a class weight is negative or ε outside [0, 1] (traced:
        NaN and a checkify message), or labels of Python or NumPy are wrong where nothing is traced.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([[2.0, 0.0], [0.0, 0.0]]), jnp.array([0, 1])
      >>> jimb.softmax_focal_loss(logits, labels).round(4)
      Array([0.0018, 0.1733], dtype=float32)
      >>> over_gamma = jax.vmap(lambda g: jimb.softmax_focal_loss(logits, labels, gamma=g))
      >>> over_gamma(jnp.array([0.0, 0.5, 2.0])).shape
      (3, 2)

    Reference:
      Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    return softmax_loss(
        logits,
        labels,
        gamma=_checks.given("gamma", gamma),
        smoothing=None if is_plain_zero(label_smoothing) else label_smoothing,
        class_weights=class_weights,
        where=where,
    )


def softmax_loss(
    logits: LogitsLike,
    labels: ArrayLike,
    *,
    gamma: ArrayLike | None = None,
    smoothing: ArrayLike | None = None,
    class_weights: ArrayLike | None = None,
    factor: Array | None = None,
    shift: Array | None = None,
    margins: Array | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    """The one path of the softmax family: check, mask, `factor·z + shift`, margin, weigh, mask.

    `margins`, one for each class, are taken off the label's `factor·z`, in the place of a shift.
    """
    given = softmax_logits(logits, labels)
    batch, dtype = given.shape[:-1], compute_dtype(given)
    mask = _checks.mask(where, batch, "the batch, logits.shape[:-1]")
    labels = softmax_labels(labels, given, where)
    table = None if class_weights is None else _class_table(class_weights, given)
    hard = jnp.issubdtype(labels.dtype, jnp.integer)
    focus = epsilon = None
    if gamma is not None:
        focus = focusing(gamma, batch, dtype, per_class=not hard or smoothing is not None)
    if smoothing is not None:
        epsilon = _checks.scalar("label_smoothing", smoothing, 0.0, 1.0, dtype=dtype)
    if not hard:
        assert not isinstance(given, Head)  # of which labels are hard
        z = affine(prepare(given, mask), factor, shift)
        losses, valid = _of_soft_labels(
            z, prepare(labels, mask).astype(dtype), table, focus, epsilon
        )
        return finish(losses, valid, mask, given.dtype)
    safe, valid = _labels.in_range(labels, given.shape[-1])
    if epsilon is not None:
        losses = _smoothed(given, safe, mask, table, epsilon, focus)
        return finish(losses, valid, mask, given.dtype)
    own = None if margins is None else _labels.look_up(margins, safe)
    if isinstance(given, Head):
        u = margin_of(sums(masked(given, mask), safe, factor=factor, shift=shift))
        u = u if own is None else u + own
    else:
        if own is not None:  # not to the margin, which is -inf where all others vanish
            shift = jnp.where(_labels.one_hot(safe, given), -jnp.expand_dims(own, -1), 0)
        u = softmax_margin(affine(prepare(given, mask), factor, shift), safe, focus)
    losses = focal_of_margin(u, focus)
    if table is not None:
        losses = weigh(_labels.look_up(table, safe), losses)
    return finish(losses, valid, mask, given.dtype)


def _smoothed(
    logits: Logits,
    safe: Array,
    mask: Array | None,
    table: Array | None,
    epsilon: Array,
    focus: Array | None,
) -> Array:
    num_classes = logits.shape[-1]
    if focus is not None:
        z = prepare(stored(logits, "label_smoothing of a focal loss"), mask)
        targets = jnp.where(_labels.one_hot(safe, z), 1 - epsilon, 0) + epsilon / num_classes
        return softmax_soft_loss(z, targets, table, focus)
    peak = 1 - epsilon if table is None else (1 - epsilon) * _labels.look_up(table, safe)
    peak, spread = jnp.broadcast_to(peak, safe.shape), epsilon / num_classes
    if not isinstance(logits, Head):
        return smoothed_loss(prepare(logits, mask), safe, spread, peak, table)
    weights = jnp.ones(num_classes, epsilon.dtype) if table is None else table
    of_rows = sums(masked(logits, mask), safe, weights=weights)
    return smoothed_loss_of(of_rows, spread, peak, jnp.sum(weights))


def _of_soft_labels(
    z: Array, soft: Array, table: Array | None, focus: Array | None, epsilon: Array | None
) -> tuple[Array, Array]:
    """The losses, and which labels are valid."""
    valid = jnp.max(jnp.abs(soft - 0.5), axis=-1) <= 0.51
    if epsilon is not None:
        soft = (1 - epsilon) * soft + epsilon / z.shape[-1]
    return softmax_soft_loss(z, soft, table, focus), valid


def _class_table(class_weights: ArrayLike, logits: Typed) -> Array:
    given = _checks.per_class("class_weights", class_weights)
    table = _checks.bounded("class_weights", given, 0.0, dtype=compute_dtype(logits))
    _checks.one_per_class("class_weights", table, logits)
    return table
