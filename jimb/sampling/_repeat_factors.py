"""Weights to draw images with, of which each may hold several classes."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import laid_out_like
from jimb._multi_hot import BAD, multi_hot, raise_if_wrong, valid
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float


def repeat_factors(
    labels: ArrayLike, *, threshold: ArrayLike = 0.001, where: ArrayLike | None = None
) -> Float[Array, " N"]:
    r"""How often each image is drawn where it may hold several classes, `max_c max(1, √(t / f_c))`.

    `f_c` is the share of the images that hold class c, and the maximum is over the classes of the
    image: classes rarer than t are drawn more often, by the root. An image without any class has
    1. An epoch of `round(factors.sum())` images, planned by `epoch_plan`, draws each as often as
    its factor on average, and rounds anew with each key.

    Args:
      labels: multi-hot, `[N, K]`, of the whole data set: booleans, or numbers, of which 0 says that
        the image does not hold the class. Of class ids take `jax.nn.one_hot(labels, K)`.
      threshold: t ≥ 0, a scalar; may be traced. Of it LVIS took 0.001.
      where: booleans `[N]`; False leaves an image out of the shares, and gives it weight 0.

    Returns:
      Weights `[N]`, at least 1 where not masked, float32 (float64 under x64). NumPy and Python
      labels are computed in float64. Traced, an image with a label outside [0, 1] has NaN.

    Raises:
      TypeError: labels are no numbers, or `where` is not boolean.
      ValueError: labels are not `[N, K]`, or of NumPy or Python and outside [0, 1] unmasked,
        `where` is not `[N]`, or t is negative or no scalar (traced: NaN and a checkify message).

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> labels = [[1, 0], [1, 0], [1, 1], [1, 0]]
      >>> factors = jimb.sampling.repeat_factors(labels, threshold=0.81)
      >>> print(factors)
      [1.  1.  1.8 1. ]
      >>> plan = jimb.sampling.epoch_plan(jax.random.key(0), factors, round(float(factors.sum())))
      >>> print(jnp.bincount(plan))
      [1 1 2 1]

    Reference:
      Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019.
    """
    given = multi_hot(labels)
    if given.ndim != 2:
        raise ValueError(
            f"labels must be multi-hot, [N, K], one row per image, got {_checks.describe(given)}."
        )
    mask = _checks.mask(where, given.shape[:1], "the images")
    if _labels.on_host(labels, where):
        known = np.ones(len(given), bool) if mask is None else np.asarray(mask)
        raise_if_wrong(np.asarray(given), known[:, None])
        if _checks.on_host(threshold):
            level = _checks.host_bounded("threshold", threshold, 0.0)
            _checks.same_shape("threshold", level, (), "a scalar")
            factors = _factors(np.asarray(given).astype(bool), known, level, np)
            return jnp.asarray(factors, jnp.ones((), float).dtype)
    array = jnp.asarray(given)
    kept = jnp.ones_like(array[:, 0], bool) if mask is None else laid_out_like(mask, array)
    traced = _checks.scalar("threshold", threshold, 0.0, dtype=jnp.ones((), float).dtype)
    right = report(jnp.all(valid(array), -1) | ~kept, BAD)
    return jnp.where(right, _factors(array.astype(bool), kept, traced, jnp), jnp.nan)


def _factors(holds: Any, kept: Any, threshold: Any, xp: Any) -> Any:
    """The factors of images that hold these classes; 0 where not kept."""
    dtype = threshold.dtype
    holds = holds & xp.expand_dims(kept, -1)
    images = xp.sum(holds, 0).astype(dtype)
    total = xp.sum(kept).astype(dtype)
    ratio = xp.where(images > 0, threshold * total / xp.where(images > 0, images, 1), 1)
    of_class = xp.sqrt(xp.maximum(ratio, 1))
    largest = xp.max(xp.where(holds, of_class.reshape(1, -1), 1), -1)
    return xp.where(kept, largest, 0)
