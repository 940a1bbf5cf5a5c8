"""Everything that indexes by label: look-up, class sums, one-hot, validity.

`w[y]`, `jnp.bincount` and their like raise on a batch sharded over an Explicit mesh axis. The two
primitives here run with no mesh and on Auto and Explicit meshes; all other files call them.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer


def look_up(
    table: Array, labels: Integer[Array, "*batch"], *, fill: int | float = math.nan
) -> Array:
    """`table[labels]`; `fill` outside [0, K); the labels' own sharding."""
    return table.at[labels].get(
        mode="fill",
        fill_value=fill,
        wrap_negative_indices=False,
        out_sharding=jax.typeof(labels).sharding,
    )


def look_up_rows(
    table: Float[Array, "K F"], labels: Integer[Array, "*batch"], like: Float[Array, "*batch F"]
) -> Float[Array, "*batch F"]:
    """`table[labels]`, rows; NaN outside [0, K); the sharding of `like`."""
    return table.at[labels].get(
        mode="fill",
        fill_value=jnp.nan,
        wrap_negative_indices=False,
        out_sharding=jax.typeof(like).sharding,
    )


def class_sums(labels: Integer[Array, "*batch"], values: Array, num_classes: int) -> Array:
    """Sums of `values` by label; the label K and all others outside are dropped.

    A scalar, or one number per label, gives `[K]`; one row per label gives `[K, F]`.
    """
    # What is dropped has a row of its own: a position outside is an error for `index_checks`.
    zeros = jnp.zeros((num_classes + 1, *values.shape[labels.ndim :]), values.dtype)
    sums = zeros.at[labels].add(
        values,
        mode="drop",
        wrap_negative_indices=False,
        out_sharding=jax.typeof(zeros).sharding,
    )
    return sums[:num_classes]


def in_range(
    labels: Integer[Array, "*batch"], num_classes: int
) -> tuple[Integer[Array, "*batch"], Bool[Array, "*batch"]]:
    """`(safe, valid)`: int32 labels with 0 in place of those outside [0, K); which were inside."""
    if labels.dtype.itemsize < 4:  # K itself may not fit the labels' dtype
        labels = labels.astype(jnp.int32)
    valid = (labels >= 0) & (labels < num_classes)
    return jnp.where(valid, labels, 0).astype(jnp.int32), valid


def one_hot(safe: Integer[Array, "*batch"], num_classes: int) -> Bool[Array, "*batch K"]:
    """Booleans, true at the label."""
    classes = jnp.arange(num_classes, dtype=jnp.int32).reshape((1,) * safe.ndim + (num_classes,))
    return jnp.expand_dims(safe, -1) == classes


def soft_valid(labels: Float[Array, "*any"]) -> Bool[Array, "*any"]:
    """Which soft labels lie in [0, 1], but for rounding: mixed bfloat16 labels reach 1.0078."""
    return (labels >= -0.01) & (labels <= 1.01)


def positions(
    name: str, values: ArrayLike, size: int, where: ArrayLike | None, of: str
) -> Integer[Array, "*batch"]:
    """Positions for a scatter: `size`, which a scatter drops, where masked or outside [0, size).

    NumPy or Python values outside raise; traced ones leave a checkify message.
    """
    array = _checks.integer(name, values)
    mask = _checks.mask(where, array.shape, name)
    raise_if_outside(name, values, size, where, of)
    safe, valid = in_range(array, size)
    message = f"{name} must lie in [0, {size}), the {of}; some did not and were dropped."
    if mask is None:
        return jnp.where(report(valid, message), safe, size)
    return jnp.where(report(valid | ~mask, message) & mask, safe, size)


def _on_host(values: ArrayLike, where: ArrayLike | None) -> bool:
    return _checks.on_host(values) and (where is None or _checks.on_host(where))


def raise_if_outside(
    name: str, values: ArrayLike, size: int, where: ArrayLike | None, of: str
) -> None:
    """ValueError where NumPy or Python values lie outside [0, size), unmasked."""
    if not _on_host(values, where):
        return
    host = np.asarray(values)
    outside = (host < 0) | (host >= size)
    if where is not None:
        outside &= np.asarray(where)
    if outside.any():
        bad = ", ".join(map(str, np.unique(host[outside])[:8]))
        raise ValueError(
            f"{name} must lie in [0, {size}), the {of}; got {bad} "
            f"({int(outside.sum())} of {outside.size}). Mask them with where=, or correct them."
        )


def class_counts(
    labels: ArrayLike, num_classes: int, *, where: ArrayLike | None = None
) -> Integer[Array, " K"] | np.ndarray:
    """How many examples each class has, `n_c`.

    Count the training set once, not the batch: every class weight starts from these numbers. NumPy
    or Python labels give NumPy counts, so that what is made from them can still be checked (an
    empty class, say); device labels give a device array, and nothing waits for it.

    Args:
      labels: integers in [0, K), any shape.
      num_classes: K.
      where: booleans of the labels' shape; False leaves a label out.

    Returns:
      int32 counts, `[K]`.

    Raises:
      TypeError: labels or K are not integers, or `where` is not boolean.
      ValueError: K is below 1, shapes differ, or NumPy or Python labels lie outside [0, K)
        unmasked. Traced ones are dropped, with a checkify message.

    Example:
      >>> import jimb
      >>> jimb.class_counts([0, 0, 0, 2], num_classes=3)
      array([3, 0, 1], dtype=int32)
    """
    num_classes = _checks.size("num_classes", num_classes)
    if not _on_host(labels, where):
        cells = positions("labels", labels, num_classes, where, "classes")
        return class_sums(cells, jnp.int32(1), num_classes)
    values = np.asarray(labels)
    if values.size == 0:
        return np.zeros(num_classes, np.int32)
    _checks.integer("labels", values)
    _checks.mask(where, values.shape, "labels")
    raise_if_outside("labels", values, num_classes, where, "classes")
    kept = values if where is None else values[np.asarray(where)]
    return np.bincount(kept.ravel(), minlength=num_classes).astype(np.int32)


def take_class(table: ArrayLike, labels: ArrayLike) -> Float[Array, "*batch"]:
    """The entry of a class table for each label: `table[y]`, or `Σ_c y_c table_c` for soft labels.

    Works where plain indexing does not: on a batch sharded over an Explicit mesh axis, where it
    keeps the batch's sharding, and with bad labels, which give NaN and not a neighbour's weight.

    Args:
      table: one number per class, `[K]`.
      labels: integers `[...]`, or float soft labels `[..., K]`.

    Returns:
      `[...]`, in the table's dtype (float32 for an integer table). NaN for a label outside [0, K).

    Raises:
      TypeError: labels are neither integers nor floating point.
      ValueError: the table is not `[K]`, or soft labels have another number of classes.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> jimb.take_class(jnp.array([0.5, 2.0]), jnp.array([0, 1, 1]))
      Array([0.5, 2. , 2. ], dtype=float32)
    """
    entries = jnp.asarray(table)
    if not jnp.issubdtype(entries.dtype, jnp.floating):
        entries = entries.astype(jnp.float32)
    if entries.ndim != 1:
        raise ValueError(
            f"table must hold one number per class, [K], got {_checks.describe(entries)}."
        )
    array = _checks.label_array("labels", labels)
    if jnp.issubdtype(array.dtype, jnp.integer):
        return look_up(entries, array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(
            f"labels must be integers, or floats (soft labels), got {_checks.describe(array)}."
        )
    soft = array.astype(entries.dtype)
    if soft.shape[-1:] != entries.shape:
        raise ValueError(
            f"soft labels must be [..., {entries.shape[0]}] for this table, got "
            f"{_checks.describe(array)}; class ids must be integers."
        )
    # Not a matrix product: those round to bfloat16 or TF32 on accelerators.
    return jnp.sum(soft * entries.reshape((1,) * (soft.ndim - 1) + entries.shape), axis=-1)
