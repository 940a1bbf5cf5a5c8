"""Lovász-softmax: the convex extension of the Jaccard loss, by one sort."""

import jax
import jax.numpy as jnp

from jimb._layout import whole_axes
from jimb._typing import Array, ArrayLike, Float
from jimb.losses._given_labels import class_ids, stored_logits
from jimb.losses._regions import pixels


def lovasz_softmax_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int | tuple[int, ...],
    where: ArrayLike | None = None,
) -> Float[Array, "*regions K"]:
    r"""Lovász-softmax loss of each class, `Σ_i m_(i) (J_i - J_{i-1})`, over the named axes.

    `m = |[y = c] - p_c|` are the errors of class c, in descending order, and `J_i` the Jaccard loss
    of that class if the i largest errors are mistakes and no others. At hard predictions it is
    1 - IoU. Errors that tie are taken in the order of the pixels: the value is the same in any.

    The paper's mean is over the classes that are present: pass `present_regions` to the mean. A
    class without a true pixel has its largest probability as its loss; all pixels masked give 0.

    Args:
      logits: `[..., K]`, floating point.
      labels: integers `[...]`.
      axis: the axes of logits to sort over, not that of the classes. `(1, 2)` gives a loss to each
        image and class of `[B, H, W, K]`, `(0, 1, 2)` one to each class of the batch. Axes that are
        divided over devices are brought together, since a sort needs all errors.
      where: booleans `[...]`; False leaves a pixel out, whatever its logits and label are.

    Returns:
      Losses in [0, 1], the shape of logits without `axis`, in the dtype of logits. NaN for a region
      with a label outside [0, K).

    Raises:
      TypeError: logits are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, `axis` names no axes of pixels, or labels of Python or NumPy
        are wrong where nothing is traced.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits = jnp.array([[[4.0, 0.0], [0.0, 4.0], [0.0, 4.0], [0.0, 0.0]]])
      >>> losses = jimb.lovasz_softmax_loss(logits, jnp.array([[0, 1, 1, 1]]), axis=1)
      >>> losses.round(4)
      Array([[0.259 , 0.1787]], dtype=float32)

    Reference:
      Berman et al., The Lovász-Softmax Loss, CVPR 2018, Algorithm 1.
    """
    given = stored_logits(logits, labels)
    of = pixels(given, class_ids(labels, given, where), axis, False, where)
    right, wrong = of.probabilities()
    errors, true, false = (
        _in_a_row(x, of.axes) for x in (of.true * wrong + of.false * right, of.true, of.false)
    )
    slopes = _jaccard_slopes(*map(jax.lax.stop_gradient, (errors, true, false)))
    return of.finish(jnp.sum(errors * slopes, axis=-1))


def _in_a_row(x: Array, axes: tuple[int, ...]) -> Array:
    """The pixels of each region along a last axis that no device has a part of."""
    kept = [i for i in range(x.ndim) if i not in axes]
    moved = whole_axes(jnp.transpose(x, (*kept, *axes)), len(axes))
    return moved.reshape(*moved.shape[: len(kept)], -1)


def _jaccard_slopes(errors: Array, true: Array, false: Array) -> Array:
    """`J_i - J_{i-1}` of each pixel, in the order of the pixels."""
    order = jax.lax.broadcasted_iota(
        jnp.int32, errors.shape, errors.ndim - 1, out_sharding=jax.typeof(errors).sharding
    )
    keys = jnp.where(true + false > 0, -errors, 1)  # what is masked comes last
    _, order, true, false = jax.lax.sort((keys, order, true, false), num_keys=2)
    total = jnp.sum(true, axis=-1, keepdims=True)
    found = jnp.cumsum(true.astype(jnp.int32), axis=-1).astype(errors.dtype)
    union = total + jnp.cumsum(false.astype(jnp.int32), axis=-1).astype(errors.dtype)
    # Each difference in closed form: that of two numbers near 1 would lose its digits.
    before = jnp.maximum(union - 1, 1)
    of_false = jnp.where(union == 1, 1 - total, (total - found) / (union * before))
    slopes = jnp.where(true > 0, 1 / jnp.maximum(union, 1), jnp.where(false > 0, of_false, 0))
    return jax.lax.sort((order, slopes), num_keys=1)[1]
