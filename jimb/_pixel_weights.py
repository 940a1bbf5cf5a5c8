"""Class weights from the pixels of a segmentation data set."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._class_numbers import checked, checked_counts, namespace, result_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float

_LARGEST = float(np.finfo(np.float32).max)
_UNSEEN = "image_counts must be above 0 where pixel_counts are: a class was seen in no image"


def median_frequency_weights(
    pixel_counts: ArrayLike, *, image_counts: ArrayLike | None = None, allow_empty: bool = False
) -> Float[Array, " K"]:
    r"""Median frequency balancing, `median(f) / f_c` with f over the images that hold the class.

    `f_c` is the number of pixels of class c, divided by that of all pixels of the images that have
    any of it. The median is over the classes that are not empty, and its class has weight 1; no sum
    is normalised. ENet's weights from the same counts are `log_frequency_weights`.

    Args:
      pixel_counts: pixels of each class in the training set, `[K]`, non-negative.
      image_counts: `[K]`, the pixels of all images that hold the class; or, where the images are of
        one size, the number of these images, which gives the same weights. None takes every image
        for every class, so that f is the share of all pixels.
      allow_empty: give a class without pixels weight 0 instead of raising.

    Returns:
      Weights `[K]`, float32 (float64 under x64). Python and NumPy input is computed in float64.

    Raises:
      ValueError: counts are not `[K]`, are negative or not finite, name an empty class (host
        counts, unless `allow_empty`), or have a class with pixels and no images. Traced: an empty
        class gets weight 0 and a checkify message; wrong numbers give NaN and a message.

    Example:
      The counts of masks of one size, in the memory of one of them:

      >>> import numpy as np, jimb
      >>> masks = np.array([[[0, 0], [0, 1]], [[0, 0], [0, 0]], [[0, 2], [2, 2]]])
      >>> per_image = np.stack([jimb.class_counts(mask, 3) for mask in masks])
      >>> pixels, images = per_image.sum(0), (per_image > 0).sum(0)
      >>> print(pixels, images, jimb.median_frequency_weights(pixels, image_counts=images))
      [8 1 3] [3 1 1] [1.        2.6666667 0.8888889]

    Reference:
      Eigen and Fergus, Predicting Depth, Surface Normals and Semantic Labels with a Common
      Multi-Scale Convolutional Architecture, ICCV 2015. Badrinarayanan et al., SegNet, PAMI 2017.
    """
    images = 1.0 if image_counts is None else image_counts
    xp, pixel_counts, images = namespace(pixel_counts, "image_counts", images)
    n = checked_counts(pixel_counts, xp, allow_empty)
    of = xp.asarray(checked("image_counts", images, 0.0, _LARGEST, xp), n.dtype)
    if image_counts is not None:
        _checks.same_shape("image_counts", of, n.shape, "pixel_counts")
    filled, missing = n != 0, (n > 0) & (of == 0)
    if xp is np and missing.any():
        raise ValueError(f"{_UNSEEN}, as class {np.flatnonzero(missing)[0]}.")
    if xp is jnp:
        missing = ~report(~missing, _UNSEEN + ".")
    share = xp.where(filled, xp.where(missing, xp.nan, n / xp.where(of > 0, of, 1)), 1)
    weights = _median(share, filled, xp) / share
    return jnp.asarray(xp.where(n == 0, 0, weights), result_dtype(n))


def log_frequency_weights(
    pixel_counts: ArrayLike, *, offset: ArrayLike = 1.02, allow_empty: bool = False
) -> Float[Array, " K"]:
    r"""ENet's class weights, `1 / log(offset + p_c)`, with p the share of all pixels.

    They lie between `1 / log(offset + 1)` and `1 / log(offset)`, from 1.4 to 50 for 1.02, however
    rare a class is; no sum is normalised.

    Args:
      pixel_counts: pixels of each class in the training set, `[K]`, non-negative.
      offset: 1 or above, a scalar; the nearer to 1, the more a rare class weighs. May be traced.
      allow_empty: give a class without pixels weight 0 instead of raising.

    Returns:
      Weights `[K]`, float32 (float64 under x64). Python and NumPy input is computed in float64.

    Raises:
      ValueError: counts are not `[K]`, are negative or not finite, name an empty class (host
        counts, unless `allow_empty`), or `offset` is below 1 or no scalar. Traced: an empty
        class gets weight 0 and a checkify message; wrong numbers give NaN and a message.

    Example:
      >>> import jimb
      >>> print(jimb.log_frequency_weights([980, 15, 5]))
      [ 1.442695 29.068562 40.497944]

    Reference:
      Paszke et al., ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation,
      2016.
    """
    xp, counts, offset = namespace(pixel_counts, "offset", offset)
    n = checked_counts(counts, xp, allow_empty)
    given = checked("offset", offset, 1.0, _LARGEST, xp)
    _checks.same_shape("offset", given, (), "a scalar")
    total = n.sum()
    share = xp.where(n == 0, 1, n / xp.where(total == 0, 1, total))
    weights = 1 / xp.log1p(xp.asarray(given - 1, n.dtype) + share)
    return jnp.asarray(xp.where(n == 0, 0, weights), result_dtype(n))


def _median(values: Any, where: Any, xp: Any) -> Any:
    """The median over some classes; the mean of the two in the middle of an even number."""
    ordered = xp.sort(xp.where(where, values, np.finfo(values.dtype).max))
    number = where.sum()
    lower, upper = xp.maximum(number - 1, 0) // 2, number // 2
    return ordered[lower] / 2 + ordered[xp.minimum(upper, len(values) - 1)] / 2
