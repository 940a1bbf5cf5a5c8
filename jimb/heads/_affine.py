"""Logits scaled and shifted by class, which is what prior-shift losses are."""

import jax
import jax.numpy as jnp

from jimb import _axes
from jimb._axes import Names
from jimb._layout import classes_laid_out_like
from jimb._typing import Array


def affine(z: Array, factor: Array | None, shift: Array | None, axes: Names = ()) -> Array:
    """`factor·z + shift` but for a constant per row; tables are of all classes, or scalars.

    The largest logit is taken out first, so that what is added to a logit of 1e4 does not drown in
    its rounding: `factor·z - max factor·max z = factor·(z - max z) + (factor - max factor)·max z`.
    A logit that is not finite stays as it is, but a shift of -inf removes its class in any case.
    With `axes` a device has the logits of some classes.
    """
    if factor is None and shift is None:
        return z
    if shift is not None:
        shift = _per_class(_axes.entering(shift, axes), z, axes)
        z = jnp.where(shift == -jnp.inf, -jnp.inf, z)
    finite = jnp.isfinite(z)
    largest = jnp.max(z, axis=-1, keepdims=True, where=finite, initial=-jnp.inf)
    largest = jax.lax.stop_gradient(largest)
    largest = jax.lax.pmax(largest, axes) if axes else largest
    largest = jnp.where(jnp.isfinite(largest), largest, 0)
    moved = jnp.where(finite, z, largest) - largest
    if factor is not None:
        factor = _axes.entering(factor, axes)
        scale = _per_class(factor, z, axes)
        moved = scale * moved + (scale - jnp.max(factor)) * largest
    if shift is not None:
        moved = moved + shift
    return jnp.where(finite, moved, z)


def _per_class(x: Array, z: Array, axes: Names) -> Array:
    """Axes of 1 in front, classes laid out like those of z: spread out it would be whole again."""
    if axes and x.ndim:
        x = _axes.own_share(x, axes, z.shape[-1])
    return classes_laid_out_like(x.reshape((1,) * (z.ndim - x.ndim) + x.shape), z)
