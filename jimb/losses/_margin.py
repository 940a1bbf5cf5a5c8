"""Every loss here is a function of one number, the margin in favour of the other classes.

With `u = logsumexp_{j≠y} z_j - z_y` (softmax) or `u = ∓z` (sigmoid) the true class has
`p_t = σ(-u)`, so that

    -log p_t = softplus(u),   log(1 - p_t) = log_sigmoid(u),
    focal    = exp(γ·log_sigmoid(u)) · softplus(u).

This keeps full relative accuracy in both tails, where `1 - exp(-ce)` loses everything, and its
derivatives are finite for every γ ≥ 0, γ = 0 included.
"""

import jax
import jax.numpy as jnp

from jimb import _labels
from jimb._typing import Array, Float, Integer


def focal_of_margin(u: Float[Array, "*any"], gamma: Array | None) -> Float[Array, "*any"]:
    """`(1 - p_t)^γ · -log p_t` with `p_t = σ(-u)`; `gamma=None` is cross-entropy.

    Where u is not finite the value is the limit (0 at -inf, inf at inf, NaN at NaN) and the
    gradient is 0.
    """
    finite = jnp.isfinite(u)
    safe = jnp.where(finite, u, 0)
    loss = jax.nn.softplus(safe)
    if gamma is not None:
        loss = jnp.exp(gamma * jax.nn.log_sigmoid(safe)) * loss
    return jnp.where(finite, loss, jax.lax.stop_gradient(jnp.maximum(u, 0)))


def softmax_margin(
    logits: Float[Array, "*batch K"], labels: Integer[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """`u = logsumexp_{j≠y} z_j - z_y`; -inf if no other class has a finite logit.

    Labels outside [0, K) give a finite number of no meaning.
    """
    is_label = _labels.one_hot(labels, logits.shape[-1])
    target = jnp.sum(jnp.where(is_label, logits, 0), axis=-1)
    return _log_odds(jnp.where(is_label, -jnp.inf, logits), target)


def softmax_margins(logits: Float[Array, "*batch K"]) -> Float[Array, "*batch K"]:
    """The margin against every class, `u_c = logsumexp_{j≠c} z_j - z_c`.

    `Σ_{j≠c} e^{z_j}` is a difference that loses no digits for any class but the largest, whose
    own margin is therefore computed apart.
    """
    top = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    is_top = _labels.one_hot(top, logits.shape[-1])
    top_margin = softmax_margin(logits, top)
    largest = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    finite = jnp.isfinite(largest)
    shifted = jnp.where(finite, logits - largest, 0)
    exps = jnp.exp(shifted)
    others = jnp.where(is_top, 1, jnp.sum(exps, axis=-1, keepdims=True) - exps)
    margins = jnp.where(is_top, jnp.expand_dims(top_margin, -1), jnp.log(others) - shifted)
    return jnp.where(finite, margins, jnp.nan)


def _log_odds(
    others: Float[Array, "*batch K"], target: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """`logsumexp(others) - target`, as `(max - target) + log Σ exp(others - max)`.

    Not as a difference of two large numbers. A row whose largest entry is not finite (a NaN, or
    nothing but -inf) has no gradient.
    """
    largest = jax.lax.stop_gradient(jnp.max(others, axis=-1, keepdims=True))
    finite = jnp.isfinite(largest)
    total = jnp.sum(jnp.exp(jnp.where(finite, others - largest, 0)), axis=-1)
    return jnp.squeeze(largest, -1) - target + jnp.log(total)
