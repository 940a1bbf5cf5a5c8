"""Cross-entropy and focal loss of one number, with few transcendentals and few passes.

With the margin `u = logsumexp_{j≠y} z_j - z_y` (softmax) or `u = ∓z` (sigmoid) the true class has
`p_t = σ(-u)`, so that

    -log p_t = softplus(u),   log(1 - p_t) = log_sigmoid(u),
    focal    = exp(γ·log_sigmoid(u)) · softplus(u).

This keeps full relative accuracy in both tails, where `1 - exp(-ce)` loses everything. All of it
comes from one `exp(-|u|)` and one power, which the derivative takes over from the value:

    focal' = focal · (σ(u) / softplus(u) + γ·σ(-u)).
"""

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array
from jimb.losses._elementwise import elementwise

# log(1 + x) = x + x²·Q(x) for x in [0, 1], to 1.7e-7 relative in float32: a minimax fit.
_LOG1P = (
    -0.49999648333,
    0.33321323991,
    -0.24857163429,
    0.19153654575,
    -0.13753801584,
    0.07920452207,
    -0.03006578609,
    0.00536482269,
)


def focal_of_margin(u: Array, gamma: Array | None, weight: Array | None = None) -> Array:
    """`w · (1 - p_t)^γ · -log p_t` with `p_t = σ(-u)`; `gamma=None` is cross-entropy.

    Where u is not finite the value is the limit (0 at -inf, inf at inf, NaN at NaN) and the
    gradient is 0. A weight of 0 gives 0 in any case.
    """
    return _focal(u, gamma, weight)


def _formula(u: Array, gamma: Array | None, weight: Array | None) -> Array:
    losses = jax.nn.softplus(u)
    if gamma is not None:
        losses = jnp.exp(gamma * jax.nn.log_sigmoid(u)) * losses
    return losses if weight is None else weight * losses


def _value(u: Array, gamma: Array | None, weight: Array | None) -> Array:
    log = log1p(jnp.exp(-jnp.abs(u)))
    losses = jnp.maximum(u, 0) + log
    if gamma is not None:
        # The cut is for γ = 0 at u = -inf.
        losses = jnp.exp(gamma * jnp.maximum(jnp.minimum(u, 0) - log, -1e30)) * losses
    return scaled(weight, losses)


def _slope(
    u: Array, losses: Array, gamma: Array | None, weight: Array | None
) -> tuple[Array, Array]:
    decay = decay_again(u)
    wrong, right = jnp.where(u > 0, 1, decay), jnp.where(u > 0, decay, 1)
    if gamma is None:
        return (wrong if weight is None else weight * wrong), 1 + decay
    entropy = not_zero(jnp.maximum(u, 0) + log1p(decay))
    return losses * (wrong / entropy + gamma * right), 1 + decay


_focal = elementwise(_formula, _value, _slope)


def decay_again(u: Array) -> Array:
    """`exp(-|u|)`, written so that XLA computes it anew.

    Were it the expression of the value, XLA would store it, and what is made of it, for the
    gradient: more passes over memory than an exponential is worth.
    """
    return jnp.exp(jnp.minimum(u, -u))


def scaled(weight: Array | None, losses: Array) -> Array:
    """`w·losses`, 0 for weight 0 even where a loss is infinite or NaN."""
    return losses if weight is None else jnp.where(weight == 0, 0, weight * losses)


def not_zero(x: Array) -> Array:
    """`x ≥ 0` as a divisor: a numerator that vanishes with it gives 0."""
    return jnp.maximum(x, np.finfo(x.dtype).tiny)


def log1p(x: Array) -> Array:
    """`log(1 + x)` for x in [0, 1]."""
    if x.dtype != jnp.float32:
        return jnp.log1p(x)
    q = jnp.full_like(x, _LOG1P[-1])
    for coefficient in _LOG1P[-2::-1]:
        q = q * x + coefficient
    return x + x * (x * q)
