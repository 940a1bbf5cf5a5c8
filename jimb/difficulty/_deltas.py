"""Prediction deltas, in the precision of the logits; with `_ordered`, the same bits in any layout.

Every product that is added to something is an argument of a maximum first: a fused multiply-add
would round it in one program and not in another.
"""

from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jimb import _labels
from jimb._typing import Array

LOG_PROB_FLOOR = -65504.0
"""Log-probabilities below the most negative float16 count as that, in every store."""


class Prediction(NamedTuple):
    """Class probabilities, `[..., K]` each."""

    log_p: Array
    p: Array


def predict(logits: Array, dtype: DTypeLike, by: ModuleType) -> Prediction:
    """The softmax of logits, without gradient; the logarithms from the floor up.

    `by` is `_ordered` or `_quick`.
    """
    z = jax.lax.stop_gradient(logits).astype(dtype)
    largest = jnp.max(z, axis=-1, keepdims=True)
    # Not only for -inf: without it XLA stores the differences to it, and reads them back.
    shifted = jnp.maximum(z - jnp.where(jnp.isfinite(largest), largest, 0), LOG_PROB_FLOOR)
    exps = by.exp(shifted)
    total = by.total(exps)
    return Prediction(jnp.maximum(shifted - by.log(total), LOG_PROB_FLOOR), exps / total)


def stored(log_p: Array, by: ModuleType) -> Prediction:
    """The prediction of these log-probabilities."""
    return Prediction(log_p, by.exp(log_p))


def uniform(num_classes: int, dtype: DTypeLike, by: ModuleType) -> Array:
    """The log-probability that `predict` gives logits which are all equal."""
    log_p: Array = -by.log(jnp.full((), num_classes, dtype))
    return log_p


def deltas(
    now: Prediction, before: Prediction, labels: Array, by: ModuleType
) -> tuple[Array, Array]:
    """`(unlearned, learned)`. Each term `Δ_j r_j` is ≥ 0."""
    num_classes = now.p.shape[-1]
    safe, valid = _labels.in_range(labels, num_classes)
    r = now.log_p - before.log_p
    # The true class unlearns by falling, every other class by rising: positive is unlearned.
    is_label = _labels.one_hot(safe, now.p)
    # |p - q|, where p may be a product.
    distance = jnp.maximum(now.p, before.p) - jnp.minimum(now.p, before.p)
    terms = distance * jnp.where(is_label, -r, r)
    unlearned = by.total(jnp.maximum(terms, 0))[..., 0]
    learned = by.total(jnp.maximum(-terms, 0))[..., 0]
    return jnp.where(valid, unlearned, jnp.nan), jnp.where(valid, learned, jnp.nan)
