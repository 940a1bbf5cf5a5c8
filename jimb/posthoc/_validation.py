"""Logits and labels of validation data, from which a few numbers are fitted."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import replicated
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, Bool, Float, Integer
from jimb.metrics._example_weights import checked, included

_LARGEST = 1e15  # whose squares float32 still holds, and sums
_NO_NUMBERS = (
    "a logit is NaN, inf or beyond 1e15, or -inf at its label, or a weight is none: what is fitted "
    "to them is NaN."
)


class Validation(NamedTuple):
    """Examples `[N]`, on every device; logits are 0 where their class is out.

    All classes are out, and label and weight 0, where an example does not count.
    """

    logits: Float[Array, "N K"]
    out: Bool[Array, "N K"]
    labels: Integer[Array, " N"]
    weights: Float[Array, " N"]
    known: Bool[Array, ""]


def validation(
    logits: Any, labels: Any, weights: Any, where: Any, *, sigmoid: bool = False
) -> Validation:
    """Checked; of logits of one question each, `sigmoid`, those of two classes: 0 and z."""
    z = _checks.floating("logits", logits) if sigmoid else _checks.class_logits(logits)
    batch = z.shape if sigmoid else z.shape[:-1]
    if getattr(labels, "dtype", None) == np.bool_:
        labels = labels.astype(np.int32)
    ids = _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, batch, "logits" if sigmoid else "the batch")
    if sigmoid:
        z = jnp.stack([jnp.zeros_like(z), z], -1)
    k = z.shape[-1]
    kept = included(weights, where, batch, "labels")
    cells = _labels.positions("labels", labels, k, kept, "classes")
    w = jnp.ones(batch, z.dtype) if weights is None else checked(weights, kept)
    z, cells, w = (replicated(jax.lax.stop_gradient(x)) for x in (z, cells, w))
    return _rows(z.reshape(-1, k), cells.ravel(), w.ravel())


def _rows(z: Array, cells: Array, w: Array) -> Validation:
    z = z.astype(compute_dtype(z))
    counted = jnp.expand_dims(cells < z.shape[-1], -1)
    out = (z == -jnp.inf) | ~counted
    labels = jnp.where(counted[:, 0], cells, 0)
    own = _labels.one_hot(labels, z) & counted
    fine = (out & ~own) | (jnp.abs(z) <= _LARGEST)
    w = jnp.where(counted[:, 0], w.astype(z.dtype), 0)
    known = report(jnp.all(fine) & ~jnp.any(jnp.isnan(w)), _NO_NUMBERS)
    return Validation(jnp.where(out | ~fine, 0, z), out, labels, jnp.where(known, w, 0), known)
