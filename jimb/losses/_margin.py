"""The softmax margin in favour of the other classes, of which every softmax loss is a function."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _labels
from jimb._typing import Array, Float, Integer

_SCALE = 2.0**32


@jax.custom_jvp
def softmax_margin(
    logits: Float[Array, "*batch K"], labels: Integer[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """`u = logsumexp_{j≠y} z_j - z_y`; -inf if no other class has a finite logit.

    As `(max z - z_y) + log Σ_{j≠y} exp(z_j - max z)`, not as a difference of two large numbers.
    Labels outside [0, K) give a finite number of no meaning.
    """
    largest = jnp.max(logits, axis=-1)
    target = _labels.at_label(logits, labels)
    _, total = _odds(logits, labels)
    # Neither a sum near its largest, _SCALE, nor one far below may lose digits or vanish.
    large = total > 1
    log = jnp.log(jnp.where(large, total / _SCALE, total)) - jnp.where(large, 0, math.log(_SCALE))
    return (largest - jnp.squeeze(target, -1)) + log


@jax.custom_jvp
def _shares(logits: Array, labels: Array) -> Array:
    """Each class's share of the odds against the label, `∂u/∂z_j`; 0 for the label itself."""
    odds, total = _odds(logits, labels)
    # 1 over a subnormal total, which a CPU takes for 0 but a GPU does not, would be inf.
    normal = total >= np.finfo(total.dtype).tiny
    return odds * jnp.expand_dims(1 / jnp.where(normal, total, 1), -1)


def _odds(logits: Array, labels: Array) -> tuple[Array, Array]:
    """`exp(z_j - max z)·_SCALE`, 0 at the label, and its sum over j.

    The square of `exp((z_j - max z) / 2)` does not underflow until 109 below the largest logit:
    where that is the label's, the other classes decide even there.
    """
    largest = jnp.max(logits, axis=-1, keepdims=True)
    shifted = jnp.where(jnp.isfinite(largest), logits - largest, 0)
    root = jnp.exp(shifted * 0.5) * math.sqrt(_SCALE)
    odds = jnp.where(_labels.one_hot(labels, logits), 0, root * root)
    return odds, jnp.sum(odds, axis=-1)


def _margin_rule(primals: tuple[Array, Array], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    logits, labels = primals
    is_label = _labels.one_hot(labels, logits)
    slopes = jnp.where(is_label, -1, _shares(logits, labels))
    return softmax_margin(logits, labels), jnp.sum(slopes * tangents[0], axis=-1)


def _shares_rule(primals: tuple[Array, Array], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    shares = _shares(*primals)
    mean = jnp.sum(shares * tangents[0], axis=-1, keepdims=True)
    return shares, shares * (tangents[0] - mean)


softmax_margin.defjvp(_margin_rule)
_shares.defjvp(_shares_rule)
