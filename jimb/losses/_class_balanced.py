"""The class-balanced trio: a loss times `1 / E_n` of the true class, normalised to sum to K."""

import math

import jax.numpy as jnp
from jax.typing import DTypeLike

from jimb import _checks, _labels
from jimb._numerics import weigh
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._elements import finish, focusing, prepare
from jimb.losses._given_labels import class_ids, softmax_logits
from jimb.losses._sigmoid import one_vs_all
from jimb.losses._softmax import softmax_cross_entropy_loss
from jimb.weights import effective_number_weights


def class_balanced_softmax_loss(
    logits: ArrayLike,
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
      counts: examples of each class in the training set, `[K]`.
      beta: in [0, 1], a scalar or one per class; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], or host counts have an empty class.
        Traced: an empty class has weight 0 and a checkify message, a wrong β NaN and a message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((2, 2)), jnp.array([0, 1])
      >>> jimb.class_balanced_softmax_loss(logits, labels, [5000, 50]).round(4)
      Array([0.0174, 1.3689], dtype=float32)

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    given = softmax_logits(logits, labels)
    _checks.mask(where, given.shape[:-1], "the batch, logits.shape[:-1]")
    array = class_ids(labels, given, where)
    weights = _weights(counts, beta, given)
    return softmax_cross_entropy_loss(logits, array, class_weights=weights, where=where)


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
      counts: examples of each class in the training set, `[K]`.
      beta: in [0, 1], a scalar or one per class; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], or host counts have an empty class.
        Traced: an empty class has weight 0 and a checkify message, a wrong β NaN and a message.

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
      counts: examples of each class in the training set, `[K]`.
      beta: in [0, 1], a scalar or one per class; may be traced.
      gamma: γ ≥ 0, a scalar or one per example `[...]`; may be traced.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, β is outside [0, 1], γ < 0, or host counts have an empty
        class. Traced: an empty class has weight 0 and a checkify message, a wrong β or γ NaN and a
        message.

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


def one_vs_all_bias_init(
    key: Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
) -> Float[Array, "*any"]:
    r"""The output bias `-log(K - 1)` of one-vs-all heads: each class starts at probability 1/K.

    Without it the many negative terms dominate the first steps. It has the signature of a JAX
    initializer, so Flax layers take it: `nnx.Linear(d, K, bias_init=jimb.one_vs_all_bias_init,
    rngs=rngs)`.

    Args:
      key: not used.
      shape: of the bias; K is its last entry.
      dtype: of the bias.

    Returns:
      A constant array; zeros for K = 1.

    Raises:
      ValueError: the shape is empty.

    Example:
      >>> import jax, jimb
      >>> print(jimb.one_vs_all_bias_init(jax.random.key(0), (3,)))
      [-0.6931472 -0.6931472 -0.6931472]

    Reference:
      Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.
    """
    if not shape or shape[-1] < 1:
        raise ValueError(f"shape must end in the number of classes, got {shape}.")
    return jnp.full(shape, -math.log(max(shape[-1] - 1, 1)), dtype)


def _one_vs_all_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    beta: ArrayLike,
    gamma: ArrayLike | None,
    where: ArrayLike | None,
) -> Float[Array, "*batch"]:
    given = softmax_logits(logits, labels)
    batch = given.shape[:-1]
    mask = _checks.mask(where, batch, "the batch, logits.shape[:-1]")
    array = class_ids(labels, given, where)
    z = prepare(given, mask)
    safe, valid = _labels.in_range(array, z.shape[-1])
    is_label = _labels.one_hot(safe, z.shape[-1])
    focus = None if gamma is None else focusing(gamma, batch, z.dtype, per_class=True)
    losses = jnp.sum(one_vs_all(z, is_label, focus), axis=-1)
    weights = _labels.look_up(_weights(counts, beta, given).astype(z.dtype), safe)
    return finish(weigh(weights, losses), valid, mask, given.dtype)


def _weights(counts: ArrayLike, beta: ArrayLike, logits: Array) -> Float[Array, " K"]:
    weights = effective_number_weights(counts, beta=beta)
    _checks.same_shape("counts", weights, logits.shape[-1:], "one number per class")
    return weights
