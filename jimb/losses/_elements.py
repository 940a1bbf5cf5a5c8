"""What every loss does before and after its formula: masks, labels, weights, precision."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.losses._given_labels import stored_logits, unit_labels

_FAR = -1e30  # -inf would set off `jax_debug_infs`


def prepare(
    logits: Float[Array, "*any"], mask: Bool[Array, "*batch"] | None
) -> Float[Array, "*any"]:
    """Logits in compute precision, 0 where masked.

    The guard sits on the input: a masked NaN must reach neither the value nor the gradient.
    """
    logits = logits.astype(compute_dtype(logits))
    if mask is None:
        return logits
    return jnp.where(mask.reshape(mask.shape + (1,) * (logits.ndim - mask.ndim)), logits, 0)


def is_plain_zero(value: Any) -> bool:
    """Whether an option is switched off, by a number of Python."""
    return isinstance(value, int | float) and value == 0


def focusing(
    gamma: ArrayLike, batch: tuple[int, ...], dtype: jnp.dtype, *, per_class: bool
) -> Array:
    """γ ≥ 0: a scalar, or one per example; with a last axis of 1 where terms are per class."""
    checked = _checks.bounded("gamma", gamma, 0.0, dtype=dtype)
    if checked.ndim == 0:
        return checked
    _checks.same_shape("gamma, if it is not a scalar,", checked, batch, "the batch")
    return jnp.expand_dims(checked, -1) if per_class else checked


def unit_elements(
    logits: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    smoothing: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """`(logits as given, z, y)` with z and y in compute precision; y is `(1 - ε)·y + ε/2`.

    A label that is not valid has logit NaN. What is masked is a negative far below 0: its loss and
    its gradient are exactly 0.
    """
    given = stored_logits(logits, labels)
    mask = _checks.mask(where, given.shape, "logits")
    array = unit_labels(labels, given, where)
    dtype = compute_dtype(given)
    y = array.astype(dtype)
    if mask is not None:
        y = jnp.where(mask, y, 0)
    valid = report(_labels.soft_valid(y), BAD_LABEL)
    z = nan_unless(valid, given.astype(dtype))
    # Not clip: at exactly 0 and 1 the derivative with respect to y must pass.
    y = jnp.where(y < 0, 0, jnp.where(y > 1, 1, y))
    if smoothing is not None:
        epsilon = _checks.scalar("label_smoothing", smoothing, 0.0, 1.0, dtype=dtype)
        y = (1 - epsilon) * y + epsilon / 2
    if mask is not None:
        z, y = jnp.where(mask, z, _FAR), jnp.where(mask, y, 0)
    return given, z, y


def factor(name: str, value: ArrayLike, high: float, z: Array) -> Array:
    """A hyper-parameter in [0, high], one per element."""
    if z.ndim > 1 and getattr(value, "ndim", 0) == 1:
        value = _checks.per_class(name, value)
    checked = _checks.bounded(name, value, 0.0, high, dtype=z.dtype)
    try:
        return jnp.broadcast_to(checked, z.shape)
    except ValueError:
        raise ValueError(
            f"{name} must be a scalar or broadcast to the logits, {list(z.shape)}, got "
            f"{_checks.describe(checked)}; use jax.vmap to try several values."
        ) from None


def finish(
    losses: Float[Array, "*batch"],
    valid: Bool[Array, "*batch"],
    mask: Bool[Array, "*batch"] | None,
    dtype: jnp.dtype,
) -> Float[Array, "*batch"]:
    """NaN where the label is not valid, 0 where masked, in the logits' own dtype."""
    valid = report(valid if mask is None else valid | ~mask, BAD_LABEL)
    losses = visible(nan_unless(valid, losses), dtype)
    return losses if mask is None else jnp.where(mask, losses, 0)


BAD_LABEL = "labels must be class ids in [0, K), or soft labels in [0, 1]: some losses are NaN."


# A loss that is not finite has a gradient that is not finite, which those who scale losses look at
# (`flax.training.dynamic_scale`, `optax.apply_if_finite`); unless the example is excluded later, by
# a weight of 0. Hence twice the largest number as a factor, and not infinity: 0 times that is 0.


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def visible(losses: Array, dtype: jnp.dtype) -> Array:
    """The losses in their own dtype, with a gradient that is not finite where they are not."""
    return losses.astype(dtype)


@visible.defjvp
def _visible_rule(
    dtype: jnp.dtype, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    rounded = visible(*primals, dtype)
    factor = jnp.where(jnp.isfinite(rounded), 1, _largest(*primals))
    return rounded, (tangents[0] * factor * factor).astype(dtype)


@jax.custom_jvp
def nan_unless(valid: Bool[Array, "*any"], x: Array) -> Array:
    """`x`, NaN where not valid; there the gradient goes on, which a select would make 0."""
    return jnp.where(valid, x, jnp.nan)


@nan_unless.defjvp
def _nan_unless_rule(
    primals: tuple[Array, Array], tangents: tuple[Any, Array]
) -> tuple[Array, Array]:
    (valid, x), (_, x_dot) = primals, tangents
    return nan_unless(valid, x), jnp.where(valid, x_dot, x_dot * _largest(x))


def _largest(x: Array) -> Array:
    return jnp.full_like(x, np.finfo(x.dtype).max)
