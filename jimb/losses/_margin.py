"""The softmax margin in favour of the other classes, of which every softmax loss is a function.

What is one number a row has no last axis of 1: XLA's CPU compiler would not vectorise its formulas.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _labels
from jimb._pairs import two_sum
from jimb._typing import Array, Float, Integer


def softmax_margin(
    logits: Float[Array, "*batch K"],
    labels: Integer[Array, "*batch"],
    gamma: Array | None,
) -> Float[Array, "*batch"]:
    """`u = logsumexp_{j≠y} z_j - z_y`, for a focal loss of this γ or for cross-entropy.

    Finite, and low enough for a loss of 0, if the other classes vanish beside the label. Labels
    outside [0, K) give a finite number of no meaning.
    """
    # Cross-entropy is above 1e-37 as long as the others are less than 85 below the label: risen by
    # this, what vanishes of them is too little to count. With a large γ the loss is 0 long before,
    # and would multiply the rounding of exponents that are larger by the rise.
    rise = jnp.full((), 10 + math.log(logits.shape[-1]), logits.dtype)
    if gamma is not None:
        rise = jnp.where(gamma < 0.5, rise, 0)
    return _margin(logits, labels, rise)


@jax.custom_jvp
def _margin(logits: Array, labels: Array, rise: Array) -> Array:
    """As `(max z - z_y) + log Σ_{j≠y} exp(z_j - max z)`: no difference of two large numbers."""
    largest, shift = _shift(logits, rise)
    _, total = _odds(logits, labels, rise)
    risen, rest = two_sum(largest, -shift)
    # Neither a sum near its largest, exp(risen), nor one far below may lose digits or vanish.
    large = total > 1
    some = jnp.where(total > 0, total, 1)
    log = jnp.log(jnp.where(large, some / jnp.exp(risen), some)) - jnp.where(large, 0, risen)
    # A sum that vanished: so low that every loss and slope is 0, and no -inf for `debug_infs`.
    log = jnp.where(total > 0, log, 2 * math.log(np.finfo(logits.dtype).tiny))
    target = jnp.squeeze(_labels.at_label(logits, labels), -1)
    return (largest - target) + jnp.where(jnp.isfinite(largest), log - rest, 0)


@jax.custom_jvp
def _slopes(logits: Array, labels: Array, rise: Array) -> Array:
    """`∂u/∂z_j`: each class's share of the odds against the label, and -1 for the label itself."""
    odds, total = _odds(logits, labels, rise)
    # 1 over a subnormal total, which a CPU takes for 0 but a GPU does not, would be inf.
    total = jnp.where(total >= np.finfo(total.dtype).tiny, total, 1)
    return jnp.where(odds >= 0, odds, _column(-total)) * _column(1 / total)


def _odds(logits: Array, labels: Array, rise: Array) -> tuple[Array, Array]:
    """`exp(z_j - shift)`, below 0 at the label, and the sum over the other j.

    What stands at the label is too small to change that sum. NaN where the logits are not finite.
    """
    _, shift = _shift(logits, rise)
    is_label = _labels.one_hot(labels, logits)
    odds = jnp.where(is_label, -np.finfo(logits.dtype).tiny, jnp.exp(logits - _column(shift)))
    return odds, jnp.maximum(jnp.sum(odds, axis=-1), 0)


def _shift(logits: Array, rise: Array) -> tuple[Array, Array]:
    """The largest logit, and what is taken from each: one number a row, at no operation a class."""
    largest = jnp.max(logits, axis=-1)
    return largest, largest - rise


def _column(x: Array) -> Array:
    return jnp.expand_dims(x, -1)


def _margin_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    return _margin(*primals), jnp.sum(_slopes(*primals) * tangents[0], axis=-1)


def _slopes_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    slopes = _slopes(*primals)
    shares = jnp.maximum(slopes, 0)
    mean = jnp.sum(shares * tangents[0], axis=-1, keepdims=True)
    return slopes, shares * (tangents[0] - mean)


_margin.defjvp(_margin_rule)
_slopes.defjvp(_slopes_rule)
