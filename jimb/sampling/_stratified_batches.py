"""Batches that all hold as many examples of each class as is asked for."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._typing import Array, ArrayLike, Integer
from jimb.sampling._class_order import by_class
from jimb.sampling._host_labels import counted_labels, targets_per_class
from jimb.sampling._keys import one_key


def stratified_batches(
    key: Array,
    labels: ArrayLike,
    num_classes: int,
    *,
    per_class: int | ArrayLike,
    num_batches: int | None = None,
) -> Integer[Array, "num_batches batch"]:
    """Batches of the same make-up, with `per_class` examples of each class, or as many of each.

    The examples of a class stand in a circle, in an order fresh for each key, and every batch takes
    the next: none comes twice before all of its class have come once. A class of fewer examples
    than a batch takes repeats each `⌊t_c / n_c⌋` or `⌈t_c / n_c⌉` times in it. A repeated image
    should take a fresh augmentation: make its key of the slot in the plan,
    `jax.random.fold_in(key, row * batch + column)`. The plan is a global object, the same on any
    number of devices: host h of H reads `plan[:, h::H]`. A few random classes in each batch are
    `class_batches`.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers in [0, K), `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      num_classes: K.
      per_class: t, the examples of each class in a batch: a Python int, for all classes that have
        examples, or integers `[K]`, one per class, which are known on the host.
      num_batches: a Python int; None means as many as N examples fill, and at least one.

    Returns:
      int32 positions in [0, N), `[num_batches, Σ_c t_c]`. Classes are in order in each batch.

    Raises:
      TypeError: `key` is no key, labels or `per_class` are traced or not integers, or another
        number is not an int.
      ValueError: labels are not `[N]` or lie outside [0, K), a number is below 1, or, of numbers
        per class, one is negative, above 0 where a class has no examples, or all are 0, or the plan
        would have 2³¹ positions or more.

    Example:
      >>> import jax, jimb
      >>> labels = [0, 0, 0, 0, 0, 0, 1, 1]
      >>> plan = jimb.sampling.stratified_batches(jax.random.key(0), labels, 2, per_class=[3, 1])
      >>> print(plan)
      [[5 2 3 6]
       [4 0 1 7]]
    """
    key = one_key(key, labels=labels)
    values, counts = counted_labels(labels, num_classes)
    filled = counts > 0
    of_class = np.where(filled, targets_per_class(per_class, num_classes, filled=filled), 0)
    batch = int(of_class.sum())
    if batch == 0:
        raise ValueError("per_class is 0 for every class: a batch would be empty.")
    rows = max(values.size // batch, 1) if num_batches is None else num_batches
    rows = _checks.size("num_batches", rows)
    if rows * batch >= 2**31:
        raise ValueError(
            f"the plan would have {rows * batch} positions, and must have fewer than 2**31; ask "
            "for a smaller num_batches or per_class."
        )
    # Of each column of the plan: its class's circle, how far a batch goes along it, and its place.
    classes = np.repeat(np.arange(num_classes), of_class)
    begins = (np.cumsum(counts) - counts)[classes]
    places = np.arange(batch) - (np.cumsum(of_class) - of_class)[classes]
    columns = (begins, counts[classes], of_class[classes], places)
    plan: Array = _drawn(key, values, *(x.astype(np.int32) for x in columns), rows=rows)
    return plan


@jax.jit(static_argnames="rows")  # a caller without jit compiles it once
def _drawn(
    key: Array,
    labels: Integer[Array, " N"] | np.ndarray,
    begins: Integer[Array, " batch"] | np.ndarray,
    sizes: Integer[Array, " batch"] | np.ndarray,
    steps: Integer[Array, " batch"] | np.ndarray,
    places: Integer[Array, " batch"] | np.ndarray,
    *,
    rows: int,
) -> Integer[Array, "rows batch"]:
    _, members = by_class(key, jnp.asarray(labels))
    begins, sizes, steps, places = (
        jnp.asarray(x).reshape(1, -1) for x in (begins, sizes, steps, places)
    )
    row = jnp.arange(rows, dtype=jnp.int32).reshape(-1, 1)
    slots = begins + (row * steps + places) % sizes
    return members.at[slots].get(mode="promise_in_bounds")
