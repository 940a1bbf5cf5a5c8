"""Softmax losses from what is read of a head: the margin of each row, and smoothing."""

import jax.numpy as jnp

from jimb._typing import Array, Float
from jimb.heads._sums import Sums
from jimb.losses._focal import focal_of_margin


def margin_of(sums: Sums) -> Float[Array, "*batch"]:
    """`u = logsumexp_{j≠y} z_j - z_y`; -inf if no other class has a finite logit."""
    return (sums.largest - sums.own) + _log_total(sums)


def smoothed_loss_of(
    sums: Sums, spread: Float[Array, ""], peak: Float[Array, "*batch"], total: Float[Array, ""]
) -> Float[Array, "*batch"]:
    """`a·Σ_c w_c (-log p_c) + b·(-log p_y)` with a = `spread`, b = `peak` and `Σ_c w_c` = `total`.

    `Σ_c w_c (-log p_c) = Σ_c w_c · log Σ_j exp z_j - Σ_c w_c z_c`, of which the sums have the last.
    """
    assert sums.weighted is not None
    u = margin_of(sums)
    of_label = focal_of_margin(u, None)
    among_others = (sums.largest + _log_total(sums)) + focal_of_margin(-u, None)
    log_normalizer = jnp.where(u > 0, among_others, sums.own + of_label)
    everywhere = total * log_normalizer - sums.weighted
    return _product(spread, everywhere) + _product(peak, of_label)


def _log_total(sums: Sums) -> Array:
    return jnp.log(jnp.where(sums.total > 0, sums.total, 1))


def _product(t: Array, x: Array) -> Array:
    return jnp.where(t == 0, 0, t * x)
