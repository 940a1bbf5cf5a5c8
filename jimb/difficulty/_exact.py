"""Prediction deltas of float32 logits, as exact as float32 can say them.

A sum of a thousand terms, each the product of two differences, loses several bits in float32. Here
all is computed in pairs of float32 and rounded once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _labels, _pairs
from jimb._pairs import Pair
from jimb._typing import Array
from jimb.difficulty._plain import LOG_PROB_FLOOR, largest


class Prediction(NamedTuple):
    """Class probabilities, pairs of `[..., K]`."""

    log_p: Pair
    p: Pair


def predict(logits: Array) -> Prediction:
    """The softmax of logits, without gradient; the logarithms from the floor up."""
    z = jax.lax.stop_gradient(logits).astype(jnp.float32)
    shifted = _from_floor(_pairs.two_sum(z, -largest(z)))
    exps = _pairs.exp(shifted)
    ((high, low),) = _pairs.sums(exps)
    total = jnp.expand_dims(high, -1), jnp.expand_dims(low, -1)
    log_p = _from_floor(_pairs.subtract(shifted, _pairs.log(total)))
    return Prediction(log_p, _pairs.multiply(exps, _pairs.reciprocal(total)))


def _from_floor(x: Pair) -> Pair:
    """`x`, or the floor; the second of a pair may be NaN where the first is infinite."""
    below = x[0] <= LOG_PROB_FLOOR
    return jnp.where(below, LOG_PROB_FLOOR, x[0]), jnp.where(below, 0, x[1])


def stored(log_p: Pair) -> Prediction:
    """The prediction of these log-probabilities."""
    return Prediction(log_p, _pairs.exp(log_p))


def deltas(now: Prediction, before: Prediction, labels: Array) -> tuple[Array, Array]:
    """`(unlearned, learned)`. Each term `Δ_j r_j` is ≥ 0."""
    num_classes = now.p[0].shape[-1]
    safe, valid = _labels.in_range(labels, num_classes)
    r = _pairs.subtract(now.log_p, before.log_p)
    # The true class unlearns by falling, every other class by rising.
    up = jnp.where(_labels.one_hot(safe, num_classes), -r[0], r[0])
    terms = _magnitude(_pairs.multiply(_pairs.subtract(now.p, before.p), r))
    # Not `up > 0`: a NaN must reach both sums.
    unlearned = jax.tree.map(lambda x: jnp.where(up < 0, 0, x), terms)
    learned = jax.tree.map(lambda x: jnp.where(up > 0, 0, x), terms)
    (unlearned, _), (learned, _) = _pairs.sums(unlearned, learned)
    return jnp.where(valid, unlearned, jnp.nan), jnp.where(valid, learned, jnp.nan)


def _magnitude(x: Pair) -> Pair:
    return jnp.abs(x[0]), jnp.where(x[0] < 0, -x[1], x[1])
