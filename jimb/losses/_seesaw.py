"""Seesaw: a rare class is spared by frequent ones, and what is mistaken for the label is not."""

import jax
import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._layout import classes_laid_out_like
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._elements import prepare
from jimb.losses._given_labels import class_ids, softmax_logits, stored
from jimb.losses._softmax import softmax_loss

_FAR = -1e30  # -inf would set off `jax_debug_infs`


def seesaw_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    counts: ArrayLike,
    *,
    p: ArrayLike = 0.8,
    q: ArrayLike = 2.0,
    min_prob: ArrayLike = 0.01,
    where: ArrayLike | None = None,
) -> Float[Array, "*batch"]:
    r"""Seesaw loss, `CE(z + log M_y + log C_y, y)`, of the classes' counts so far.

    Mitigation, `M_yj = min(1, (n_j / n_y)^p)`, takes from a rarer class j what pushes it down.
    Compensation, `C_yj = max(1, (σ_j / max(σ_y, min_prob))^q)`, gives it back where j is more
    probable than the label. Both have no gradient by the logits, as in the authors' code.

    The counts are those of what the training has seen. The authors add a batch before its loss:
    `state = jimb.counting.update(state, labels)`, then `jimb.counting.compute(state)`.

    Args:
      logits: `[..., K]`, floating point. -inf on a non-target class removes the class.
      labels: integers `[...]`.
      counts: `[K]`, ≥ 0; below 1 they count as 1, as the authors' do.
      p: of mitigation, ≥ 0, a scalar; may be traced. 0 switches it off.
      q: of compensation, likewise.
      min_prob: in [0, 1], a scalar; may be traced. What the label's probability counts at least.
      where: booleans `[...]`; False gives loss 0 and gradient 0, whatever logits and label are.

    Returns:
      Losses in nats, `[...]`, in the dtype of logits. NaN for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, or not stored, labels are not integers, or `where`
        is not boolean.
      ValueError: shapes do not fit, or a number is out of range (traced: NaN and a checkify
        message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.array([0, 1])
      >>> state = jimb.counting.CountState([98, 1])  # or jimb.counting.init(2) at the start
      >>> state = jimb.counting.update(state, labels)
      >>> jimb.seesaw_loss(logits, labels, jimb.counting.compute(state)).round(4)
      Array([0.0431, 3.0486], dtype=float32)

    Reference:
      Wang et al., Seesaw Loss for Long-Tailed Instance Segmentation, CVPR 2021; `min_prob` is of
      the authors' code alone, where it is `eps`. Their two logits of objectness are a loss of
      their own.
    """
    given = softmax_logits(stored(logits, "seesaw_loss"), labels)
    assert isinstance(given, jax.Array)
    mask = _checks.mask(where, given.shape[:-1], "the batch, logits.shape[:-1]")
    ids = class_ids(labels, given, where)
    n = _checks.class_table("counts", counts, given)
    z = jax.lax.stop_gradient(prepare(given, mask))
    safe, _ = _labels.in_range(ids, z.shape[-1])
    mitigation = _checks.scalar("p", p, 0.0, dtype=z.dtype) * _log_rarer(n, z, safe)
    least = _checks.scalar("min_prob", min_prob, 0.0, 1.0, dtype=z.dtype)
    compensation = _checks.scalar("q", q, 0.0, dtype=z.dtype) * _log_ahead(z, safe, least)
    return softmax_loss(given, ids, shift=mitigation + compensation, where=where)


def _log_rarer(n: Array, z: Array, safe: Array) -> Array:
    """`log min(1, n_j / n_y)`, `[..., K]`: 0 at the label."""
    log = jnp.log(jnp.maximum(n, 1))
    of_label = jnp.expand_dims(_labels.look_up(log, safe), -1)
    of_class = classes_laid_out_like(log.reshape((1,) * safe.ndim + log.shape), z)
    return jnp.minimum(of_class - of_label, 0)


def _log_ahead(z: Array, safe: Array, least: Array) -> Array:
    """`log max(1, σ_j / max(σ_y, least))`, `[..., K]`: 0 at the label, and for logits not finite.

    Of logits without their largest, so that a difference of two loses nothing beside 1e4.
    """
    finite = jnp.isfinite(z)
    largest = jnp.max(z, axis=-1, keepdims=True, where=finite, initial=-jnp.inf)
    z = jnp.where(finite, z - jnp.where(jnp.isfinite(largest), largest, 0), _FAR)
    total = jnp.sum(jnp.exp(z), axis=-1, keepdims=True)
    some = least > 0
    floor = jnp.where(some, jnp.log(jnp.where(some, least, 1)), _FAR)
    floor = jnp.log(jnp.where(total > 0, total, 1)) + floor
    return jnp.maximum(z - jnp.maximum(_labels.at_label(z, safe), floor), 0)
