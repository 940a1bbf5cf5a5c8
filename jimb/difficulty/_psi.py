"""The prediction deltas between two passes over the data, from log-probabilities."""

import jax
import jax.numpy as jnp

from jimb import _checks, _labels
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float

LOG_PROB_FLOOR = -65504.0
"""Log-probabilities below the most negative float16 count as that, in every store."""


def psi(
    logits: ArrayLike, previous_logits: ArrayLike, labels: ArrayLike
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    r"""The prediction deltas `(unlearned, learned)` between two passes.

    With `Δ_j = p_j - p'_j` and `r_j = log p_j - log p'_j`:

        unlearned = min(Δ_y, 0)·r_y + Σ_{j≠y} max(Δ_j, 0)·r_j
        learned   = max(Δ_y, 0)·r_y + Σ_{j≠y} min(Δ_j, 0)·r_j

    Their sum is the Jeffreys divergence `KL(p‖p') + KL(p'‖p)`; swapping the passes swaps them.

    Args:
      logits: of this pass, `[..., K]`, floating point.
      previous_logits: of the pass before, the same shape.
      labels: integers `[...]`.

    Returns:
      Two arrays `[...]` ≥ 0, in nats, float32 (float64 for float64 logits), without gradient. NaN
      for a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, or labels not integers.
      ValueError: shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> now, before = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 0.0]])
      >>> unlearned, learned = jimb.difficulty.psi(now, before, jnp.array([0]))
      >>> print(unlearned, learned.round(3))
      [0.] [0.762]

    Reference:
      Yu et al., CVPR 2022. Its per-epoch `d` is the sum of the two.
    """
    now, array = logits_and_labels(logits, labels)
    before = _checks.floating("previous_logits", previous_logits)
    _checks.same_shape("previous_logits", before, now.shape, "logits")
    return deltas(*log_softmax(now), *log_softmax(before), array)


def logits_and_labels(logits: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    """Both as arrays that fit each other."""
    given = _checks.class_logits(logits)
    array = _checks.integer("labels", labels)
    _checks.same_shape("labels", array, given.shape[:-1], "the batch, logits.shape[:-1]")
    return given, array


def log_softmax(logits: Array) -> tuple[Array, Array]:
    """`(log p, p)`, the former from the floor up, without gradient."""
    z = jax.lax.stop_gradient(logits).astype(compute_dtype(logits))
    largest = jnp.max(z, axis=-1, keepdims=True)
    # Not only for -inf: without it XLA stores the differences, and reads them back.
    shifted = z - jnp.where(jnp.isfinite(largest), largest, 0)
    exps = jnp.exp(shifted)
    total = jnp.sum(exps, axis=-1, keepdims=True)
    return jnp.maximum(shifted - jnp.log(total), LOG_PROB_FLOOR), exps / total


def deltas(log_p: Array, p: Array, log_q: Array, q: Array, labels: Array) -> tuple[Array, Array]:
    """Deltas from q to p. Each term `Δ_j r_j` is ≥ 0."""
    safe, valid = _labels.in_range(labels, log_p.shape[-1])
    r = log_p - log_q
    # The true class unlearns by falling, every other class by rising: positive is unlearned.
    is_label = _labels.one_hot(safe, log_p.shape[-1])
    # Not |p - q|: p is a product, and a fused multiply-add would round p and q differently.
    distance = jnp.maximum(p, q) - jnp.minimum(p, q)
    terms = distance * jnp.where(is_label, -r, r)
    unlearned = jnp.sum(jnp.maximum(terms, 0), axis=-1)
    learned = jnp.sum(jnp.maximum(-terms, 0), axis=-1)
    return jnp.where(valid, unlearned, jnp.nan), jnp.where(valid, learned, jnp.nan)
