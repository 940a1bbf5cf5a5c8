"""Everything that indexes by label: look-up, class sums, one-hot, validity.

`w[y]`, `jnp.bincount` and their like raise on a batch sharded over an Explicit mesh axis. The two
primitives here run with no mesh and on Auto and Explicit meshes; all other files call them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jimb import _checks, _clock, _ids
from jimb._layout import classes_divided, laid_out_like
from jimb._notice import noticed
from jimb._one_hot import not_one_hot
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer

_PART = 2**30  # labels that are counted in one int32


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
    sums: Array = zeros.at[labels].add(
        values,
        mode="drop",
        wrap_negative_indices=False,
        out_sharding=jax.typeof(zeros).sharding,
    )
    return sums[:num_classes]


def counted(cells: Integer[Array, "*batch"], size: int) -> tuple[Array, Array]:
    """How often each position below `size` comes, as the hands of a clock; `size` is dropped."""
    parts = -(-cells.size // _PART)
    if parts <= 1:
        return _clock.hands(class_sums(cells, jnp.int32(1), size), None)
    _checks.size(f"classes, or pairs of them, times parts of {_PART} labels,", parts * size)
    # A count of int32 each for several parts of the batch, dealt out along its longest axis.
    axis = int(np.argmax(cells.shape))
    place = jax.lax.broadcasted_iota(
        jnp.uint32, cells.shape, axis, out_sharding=jax.typeof(cells).sharding
    )
    part = (place % np.uint32(parts)).astype(jnp.int32)
    cells = jnp.where(cells < size, part * size + cells, parts * size)
    sums = class_sums(cells, jnp.int32(1), parts * size).reshape(parts, size)
    counts, rough = _clock.hands(sums, None)
    return _clock.settled(jnp.sum(counts, 0, dtype=jnp.int32), jnp.sum(rough, 0))


def in_range(
    labels: Integer[Array, "*batch"], num_classes: int
) -> tuple[Integer[Array, "*batch"], Bool[Array, "*batch"]]:
    """`(safe, valid)`: int32 labels with 0 in place of those outside [0, K); which were inside."""
    if labels.dtype.itemsize < 4:  # K itself may not fit the labels' dtype
        labels = labels.astype(jnp.int32)
    valid = (labels >= 0) & (labels < num_classes)
    return jnp.where(valid, labels, 0).astype(jnp.int32), valid


def one_hot(safe: Integer[Array, "*batch"], like: Array) -> Bool[Array, "*batch K"]:
    """Booleans, true at the label; classes as many, and laid out, as on the last axis of `like`."""
    shape = (1,) * safe.ndim + (like.shape[-1],)
    layout = jax.typeof(like).sharding
    layout = layout.update(spec=PartitionSpec(*(None,) * safe.ndim, layout.spec[-1]))
    classes = jax.lax.broadcasted_iota(jnp.int32, shape, safe.ndim, out_sharding=layout)
    return jnp.expand_dims(safe, -1) == classes


def at_label(
    x: Float[Array, "*batch K"], safe: Integer[Array, "*batch"]
) -> Float[Array, "*batch 1"]:
    """Each row's entry at its label.

    With the classes divided over an Explicit mesh, where JAX refuses a look-up, as the sum over the
    one class that is the label; on an Auto mesh XLA makes such a sum of the look-up. With whole
    rows the sum is the slower of the two.
    """
    if not classes_divided(x):
        return jnp.take_along_axis(x, jnp.expand_dims(safe, -1), axis=-1, mode="clip")
    entry = jnp.where(one_hot(safe, x), x, 0)
    return jnp.sum(entry, axis=-1, keepdims=True)


def soft_valid(labels: Float[Array, "*any"]) -> Bool[Array, "*any"]:
    """Which soft labels lie in [0, 1], but for rounding: mixed bfloat16 labels reach 1.0078."""
    return (labels >= -0.01) & (labels <= 1.01)


def positions(
    name: str, values: ArrayLike, size: int, where: ArrayLike | None, of: str
) -> Integer[Array, "*batch"]:
    """Positions for a scatter: `size`, which a scatter drops, where masked or outside [0, size).

    NumPy or Python values outside raise; traced ones leave a checkify message.
    """
    if _checks.on_host(values) and np.size(values) == 0:  # [] is of floats
        values = np.zeros(np.shape(values), np.int32)
    array = _checks.integer(name, values)
    mask = _checks.mask(where, array.shape, name)
    raise_if_outside(name, values, size, where, of)
    if mask is not None:
        mask = laid_out_like(mask, array)
    safe, valid = in_range(array, size)
    message = f"{name} must lie in [0, {size}), the {of}; some did not and were dropped."
    if mask is None:
        return jnp.where(report(valid, message), safe, size)
    return jnp.where(report(valid | ~mask, message) & mask, safe, size)


def on_host(values: ArrayLike, where: ArrayLike | None) -> bool:
    """Whether both can be looked at without a sync."""
    return _checks.on_host(values) and (where is None or _checks.on_host(where))


def raise_if_outside(
    name: str, values: ArrayLike, size: int, where: ArrayLike | None, of: str
) -> None:
    """ValueError where NumPy or Python values lie outside [0, size), unmasked."""
    if not on_host(values, where):
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


def class_ids(name: str, labels: Any, num_classes: int) -> Array | np.ndarray:
    """Class ids of any shape, NumPy where they are on the host; not one-hot, and integers."""
    return not_one_hot(name, _ids.class_ids(name, labels, num_classes), num_classes)


def class_counts(
    labels: ArrayLike, num_classes: int, *, where: ArrayLike | None = None
) -> Integer[Array, " K"] | np.ndarray:
    """How many examples each class has, `n_c`.

    Count the training set once, not the batch: every class weight starts from these numbers. NumPy
    or Python labels give NumPy counts, so that what is made from them can still be checked (an
    empty class, say); device labels give a device array, and nothing waits for it.

    Where the data set comes in batches, sum their NumPy counts, which are int64 (a jitted function
    takes those beyond 2³¹ by `.astype(float)`: JAX cuts int64 arguments to int32). Counts on a
    device are int32, whose sum would wrap beyond 2³¹ without a word: there `counting.update` adds
    batches, also inside `jit`, `scan` and `shard_map`, exactly up to 2⁵³.

    Args:
      labels: integers in [0, K), any shape.
      num_classes: K.
      where: booleans of the labels' shape; False leaves a label out.

    Returns:
      Counts `[K]`: int64 of NumPy or Python labels, int32 (int64 under x64) on a device.

    Raises:
      TypeError: labels or K are not integers, or `where` is not boolean.
      ValueError: K is below 1, shapes differ, or NumPy or Python labels lie outside [0, K)
        unmasked or are one-hot. Traced ones outside are dropped, with a checkify message; so is
        said where traced ones are one-hot. Device labels are 2³¹ or more, without x64.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> jimb.class_counts([0, 0, 0, 2], num_classes=3)
      array([3, 0, 1])

      Of many masks, on the host and on the device (see `counting` for `scan` and `shard_map`):

      >>> masks = [[[0, 0], [0, 1]], [[0, 2], [0, 0]]]
      >>> sum(jimb.class_counts(mask, 3) for mask in masks)
      array([6, 1, 1])
      >>> state = jimb.counting.init(3)
      >>> for mask in masks:
      ...     state = jimb.counting.update(state, jnp.array(mask))
      >>> print(jimb.counting.compute(state))
      [6. 1. 1.]
    """
    num_classes = _checks.size("num_classes", num_classes)
    values = class_ids("labels", labels, num_classes)
    if not on_host(labels, where):
        labels = values
        cells = positions("labels", labels, num_classes, where, "classes")
        one = jnp.ones((), int)
        if cells.size >= 2**31 and one.dtype == jnp.int32:
            raise ValueError(
                f"labels are {cells.size}, of which int32 counts may wrap; add them to a state by "
                "jimb.counting.update, which counts up to 2**53."
            )
        return class_sums(cells, one, num_classes)
    values = np.asarray(values)
    if values.size == 0:
        return np.zeros(num_classes, np.int64)
    _checks.mask(where, values.shape, "labels")
    raise_if_outside("labels", values, num_classes, where, "classes")
    kept = (values if where is None else values[np.asarray(where)]).ravel()
    counts = np.zeros(num_classes, np.int64)
    for start in range(0, kept.size, 2**24):  # NumPy counts in int64, eight bytes a label
        part = kept[start : start + 2**24].astype(np.int64)
        counts += np.bincount(part, minlength=num_classes)
    return counts


def take_class(table: ArrayLike, labels: ArrayLike) -> Float[Array, "*batch"]:
    """The entry of a class table for each label: `table[y]`, or `Σ_c y_c table_c` for soft labels.

    Works where plain indexing does not: on a batch sharded over an Explicit mesh axis, where it
    keeps the batch's sharding, and with bad labels, which give NaN and not a neighbour's weight.

    Args:
      table: one number per class, `[K]`.
      labels: integers `[...]`, or float soft labels `[..., K]`.

    Returns:
      `[...]`, in the table's dtype (float32 for an integer table). NaN for a label outside [0, K),
      with a checkify message.

    Raises:
      TypeError: labels are neither integers nor floating point.
      ValueError: the table is not `[K]`, soft labels have another number of classes, or host
        integers are one-hot (traced: a checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> jimb.take_class(jnp.array([0.5, 2.0]), jnp.array([0, 1, 1]))
      Array([0.5, 2. , 2. ], dtype=float32)
    """
    entries = jnp.asarray(_checks.per_class("table", table))
    if not jnp.issubdtype(entries.dtype, jnp.floating):
        entries = _checks.real("table", entries).astype(jnp.float32)
    if entries.ndim != 1:
        raise ValueError(
            f"table must hold one number per class, [K], got {_checks.describe(entries)}."
        )
    array = _checks.label_array("labels", not_one_hot("labels", labels, entries.shape[0]))
    if jnp.issubdtype(array.dtype, jnp.integer):
        return looked_up(entries, array)
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


def looked_up(table: Array, labels: Integer[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`look_up`, and a checkify message for labels outside, free without `checkify`."""
    size = table.shape[0]
    message = (
        f"labels must lie in [0, {size}), the classes; some did not, and their entry is NaN. Where "
        "an example is masked, put any class in place of its label."
    )
    noted = noticed(table, message, lambda labels: in_range(labels, size)[1], labels=labels)
    return look_up(noted, labels)
