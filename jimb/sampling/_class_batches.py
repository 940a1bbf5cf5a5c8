"""Batches of a few classes, each with as many images."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._labels import class_sums
from jimb._typing import Array, ArrayLike, Integer
from jimb.sampling._class_order import by_class
from jimb.sampling._host_labels import host_labels
from jimb.sampling._keys import one_key


def class_batches(
    key: Array,
    labels: ArrayLike,
    *,
    classes_per_batch: int,
    per_class: int,
    num_batches: int | None = None,
) -> Integer[Array, "num_batches batch"]:
    """Batches of `classes_per_batch` random classes with `per_class` examples of each.

    The classes of a batch are distinct, and every set of them is as likely. The examples of a class
    stand in a circle, in an order fresh for each key, and every batch with this class takes the
    next `per_class`: none comes twice before all have come once, and a class of fewer examples
    repeats each `⌊per_class / n_c⌋` or `⌈per_class / n_c⌉` times in a batch. A repeated image
    should take a fresh augmentation: make its key of the slot in the plan,
    `jax.random.fold_in(key, row * batch + column)`. The plan is a global object, the same on any
    number of devices: host h of H reads `plan[:, h::H]`.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers of 0 or more, `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      classes_per_batch: a Python int.
      per_class: examples of each class in a batch, a Python int.
      num_batches: a Python int; None means as many as N examples fill, and at least one.

    Returns:
      int32 positions in [0, N), `[num_batches, classes_per_batch·per_class]`. Those of one class
      are neighbours; the classes of a batch come in no particular order.

    Raises:
      TypeError: `key` is no key, labels are traced or not integers, or a number is not an int.
      ValueError: labels are not `[N]` or below 0, a number is below 1, `classes_per_batch` is more
        than the classes that have examples, or the plan would have 2³¹ positions or more.

    Example:
      >>> import jax, jimb
      >>> labels = [0, 0, 0, 0, 1, 1, 2, 2]
      >>> plan = jimb.sampling.class_batches(
      ...     jax.random.key(3), labels, classes_per_batch=2, per_class=2)
      >>> print(plan)
      [[0 2 5 4]
       [5 4 1 3]]
    """
    key = one_key(key, labels=labels)
    values = host_labels(labels)
    width = _checks.size("classes_per_batch", classes_per_batch)
    depth = _checks.size("per_class", per_class)
    present, dense, counts = np.unique(values, return_inverse=True, return_counts=True)
    if width > present.size:
        raise ValueError(
            f"classes_per_batch must be at most {present.size}, the classes that have examples, "
            f"got {width}."
        )
    rows = max(values.size // (width * depth), 1) if num_batches is None else num_batches
    rows = _checks.size("num_batches", rows)
    if rows * width * depth >= 2**31:
        raise ValueError(
            f"the plan would have {rows * width * depth} positions, and must have fewer than "
            "2**31; ask for a smaller num_batches or per_class."
        )
    tables = dense.astype(np.int32), counts.astype(np.int32)
    plan: Array = _drawn(key, *tables, rows=rows, width=width, depth=depth)
    return plan


@jax.jit(static_argnames=("rows", "width", "depth"))  # a caller without jit compiles it once
def _drawn(
    key: Array,
    labels: Integer[Array, " N"] | np.ndarray,
    counts: Integer[Array, " K"] | np.ndarray,
    *,
    rows: int,
    width: int,
    depth: int,
) -> Integer[Array, "rows batch"]:
    class_key, member_key = jax.random.split(key)
    counts = jnp.asarray(counts)
    chosen = _distinct(class_key, rows, width, counts.shape[0])
    visit = _earlier(chosen.reshape(-1), counts.shape[0]).reshape(rows, width, 1)
    place = visit * depth + jnp.arange(depth, dtype=jnp.int32).reshape(1, 1, depth)
    _, members = by_class(member_key, jnp.asarray(labels))
    begins = jnp.cumsum(counts, dtype=jnp.int32) - counts
    size, begin = (x.at[chosen].get(mode="promise_in_bounds") for x in (counts, begins))
    slots = begin.reshape(rows, width, 1) + place % size.reshape(rows, width, 1)
    return members.at[slots].get(mode="promise_in_bounds").reshape(rows, width * depth)


def _distinct(key: Array, rows: int, width: int, num_classes: int) -> Integer[Array, "rows width"]:
    """For each row `width` distinct numbers below K; every set is as likely.

    Floyd's algorithm (Bentley and Floyd, A sample of brilliance, Comm. ACM 1987) draws from one
    number more at each step, and takes the newest where it draws one that it has. Nothing here
    has the size of rows times K.
    """
    newest = jnp.arange(num_classes - width, num_classes, dtype=jnp.int32).reshape(width, 1)
    drawn = jax.random.randint(key, (width, rows), 0, newest + 1, jnp.int32)

    def step(i: Array, chosen: Array) -> Array:
        taken = jnp.any(chosen == drawn[i].reshape(1, rows), axis=0)
        return chosen.at[i].set(jnp.where(taken, newest[i], drawn[i]))

    none = jnp.full((width, rows), -1, jnp.int32)
    chosen: Array = jax.lax.fori_loop(0, width, step, none)
    return chosen.T


def _earlier(classes: Integer[Array, " M"], num_classes: int) -> Integer[Array, " M"]:
    """How often each number has come before."""
    ordered, places = by_class(None, classes)
    visits = class_sums(classes, jnp.int32(1), num_classes)
    begins = jnp.cumsum(visits, dtype=jnp.int32) - visits
    rank = jnp.arange(classes.shape[0], dtype=jnp.int32) - begins.at[ordered].get(
        mode="promise_in_bounds"
    )
    return jnp.zeros_like(classes).at[places].set(rank, unique_indices=True)
