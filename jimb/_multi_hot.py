"""Labels of which an example may have several, as one number for each class."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._layout import laid_out_like
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer

_MOST_FLOATS = 2**24  # ones that a float32 sum counts


def multi_hot_counts(
    labels: ArrayLike, *, where: ArrayLike | None = None
) -> Integer[Array, " K"] | Float[Array, " K"] | np.ndarray:
    """How many examples have each label, where an example may have several: `n_c = Σ_i y_ic`.

    Of class ids, one for each example, it is `class_counts`. As there, NumPy or Python labels give
    NumPy counts, which add up over the batches of a data set. The counts go into every function of
    class counts; their sum is the number of labels, not of examples, which is why
    `balanced_pos_weight` and `one_vs_all_bias_init` ask for `num_examples`.

    Args:
      labels: `[..., K]`, with two axes or more: booleans, or integers 0 and 1, or floats in [0, 1],
        of which soft ones count by their part.
      where: booleans, one per example, `[...]`, or, for labels that are partly unknown, one per
        label, `[..., K]`; False leaves out.

    Returns:
      Counts `[K]`: int64 of NumPy or Python labels and int32 (int64 under x64) on a device; of
      floats, float64 and float32.

    Raises:
      TypeError: labels are no numbers, or `where` is not boolean.
      ValueError: labels have one axis, shapes do not fit, or NumPy or Python labels are not 0 or 1,
        or between them, unmasked. Traced, an integer that is neither is dropped and a float outside
        [0, 1] makes the count NaN, with a checkify message. Without x64, device labels are of 2²⁴
        examples of floats or more, or of 2³¹.

    Example:
      >>> import jimb
      >>> labels = [[1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
      >>> jimb.multi_hot_counts(labels)
      array([3, 0, 2])

      Of partial labels, with the number of examples of which each is known:

      >>> import numpy as np
      >>> known = np.array(labels) + [[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]] > 0
      >>> jimb.multi_hot_counts(labels, where=known), known.sum(0)
      (array([3, 0, 2]), array([3, 2, 2]))
    """
    given = multi_hot(labels)
    axes = tuple(range(given.ndim - 1))
    mask = _mask(where, given.shape)
    if _labels.on_host(labels, where):
        host: Any = np.asarray(given)
        kept = True if mask is None else _with_classes(np.asarray(mask), host)
        raise_if_wrong(host, kept)
        exact: Any = np.int64
        if jnp.issubdtype(host.dtype, jnp.floating):
            host, exact = np.clip(host.astype(np.float64), 0, 1), np.float64
        counts: np.ndarray = np.sum(host, axes, dtype=exact, where=kept)
        return counts
    array = jnp.asarray(given)
    if mask is not None:
        kept = _with_classes(laid_out_like(mask, array), array)
        array = jnp.where(kept, array, jnp.zeros((), array.dtype))
    return _device_counts(array, axes)


def multi_hot(labels: Any) -> Array | np.ndarray:
    """Labels `[..., K]`, NumPy where they are on the host."""
    on_host = _checks.on_host(labels)
    given: Any = (_checks.host_labels if on_host else _checks.array_of)("labels", labels)
    _checks.real("labels", given)
    if given.ndim < 2 or given.shape[-1] == 0:
        raise ValueError(
            f"labels must be multi-hot, [..., K], one number for each class, got "
            f"{_checks.describe(given)}; class ids are counted by class_counts."
        )
    return given  # type: ignore[no-any-return]


def valid(labels: Any) -> Any:
    """Which labels are 0 or 1, or, of floats, in between."""
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return (labels >= -0.01) & (labels <= 1.01)  # but for rounding, as of the losses
    ones = labels.astype(bool)
    return ~ones | (labels == ones.astype(labels.dtype))


def _device_counts(array: Array, axes: tuple[int, ...]) -> Array:
    num = math.prod(array.shape[:-1])
    if jnp.issubdtype(array.dtype, jnp.floating):
        wide = array.astype(compute_dtype(array))
        if num >= _MOST_FLOATS and wide.dtype == jnp.float32:
            raise ValueError(
                f"labels are of {num} examples, beyond what float32 sums count; cast zeros and "
                "ones with .astype(bool), or count on the host."
            )
        inside = report(valid(wide), BAD)
        return jnp.sum(jnp.where(inside, jnp.clip(wide, 0, 1), jnp.nan), axes)
    one = jnp.ones((), int)
    if num >= 2**31 and one.dtype == jnp.int32:
        raise ValueError(f"labels are of {num} examples, of which int32 counts may wrap.")
    if array.dtype != jnp.bool_:
        array = report(valid(array), BAD) & (array == 1)
    return jnp.sum(array, axes, dtype=one.dtype)


BAD = "labels must be 0 or 1, or floats in [0, 1]; some were not: dropped, or a count of NaN."


def _mask(where: ArrayLike | None, shape: tuple[int, ...]) -> Bool[Array, "*any"] | None:
    """`where`, one per example or one per label."""
    if where is None:
        return None
    mask = _checks.boolean("where", where)
    if mask.shape != shape[:-1]:
        _checks.same_shape("where", mask, shape, "labels, or without its last axis")
    return mask


def _with_classes(mask: Any, labels: Any) -> Any:
    return mask if mask.ndim == labels.ndim else mask[..., None]


def raise_if_wrong(labels: np.ndarray, kept: Any) -> None:
    """ValueError where host labels are not 0 or 1, nor in between, unmasked."""
    wrong = ~valid(labels) & kept
    if wrong.any():
        raise ValueError(
            f"labels must be 0 or 1, or floats in [0, 1], got {labels[wrong][0]} "
            f"({int(wrong.sum())} of {wrong.size}). Mask them with where=, or correct them; class "
            "ids are counted by class_counts."
        )
