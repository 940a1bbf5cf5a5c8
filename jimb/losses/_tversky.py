"""Losses of regions by their overlap: Dice, Tversky and focal Tversky."""

import jax
import jax.numpy as jnp

from jimb import _checks
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.losses._regions import Pixels, pixels


def dice_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int | tuple[int, ...],
    sigmoid: bool = False,
    smooth: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*regions"]:
    r"""Dice loss, `1 - (2 TP + 2s) / (2 TP + FP + FN + 2s)`, of soft counts over the named axes.

    `tversky_loss` with α = β = ½, where edges are described. The denominator has the sums of p and
    of y; V-Net's, with their squares, is another function. Others' `(2 TP + ε) / (… + ε)` has
    `s = ε/2`.

    Args:
      logits: `[..., K]`, floating point; with `sigmoid` any shape.
      labels: integers `[...]`, or float soft labels `[..., K]`; with `sigmoid` the shape of logits,
        in [0, 1].
      axis: the axes of logits to sum over, not that of the classes. `(1, 2)` gives a loss to each
        image and class of `[B, H, W, K]`, `(0, 1, 2)` one to each class of the batch.
      sigmoid: one question per element, in the place of classes of which one is true.
      smooth: s ≥ 0, in pixels; may be traced.
      where: booleans, one per pixel: `[...]`, with `sigmoid` the shape of logits. False leaves a
        pixel out of all counts, whatever its logits and label are.

    Returns:
      Losses in [0, 1], the shape of logits without `axis`, in the dtype of logits. NaN for a region
      with a label that is wrong.

    Raises:
      TypeError: logits are not floating point, labels are no labels, or `where` is not boolean.
      ValueError: shapes do not fit, `axis` names no axes of pixels, s < 0 (traced: NaN and a
        checkify message), or labels of Python or NumPy are wrong where nothing is traced.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits = jnp.array([[[4.0, 0.0], [0.0, 4.0], [0.0, 4.0], [0.0, 0.0]]])
      >>> labels = jnp.array([[0, 1, 1, 1]])
      >>> losses = jimb.dice_loss(logits, labels, axis=1, smooth=0.0)
      >>> losses.round(4)
      Array([[0.22  , 0.1011]], dtype=float32)

    Reference:
      Milletari et al., V-Net, 3DV 2016, without the squares, as most who use it.
    """
    of = pixels(logits, labels, axis, sigmoid, where)
    return of.finish(_shortfall(of, 0.5, 0.5, smooth))


def tversky_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    axis: int | tuple[int, ...],
    gamma: ArrayLike = 1.0,
    sigmoid: bool = False,
    smooth: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> Float[Array, "*regions"]:
    r"""Focal Tversky loss, `(1 - TI)^γ` with `TI = (TP + s) / (TP + α FP + β FN + s)`.

    Soft counts over the pixels i that `where` keeps: `TP = Σ y p`, `FP = Σ (1 - y) p` and
    `FN = Σ y (1 - p)`. α = β = ½ is Dice, α = β = 1 Jaccard (IoU); β > α asks for recall.

    Names differ: Abraham and Khan write α for FN, β for FP, and raise to `1/γ`, so that their
    γ = 4/3 is `gamma=0.75` here. Below 1 the exponent looks at regions that are nearly right.

    A class without a true pixel has the loss `α FP / (α FP + s)`: 0 if nothing of it is predicted,
    and near 1, almost flat, if much is. So it counts in a mean. To leave it out, in value, gradient
    and divisor, pass `present_regions` to the mean. Where all pixels are masked the loss is 0, for
    every s. With s = 0 an empty class has loss 1 whatever is predicted, and learns nothing.

    Args:
      logits: `[..., K]`, floating point; with `sigmoid` any shape.
      labels: integers `[...]`, or float soft labels `[..., K]`; with `sigmoid` the shape of logits,
        in [0, 1].
      alpha: α ≥ 0, on false positives; may be traced.
      beta: β ≥ 0, on false negatives; may be traced.
      axis: the axes of logits to sum over, not that of the classes. `(1, 2)` gives a loss to each
        image and class of `[B, H, W, K]`, `(0, 1, 2)` one to each class of the batch.
      gamma: γ > 0; may be traced.
      sigmoid: one question per element, in the place of classes of which one is true.
      smooth: s ≥ 0, in pixels; may be traced.
      where: booleans, one per pixel: `[...]`, with `sigmoid` the shape of logits. False leaves a
        pixel out of all counts, whatever its logits and label are.

    Returns:
      Losses in [0, 1], the shape of logits without `axis`, in the dtype of logits. NaN for a region
      with a label that is wrong.

    Raises:
      TypeError: logits are not floating point, labels are no labels, or `where` is not boolean.
      ValueError: shapes do not fit, `axis` names no axes of pixels, α, β or s is negative or γ not
        positive (traced: NaN and a checkify message), or labels of Python or NumPy are wrong where
        nothing is traced.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits = jnp.array([[[4.0, 0.0], [0.0, 4.0], [0.0, 4.0], [0.0, 0.0]]])
      >>> labels = jnp.array([[0, 1, 1, 1]])
      >>> recall = {"alpha": 0.3, "beta": 0.7, "axis": 1}
      >>> jimb.tversky_loss(logits, labels, **recall).round(4)
      Array([[0.0804, 0.099 ]], dtype=float32)
      >>> jimb.tversky_loss(logits, labels, gamma=0.75, **recall).round(4)
      Array([[0.151 , 0.1765]], dtype=float32)

    Reference:
      Salehi et al., Tversky Loss Function for Image Segmentation, MLMI 2017; Abraham and Khan, A
      Novel Focal Tversky Loss Function, ISBI 2019.
    """
    of = pixels(logits, labels, axis, sigmoid, where)
    focus = _checks.scalar("gamma", gamma, 0.0, dtype=of.logits.dtype, exclusive=True)
    losses = _shortfall(of, alpha, beta, smooth)
    if not (isinstance(gamma, int | float) and gamma == 1):
        losses = _power(losses, focus)
    return of.finish(losses)


def present_regions(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int | tuple[int, ...],
    sigmoid: bool = False,
    where: ArrayLike | None = None,
) -> Bool[Array, "*regions"]:
    r"""Which regions have a true pixel, `Σ m y > 0`, to leave the others out of a mean.

    Args:
      logits: those of the loss, of which the shape is used.
      labels: those of the loss.
      axis: that of the loss.
      sigmoid: that of the loss.
      where: that of the loss.

    Returns:
      Booleans, the shape of the losses. A region with a wrong label counts, so that its NaN is
      seen.

    Raises:
      TypeError: as the loss.
      ValueError: as the loss.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> logits = jnp.array([[[4.0, 0.0], [0.0, 4.0], [0.0, 4.0], [0.0, 0.0]]])
      >>> labels = jnp.array([[1, 1, 1, 1]])
      >>> losses = jimb.dice_loss(logits, labels, axis=1)
      >>> present = jimb.present_regions(logits, labels, axis=1)
      >>> print(present)
      [[False  True]]
      >>> print(jimb.weighted_mean(losses, where=present) == losses[0, 1])
      True
    """
    return pixels(logits, labels, axis, sigmoid, where).present()


def _shortfall(of: Pixels, alpha: ArrayLike, beta: ArrayLike, smooth: ArrayLike) -> Array:
    """`1 - TI`, from sums of positive terms alone."""
    a, b, s = (
        _checks.scalar(name, value, 0.0, dtype=of.logits.dtype)
        for name, value in (("alpha", alpha), ("beta", beta), ("smooth", smooth))
    )
    right, wrong = of.probabilities()
    missed = a * of.sums(of.false * right) + b * of.sums(of.true * wrong)
    whole = of.sums(of.true * right) + missed + s
    some = whole != 0
    # Both in units of the whole, whose square may be no number.
    unit = jax.lax.stop_gradient(jnp.where(some, whole, 1))
    return (missed / unit) / jnp.where(some, whole / unit, 1)


def _power(x: Array, exponent: Array) -> Array:
    """`x^γ` for x ≥ 0, 0 and flat at 0; in units of x, whose square may be no number."""
    some = x != 0
    safe = jnp.where(some, x, 1)
    unit = jax.lax.stop_gradient(safe)
    return jnp.where(some, jnp.exp(exponent * (jnp.log(safe / unit) + jnp.log(unit))), 0)
