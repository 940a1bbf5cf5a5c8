"""Softmax cross-entropy with label smoothing, at about the price of that without.

`Σ_c t_c (-log p_c)` with targets `t_c = a·w_c`, and b more at the label. As in `_soft_softmax`, but
that a sum of odds leaves out the label and the class of the largest weight: one of them is the
largest logit wherever the digits of the others count, since any other logit's being far below the
largest makes the loss itself large.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jimb import _labels
from jimb._typing import Array, Float, Integer
from jimb.losses._elementwise import is_zero
from jimb.losses._probabilities import SCALE, Classes, moved, root_of_odds


def smoothed_loss(
    z: Float[Array, "*batch K"],
    label: Integer[Array, "*batch"],
    spread: Float[Array, ""],
    peak: Float[Array, "*batch"],
    table: Float[Array, " K"] | None,
) -> Float[Array, "*batch"]:
    """`a·Σ_c w_c (-log p_c) + b·(-log p_y)` with a = `spread`, b = `peak`, w = `table` or 1.

    A weight or a of 0 excludes what is infinite. NaN where the largest logit is not finite.
    """
    if table is not None:
        table = table.reshape((1,) * (z.ndim - 1) + table.shape)
    return _loss(z, label, spread, jnp.expand_dims(peak, -1), table)


def _odds(z: Array, label: Array, table: Array | None) -> tuple[Array, Array]:
    """`e^{-d}`, and its sum over all but one of the largest."""
    largest = jnp.max(z, axis=-1, keepdims=True)

    def at(class_: Array) -> Array:
        return jnp.square(root_of_odds(_labels.at_label(z, class_), largest))

    # Stored once, without those two: what reads it for them would make XLA store it twice.
    odds = jnp.square(root_of_odds(z, largest))
    is_label = _labels.one_hot(label, z)
    at_label = at(label)
    if table is None:
        odds = jnp.where(is_label, 0, odds)
        rest = jnp.sum(odds, axis=-1, keepdims=True)
        others = jnp.where(at_label == SCALE, rest, rest + (at_label - SCALE))
    else:
        heaviest = jnp.argmax(table, axis=-1).astype(jnp.int32)
        heaviest = jnp.broadcast_to(heaviest.reshape((1,) * label.ndim), label.shape)
        is_heaviest = _labels.one_hot(heaviest, z)
        at_heaviest = at(heaviest)
        odds = jnp.where(is_label | is_heaviest, 0, odds)
        rest = jnp.sum(odds, axis=-1, keepdims=True)
        odds = jnp.where(is_heaviest, at_heaviest, odds)
        at_other = jnp.where(jnp.expand_dims(label == heaviest, -1), 0, at_heaviest)
        others = rest + (at_label + at_other - SCALE)
        others = jnp.where(at_other == SCALE, rest + at_label, others)
        others = jnp.where(at_label == SCALE, rest + at_other, others)
    return jnp.where(is_label, at_label, odds) / SCALE, others / SCALE


@jax.custom_jvp
def _classes(z: Array, label: Array, table: Array | None) -> Classes:
    return Classes.of(_depth(z), *_odds(z, label, table))


@_classes.defjvp
def _classes_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Classes, Classes]:
    of = _classes(*primals)
    return of, moved(of, primals[0], tangents[0])


@jax.custom_jvp
def _loss(z: Array, label: Array, spread: Array, peak: Array, table: Array | None) -> Array:
    _, others = _odds(z, label, table)
    log = jnp.log1p(others)
    depth = _depth(z)
    if table is not None:
        depth = _weighted(table, depth)
    everywhere = jnp.sum(depth, axis=-1, keepdims=True) + _total(z, table) * log
    # Of the label's own logit: for one entry of the difference XLA would store all of it.
    of_label = jnp.max(z, axis=-1, keepdims=True) - _labels.at_label(z, label) + log
    losses = jnp.squeeze(_product(spread, everywhere) + _product(peak, of_label), -1)
    return jnp.where(jnp.isfinite(jnp.max(z, axis=-1)), losses, jnp.nan)


def _loss_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    z, label, spread, peak, table = primals
    z_dot, _, spread_dot, peak_dot, table_dot = tangents
    losses = _loss(*primals)
    of = _classes(z, label, table)
    is_label = _labels.one_hot(label, z)
    tangent = jnp.zeros_like(losses)
    finite = jnp.expand_dims(~jnp.isnan(losses), -1)

    def along(slopes: Array, dot: Array) -> Array:
        return jnp.sum(jnp.where(finite, slopes, 0) * dot, axis=-1)

    if not is_zero(z_dot):
        targets = spread * _ones_or(table, z) + jnp.where(is_label, peak, 0)
        others = spread * _others(z, table) + jnp.where(is_label, 0, peak)
        tangent += along(of.right * others - targets * of.wrong, z_dot)
    if not is_zero(spread_dot):
        everywhere = jnp.sum(of.entropy * _ones_or(table, z), axis=-1, keepdims=True)
        tangent += along(everywhere, spread_dot)
    if not is_zero(peak_dot):
        tangent += along(jnp.sum(jnp.where(is_label, of.entropy, 0), -1, keepdims=True), peak_dot)
    if not is_zero(table_dot):
        tangent += along(spread * of.entropy, table_dot)
    return losses, tangent


_loss.defjvp(_loss_rule, symbolic_zeros=True)


def _depth(z: Array) -> Array:
    return jnp.max(z, axis=-1, keepdims=True) - z


def _product(t: Array, x: Array) -> Array:
    return jnp.where(t == 0, 0, t * x)


@jax.jit  # in which `jax_debug_infs` sees no inf
def _weighted(table: Array, depth: Array) -> Array:
    """The product; 0 where a weight is 0, also of inf. A select for each logit would be stored."""
    return table * jnp.minimum(depth, jnp.where(table == 0, 0, jnp.inf))


def _ones_or(table: Array | None, z: Array) -> Array:
    return jnp.ones((), z.dtype) if table is None else table


def _total(z: Array, table: Array | None) -> Array | float:
    """`Σ_c w_c`."""
    return float(z.shape[-1]) if table is None else jnp.sum(table, axis=-1, keepdims=True)


def _others(z: Array, table: Array | None) -> Array | float:
    """`Σ_{j≠c} w_j` for each c; of the largest not as the difference of two near sums."""
    if table is None:
        return float(z.shape[-1] - 1)
    is_top = _labels.one_hot(jnp.argmax(table, axis=-1).astype(jnp.int32), table)
    but_top = jnp.sum(jnp.where(is_top, 0, table), axis=-1, keepdims=True)
    top = jnp.max(table, axis=-1, keepdims=True)
    return jnp.where(is_top, but_top, (but_top - table) + top)
