"""What losses and measures read of logits that are not stored."""

import dataclasses

import jax.numpy as jnp

from jimb import _checks
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Float, Integer
from jimb.linear import _divided, _largest, _sums
from jimb.linear._blocks import Layer
from jimb.linear._largest import Largest
from jimb.linear._linear_logits import LinearLogits, layer_of, options_of
from jimb.linear._sums import Sums


def class_logits(logits: ArrayLike | LinearLogits) -> Float[Array, "*batch K"] | LinearLogits:
    """Logits of K >= 1 classes, stored or not, checked."""
    return logits.checked() if isinstance(logits, LinearLogits) else _checks.class_logits(logits)


def sums(
    logits: LinearLogits,
    labels: Integer[Array, "*batch"],
    *,
    factor: Array | None = None,
    shift: Array | None = None,
    weights: Array | None = None,
) -> Sums:
    """Of the logits `factor·z + shift`; tables are of all classes, `[K]`, a factor may be a scalar.

    A logit that is not finite stays as it is, but a shift of -inf removes its class in any case.
    """
    layer = _affine(layer_of(logits), _share(factor, logits), _share(shift, logits))
    layer = layer._replace(weights=_share(weights, logits))
    found: Sums = _divided.run(_sums.sums, layer, labels, options_of(logits))
    return found


def largest(logits: LinearLogits) -> Largest:
    """The largest logit of each row, and its class."""
    found: Largest = _divided.run(_largest.largest, layer_of(logits), None, options_of(logits))
    return found


def shifted(logits: LinearLogits, shift: Float[Array, " K"]) -> LinearLogits:
    """`z + shift`, by the bias."""
    layer = _affine(layer_of(logits), None, _share(shift, logits))
    return dataclasses.replace(logits, bias=layer.bias)


def _share(table: Array | None, logits: LinearLogits) -> Array | None:
    """What of a class table, or of a number for all, is for the classes of the kernel."""
    if table is None:
        return None
    whole = jnp.broadcast_to(table, logits.shape[-1:])
    return _divided.share(whole, layer_of(logits), logits.axis_name)


def _affine(layer: Layer, factor: Array | None, shift: Array | None) -> Layer:
    bias = layer.bias
    if bias is not None:
        bias = bias.astype(compute_dtype(layer.features))
        if factor is not None:
            bias = jnp.where(jnp.isfinite(bias), factor * bias, bias)
    if shift is not None:
        bias = shift if bias is None else jnp.where(shift == -jnp.inf, -jnp.inf, bias + shift)
    return layer._replace(bias=bias, scale=factor)
