"""What positives have pulled at each class over what negatives have, of a training so far.

The state of `equalization_loss` and of `equalized_focal_loss`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jimb import _axes, _checks, _labels, _pairs
from jimb._exports import exported
from jimb._layout import replicated
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._given_labels import stored_logits, unit_labels

__all__ = ["GradientRatioState", "compute", "init", "update"]


@exported
class GradientRatioState(NamedTuple):
    """Sums of the sizes of gradients by the logits, of each class, float32 `[K]`.

    Attributes:
      positive: those of positives.
      positive_rest: what rounding took from them. Without it a sum of many batches would stop to
        grow when a batch adds less than its last digit.
      negative: those of negatives.
      negative_rest: what rounding took from them.
    """

    positive: Float[Array, " K"]
    positive_rest: Float[Array, " K"]
    negative: Float[Array, " K"]
    negative_rest: Float[Array, " K"]


def init(num_classes: int) -> GradientRatioState:
    """Gradients of nothing yet.

    Args:
      num_classes: K.

    Returns:
      A `GradientRatioState`.

    Raises:
      TypeError: K is not an integer.
      ValueError: K is below 1.

    Example:
      >>> import jimb
      >>> jimb.gradient_ratio.init(3).positive.shape
      (3,)
    """
    k = _checks.size("num_classes", num_classes)
    # Four arrays, not one four times: a donated state must not hold a buffer twice.
    return GradientRatioState(*(jnp.zeros(k, jnp.float32) for _ in GradientRatioState._fields))


def update(
    state: GradientRatioState,
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    loss: Callable[..., Array],
    where: ArrayLike | None = None,
    axis_name: Hashable | Sequence[Hashable] | None = None,
) -> GradientRatioState:
    r"""Adds the gradients of a batch, `Σ y·|∂L/∂z|` and `Σ (1 - y)·|∂L/∂z|` of each class.

    L is the loss with the ratios of the state as it is given: the weights of this step are in its
    gradients, as in the authors' code. Take the losses first, then update, of the same state.

    A batch sharded over a mesh axis, or over several hosts, is added as a whole. Inside
    `jax.shard_map`, where each device sees its share, name its axis.

    Args:
      state: from `init` or `update`.
      logits: `[..., K]`, floating point, one-vs-all.
      labels: `[..., K]`, in [0, 1]: booleans, integers or floats.
      loss: a function `loss(logits, labels, ratio, where=where)` of unreduced losses:
        `jimb.equalization_loss`, `jimb.equalized_focal_loss`, or a `functools.partial` of one with
        the options that the training has. Weights of examples may be in it.
      where: booleans `[..., K]`; False leaves an element out.
      axis_name: an axis of the `jax.shard_map` around this call, or several, over which the sums
        are summed.

    Returns:
      A state of the same types, shapes and dtypes, without gradient. An element whose gradient is
      not finite is left out, with a checkify message: one bad batch must not spoil all others.

    Raises:
      TypeError: the state is no `GradientRatioState`, logits are not floating point, labels no
        numbers, or `where` is not boolean.
      ValueError: shapes do not fit, labels of Python or NumPy are outside [0, 1] where nothing is
        traced, or `axis_name` is not mapped here.

    Example:
      One step, and what the ratios are then:

      >>> import functools, jax.numpy as jnp, jimb
      >>> loss = functools.partial(jimb.equalization_loss, alpha=4.0)
      >>> state = jimb.gradient_ratio.init(3)
      >>> logits, labels = jnp.zeros((4, 3)), jnp.eye(3)[jnp.array([0, 0, 0, 1])]
      >>> losses = loss(logits, labels, jimb.gradient_ratio.compute(state))
      >>> state = jimb.gradient_ratio.update(state, logits, labels, loss=loss)
      >>> print(jimb.gradient_ratio.compute(state))
      [3.         0.33333334 0.        ]

    Reference:
      Tan et al., CVPR 2021; Li et al., CVPR 2022. The latter's code adds the gradients of the mean
      loss: the same ratio as long as what the mean divides by stays the same.
    """
    names = _axes.mapped(axis_name)
    shape = _shape(state)
    z = jax.lax.stop_gradient(_checks.class_logits(stored_logits(logits, labels)))
    if z.shape[-1:] != shape:
        raise ValueError(f"logits have {z.shape[-1]} classes, the state {shape[0]}.")
    mask = _checks.mask(where, z.shape, "logits")
    y = unit_labels(labels, z, where)
    z, ratio = z.astype(compute_dtype(z)), compute(state)
    sizes = jnp.abs(jax.grad(lambda z: jnp.sum(loss(z, labels, ratio, where=where)))(z))
    sums = _of_batch(sizes, jax.lax.stop_gradient(y.astype(z.dtype)), mask)
    positive, negative = map(_pair, _axes.summed(sums, names))
    return GradientRatioState(
        *_pairs.add((state.positive, state.positive_rest), positive),
        *_pairs.add((state.negative, state.negative_rest), negative),
    )


def compute(state: GradientRatioState) -> Float[Array, " K"]:
    """The ratios `g_c`, which the losses take.

    Args:
      state: a `GradientRatioState`.

    Returns:
      Positive over negative gradients, float32 `[K]`, without gradient; inf for a class without
      negative ones, also where nothing is known yet: its weights are 1, as those of the first step
      in the authors' code. There a class of which nothing is known later counts as the rarest.

    Raises:
      TypeError: not a `GradientRatioState`.

    Example:
      >>> import jimb
      >>> print(jimb.gradient_ratio.compute(jimb.gradient_ratio.init(2)))
      [inf inf]
    """
    _shape(state)
    positive, negative = jax.lax.stop_gradient((state.positive, state.negative))
    nothing = negative == 0
    return jnp.where(nothing, jnp.inf, positive / jnp.where(nothing, 1, negative))


def _shape(state: Any) -> tuple[int, ...]:
    if not isinstance(state, GradientRatioState):
        raise TypeError(
            f"state must be a GradientRatioState, got {_checks.named(state)}; "
            "jimb.gradient_ratio.init(K) makes one, and it comes first."
        )
    shape: tuple[int, ...] = state.positive.shape
    return shape


def _of_batch(sizes: Array, y: Array, mask: Array | None) -> tuple[Array, Array]:
    """The sums over the batch, of positives and of negatives."""
    masked = jnp.zeros(y.shape, bool) if mask is None else ~mask
    kept = report(
        masked | (jnp.isfinite(sizes) & _labels.soft_valid(y)),
        "a gradient is not finite, or a label outside [0, 1], and was left out of the ratio.",
    )
    kept = kept & ~masked
    sizes, y = jnp.where(kept, sizes, 0), jnp.where(kept, jnp.clip(y, 0, 1), 0)
    axes = tuple(range(y.ndim - 1))
    return jnp.sum(sizes * y, axis=axes), jnp.sum(sizes * (1 - y), axis=axes)


def _pair(sums: Array) -> _pairs.Pair:
    """Sums as two of float32, on every device as the state is."""
    sums = replicated(sums)
    high = sums.astype(jnp.float32)
    return high, (sums - high.astype(sums.dtype)).astype(jnp.float32)
