"""Prediction deltas in the precision of the logits: for float64, and for half-precision stores.

A store of float16 holds log-probabilities to three digits, so that nothing is gained by more.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _labels
from jimb._numerics import compute_dtype
from jimb._typing import Array

LOG_PROB_FLOOR = -65504.0
"""Log-probabilities below the most negative float16 count as that, in every store."""


class Prediction(NamedTuple):
    """Class probabilities, `[..., K]` each."""

    log_p: Array
    p: Array


def predict(logits: Array) -> Prediction:
    """The softmax of logits, without gradient; the logarithms from the floor up."""
    z = jax.lax.stop_gradient(logits).astype(compute_dtype(logits))
    shifted = z - largest(z)
    exps = jnp.exp(shifted)
    total = jnp.sum(exps, axis=-1, keepdims=True)
    return Prediction(jnp.maximum(shifted - jnp.log(total), LOG_PROB_FLOOR), exps / total)


def largest(z: Array) -> Array:
    """The largest logit of each row, `[..., 1]`; 0 for one that is not finite."""
    found = jnp.max(z, axis=-1, keepdims=True)
    # Not only for -inf: without it XLA stores the differences to it, and reads them back.
    return jnp.where(jnp.isfinite(found), found, 0)


def stored(log_p: Array) -> Prediction:
    """The prediction of these log-probabilities."""
    return Prediction(log_p, jnp.exp(log_p))


def deltas(now: Prediction, before: Prediction, labels: Array) -> tuple[Array, Array]:
    """`(unlearned, learned)`. Each term `Δ_j r_j` is ≥ 0."""
    num_classes = now.p.shape[-1]
    safe, valid = _labels.in_range(labels, num_classes)
    r = now.log_p - before.log_p
    # The true class unlearns by falling, every other class by rising: positive is unlearned.
    is_label = _labels.one_hot(safe, num_classes)
    # Not |p - q|: p is a product, and a fused multiply-add would round p and q differently.
    distance = jnp.maximum(now.p, before.p) - jnp.minimum(now.p, before.p)
    terms = distance * jnp.where(is_label, -r, r)
    unlearned = jnp.sum(jnp.maximum(terms, 0), axis=-1)
    learned = jnp.sum(jnp.maximum(-terms, 0), axis=-1)
    return jnp.where(valid, unlearned, jnp.nan), jnp.where(valid, learned, jnp.nan)
