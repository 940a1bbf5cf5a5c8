"""What losses and measures read of logits that are not stored."""

import dataclasses

import jax.numpy as jnp

from jimb import _axes, _checks
from jimb._numerics import compute_dtype
from jimb._typing import Array, Bool, Float, Integer
from jimb.heads import _largest, _placed, _sums
from jimb.heads._affine import affine
from jimb.heads._blocks import Layer
from jimb.heads._divided_logits import DividedLogits
from jimb.heads._head import Head, Logits, LogitsLike
from jimb.heads._largest import Largest
from jimb.heads._linear_logits import LinearLogits, layer_of, options_of
from jimb.heads._sums import Sums


def class_logits(logits: LogitsLike) -> Logits:
    """Logits of K >= 1 classes, an array or not, checked."""
    return logits.checked() if isinstance(logits, Head) else _checks.class_logits(logits)


def masked(logits: Head, mask: Bool[Array, "*batch"] | None) -> Head:
    """0, or that of features 0, where masked: a NaN there must not reach a gradient."""
    if mask is None:
        return logits
    rows = jnp.where(jnp.expand_dims(mask, -1), in_batch(logits), 0)
    if isinstance(logits, DividedLogits):
        return dataclasses.replace(logits, logits=rows)
    return dataclasses.replace(logits, features=rows)


def in_batch(logits: Logits) -> Array:
    """An array whose first axes are those of the batch, and laid out like it."""
    if isinstance(logits, LinearLogits):
        return jnp.asarray(logits.features)
    return jnp.asarray(logits.logits) if isinstance(logits, DividedLogits) else logits


def sums(
    logits: Head,
    labels: Integer[Array, "*batch"],
    *,
    factor: Array | None = None,
    shift: Array | None = None,
    weights: Array | None = None,
) -> Sums:
    """Of the logits `factor·z + shift`; tables are of all classes, `[K]`, a factor may be a scalar.

    A logit that is not finite stays as it is, but a shift of -inf removes its class in any case.
    """
    if isinstance(logits, DividedLogits):
        axes, z = logits.axes, affine(_wide(logits), factor, shift, logits.axes)
        if weights is not None:
            weights = _axes.own_share(_axes.entering(weights, axes), axes, z.shape[-1])
        return _sums.sums_of(z, labels, weights, axes)
    layer = _affine(layer_of(logits), _share(factor, logits), _share(shift, logits))
    layer = layer._replace(weights=_share(weights, logits))
    found: Sums = _placed.run(_sums.sums, layer, labels, options_of(logits))
    return found


def largest(logits: Head) -> Largest:
    """The largest logit of each row, and its class."""
    if isinstance(logits, DividedLogits):
        return _largest.largest_of(_wide(logits), logits.axes)
    found: Largest = _placed.run(_largest.largest, layer_of(logits), None, options_of(logits))
    return found


def shifted(logits: Head, shift: Float[Array, " K"]) -> Head:
    """`z + shift`; of a layer by its bias."""
    if isinstance(logits, DividedLogits):
        z = _wide(logits)
        own = _axes.own_share(_axes.entering(shift, logits.axes), logits.axes, z.shape[-1])
        row = own.reshape((1,) * (z.ndim - 1) + own.shape)
        moved = jnp.where(row == -jnp.inf, -jnp.inf, z + row).astype(logits.dtype)
        return dataclasses.replace(logits, logits=moved)
    layer = _affine(layer_of(logits), None, _share(shift, logits))
    return dataclasses.replace(logits, bias=layer.bias)


def _share(table: Array | None, logits: LinearLogits) -> Array | None:
    """What of a class table, or of a number for all, is for the classes of the kernel."""
    if table is None:
        return None
    whole = jnp.broadcast_to(table, logits.shape[-1:])
    return _placed.share(whole, layer_of(logits), logits.axis_name)


def _affine(layer: Layer, factor: Array | None, shift: Array | None) -> Layer:
    bias = layer.bias
    if bias is not None:
        bias = bias.astype(compute_dtype(layer.features))
        if factor is not None:
            bias = jnp.where(jnp.isfinite(bias), factor * bias, bias)
    if shift is not None:
        bias = shift if bias is None else jnp.where(shift == -jnp.inf, -jnp.inf, bias + shift)
    return layer._replace(bias=bias, scale=factor)


def _wide(logits: DividedLogits) -> Array:
    z = jnp.asarray(logits.logits)
    return z.astype(compute_dtype(z))
