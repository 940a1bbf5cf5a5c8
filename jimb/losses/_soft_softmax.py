"""Softmax cross-entropy and focal loss of a distribution over the classes, in few passes.

With the largest logit m, `d_c = m - z_c` and `S = Σ e^{-d_j}` over all j but one of the largest,

    -log p_c = d_c + log(1 + S),    1 - p_c = (S + (1 - e^{-d_c})) / (1 + S):

sums of positive terms, which lose no digits. A loss `Σ_c t_c (1 - p_c)^γ (-log p_c)` has the
derivative `p_c·Σ_{j≠c} a_j - a_c·(1 - p_c)` by z_c, with `a_c = t_c (1 - p_c)^γ (1 + γ r_c p_c)`
and `r_c = -log p_c / (1 - p_c)`.

The sums of odds have no comparison and no select inside: XLA's CPU compiler computes such a sum in
one pass, and stores an array for any other.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jimb._typing import Array, Float
from jimb.losses._elementwise import is_zero
from jimb.losses._focal import not_zero
from jimb.losses._probabilities import SCALE, Classes, moved, root_of_odds


def softmax_soft_loss(
    z: Float[Array, "*batch K"],
    targets: Float[Array, "*batch K"],
    table: Float[Array, " K"] | None,
    gamma: Array | None,
) -> Float[Array, "*batch"]:
    """`Σ_c t_c w_c (1 - p_c)^γ (-log p_c)`; `gamma=None` is cross-entropy.

    A target or weight of 0 excludes its class, also one of logit -inf. NaN where the largest logit,
    a target or a weight is not finite; there every derivative is 0.
    """
    if table is not None:
        table = table.reshape((1,) * (z.ndim - 1) + table.shape)
    return _loss(z, targets, table, gamma)


def _odds(z: Array) -> tuple[Array, Array]:
    """`e^{-d}` times SCALE, negative for what is as large as the largest, and `S`."""
    odds = jnp.square(root_of_odds(z, jnp.max(z, axis=-1, keepdims=True)))
    odds = jnp.where(odds == SCALE, -odds, odds)
    # A single largest is left out of the sum, or it would take the digits of the others with it.
    rest = jnp.sum(jnp.abs(odds) + odds, axis=-1, keepdims=True) / 2
    count = jnp.round((rest - jnp.sum(odds, axis=-1, keepdims=True)) / SCALE)
    return odds, rest / SCALE + (count - 1)


@jax.custom_jvp
def _classes(z: Array) -> Classes:
    odds, others = _odds(z)
    odds = jnp.where(odds < 0, 1, odds / SCALE)
    depth = jnp.max(z, axis=-1, keepdims=True) - z
    return Classes.of(depth, odds, others)


@_classes.defjvp
def _classes_rule(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Classes, Classes]:
    of = _classes(*primals)
    return of, moved(of, *primals, *tangents)


@jax.custom_jvp
def _loss(z: Array, targets: Array, table: Array | None, gamma: Array | None) -> Array:
    _, others = _odds(z)
    log = jnp.log1p(others)
    depth = jnp.max(z, axis=-1, keepdims=True) - z
    if gamma is None:
        terms = depth  # and log(1 + S), which all classes share
    else:
        wrong = not_zero((others - jnp.expm1(-depth)) / (1 + others))
        terms = jnp.exp(gamma * jnp.log(wrong)) * (depth + log)
    weighted = targets if table is None else table * targets
    losses = jnp.sum(jnp.where(weighted == 0, 0, weighted * terms), axis=-1)
    if gamma is None:
        losses += jnp.squeeze(_sum(targets, table) * log, -1)
    return jnp.where(jnp.isfinite(jnp.max(z, axis=-1)), losses, jnp.nan)


def _sum(targets: Array, table: Array | None) -> Array:
    if table is None:
        return jnp.sum(targets, axis=-1, keepdims=True)
    # Half of the table: the product of the gradient XLA would store, to take it from there.
    return 2 * jnp.sum(targets * (0.5 * table), axis=-1, keepdims=True)


def _loss_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    z, targets, table, gamma = primals
    z_dot, targets_dot, table_dot, gamma_dot = tangents
    losses = _loss(*primals)
    weighted = targets if table is None else table * targets
    of = _classes(z)
    power = 1.0 if gamma is None else jnp.exp(gamma * of.log_wrong)
    tangent = jnp.zeros_like(losses)
    finite = jnp.expand_dims(~jnp.isnan(losses), -1)

    def along(slopes: Array, dot: Array) -> Array:
        return jnp.sum(jnp.where(finite, slopes, 0) * dot, axis=-1)

    if not is_zero(z_dot):
        if gamma is None:
            pull, pulls = weighted, _sum(targets, table)
        else:
            pull = weighted * power * (1 + gamma * of.ratio * of.right)
            pulls = jnp.sum(pull, axis=-1, keepdims=True)
        tangent += along(of.right * (pulls - pull) - pull * of.wrong, z_dot)
    if not is_zero(targets_dot):
        tangent += along(power * of.entropy * (1 if table is None else table), targets_dot)
    if not is_zero(table_dot):
        tangent += along(power * of.entropy * targets, table_dot)
    if not is_zero(gamma_dot):
        tangent += along(weighted * power * of.entropy * of.log_wrong, gamma_dot)
    return losses, tangent


_loss.defjvp(_loss_rule, symbolic_zeros=True)
