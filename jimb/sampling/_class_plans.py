"""Plans from labels alone: every class cut to a number of visits, raised to it, or both."""

import numpy as np

from jimb._typing import Array, ArrayLike, Integer
from jimb.sampling._class_visits import drawn_again, planned
from jimb.sampling._host_labels import counted_labels, targets_per_class
from jimb.sampling._keys import one_key


def undersample_plan(
    key: Array,
    labels: ArrayLike,
    num_classes: int,
    *,
    per_class: int | ArrayLike | None = None,
    replacement: bool = False,
) -> Integer[Array, " num"]:
    """Positions to visit in one epoch: every class cut to the smallest one, in random order.

    Class c has `min(n_c, t)` visits, of different examples, where t is `per_class` or the count of
    the smallest class that has any examples. Each key cuts others. The plan is a global object, the
    same on any number of devices: host h of H reads `plan[h::H]`.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers in [0, K), `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      num_classes: K.
      per_class: t, a Python int, or integers `[K]`, one per class, which are known on the host; a
        class of fewer examples keeps them all.
      replacement: whether the visits of a class that is cut are drawn independently, so that an
        example may have several, or none. Others keep each example once.

    Returns:
      int32 positions in [0, N), `[Σ_c min(n_c, t)]`.

    Raises:
      TypeError: `key` is no key, labels or `per_class` are traced or not integers, or `num_classes`
        is not an int.
      ValueError: labels are not `[N]` or lie outside [0, K), `num_classes` or `per_class` is below
        1, or, of targets per class, one is negative, or nothing is left.

    Example:
      >>> import jax, jimb
      >>> plan = jimb.sampling.undersample_plan(jax.random.key(0), [0, 0, 0, 0, 1, 1], 2)
      >>> print(plan)
      [3 5 1 4]
    """
    key = one_key(key, labels=labels)
    values, counts = counted_labels(labels, num_classes)
    smallest = int(counts[counts > 0].min()) if per_class is None else per_class
    target = targets_per_class(smallest, num_classes)
    make = drawn_again if replacement else planned
    return make(key, values, counts, np.minimum(counts, target))


def oversample_plan(
    key: Array, labels: ArrayLike, num_classes: int, *, per_class: int | ArrayLike | None = None
) -> Integer[Array, " num"]:
    """Positions to visit in one epoch: every class raised to the largest one, in random order.

    Class c has `max(n_c, t)` visits, where t is `per_class` or the count of the largest class; each
    of its examples has `⌊t / n_c⌋` or `⌈t / n_c⌉` of them. Each key gives the extra visit to
    others. A class without examples has no visits. A repeated image should take a fresh
    augmentation: make its key of the slot in the plan, `jax.random.fold_in(key, slot)`. The plan is
    a global object, the same on any number of devices: host h of H reads `plan[h::H]`.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers in [0, K), `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      num_classes: K.
      per_class: t, a Python int, or integers `[K]`, one per class, which are known on the host; a
        class of more examples keeps each of them once.

    Returns:
      int32 positions in [0, N), `[Σ_c max(n_c, t)]` over the classes that have examples.

    Raises:
      TypeError: `key` is no key, labels or `per_class` are traced or not integers, or `num_classes`
        is not an int.
      ValueError: labels are not `[N]` or lie outside [0, K), `num_classes` or `per_class` is below
        1, or, of targets per class, one is negative, above 0 where a class has no examples, or
        nothing is left, or the plan would have 2³¹ positions or more.

    Example:
      >>> import jax, jimb
      >>> plan = jimb.sampling.oversample_plan(jax.random.key(0), [0, 0, 0, 0, 1, 1], 2)
      >>> print(plan)
      [3 0 4 1 4 5 2 5]
    """
    key = one_key(key, labels=labels)
    values, counts = counted_labels(labels, num_classes)
    largest = int(counts.max()) if per_class is None else per_class
    target = targets_per_class(largest, num_classes, filled=counts > 0)
    return planned(key, values, counts, np.where(counts > 0, np.maximum(counts, target), 0))


def balanced_plan(
    key: Array, labels: ArrayLike, num_classes: int, *, per_class: int | ArrayLike
) -> Integer[Array, " num"]:
    """Positions to visit in one epoch: every class cut or raised to `per_class`, in random order.

    Larger classes are cut as by `undersample_plan`, smaller ones raised as by `oversample_plan`:
    every class that has examples has exactly t visits, `per_class`, and each of its examples
    `⌊t / n_c⌋` or `⌈t / n_c⌉`. Of targets per class, 0 leaves a class out.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers in [0, K), `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      num_classes: K.
      per_class: t, a Python int, or integers `[K]`, one per class, which are known on the host.

    Returns:
      int32 positions in [0, N), `[Σ_c t_c]` over the classes that have examples.

    Raises:
      TypeError: `key` is no key, labels or `per_class` are traced or not integers, or `num_classes`
        is not an int.
      ValueError: labels are not `[N]` or lie outside [0, K), `num_classes` or `per_class` is below
        1, or, of targets per class, one is negative, above 0 where a class has no examples, or
        nothing is left, or the plan would have 2³¹ positions or more.

    Example:
      >>> import jax, jimb
      >>> labels = [0, 0, 0, 0, 1, 1]
      >>> plan = jimb.sampling.balanced_plan(jax.random.key(0), labels, 2, per_class=3)
      >>> print(plan)
      [3 4 5 1 4 2]
      >>> plan = jimb.sampling.balanced_plan(jax.random.key(0), labels, 2, per_class=[1, 4])
      >>> print(plan)
      [3 5 4 5 4]
    """
    key = one_key(key, labels=labels)
    values, counts = counted_labels(labels, num_classes)
    target = targets_per_class(per_class, num_classes, filled=counts > 0)
    return planned(key, values, counts, np.where(counts > 0, target, 0))


def label_shuffle_plan(
    key: Array, labels: ArrayLike, num_classes: int, *, as_published: bool = False
) -> Integer[Array, " num"]:
    """Positions to visit in one epoch by label shuffling: every class as often as the largest.

    For every class a random order of the numbers 0 … n_max - 1, taken modulo n_c; all classes
    together, shuffled. Each example of class c thus has `⌊n_max / n_c⌋` or `⌈n_max / n_c⌉` visits.
    As published, those of the extra visit are the first `n_max mod n_c` of the class in every
    epoch. By default the numbers count along a fresh order of the class, which is
    `oversample_plan`.

    Args:
      key: a key from `jax.random.key`; may be traced.
      labels: integers in [0, K), `[N]`: NumPy, a list, or a device array, which is copied to the
        host. Not traced.
      num_classes: K.
      as_published: give the extra visits to the first examples of each class.

    Returns:
      int32 positions in [0, N), `[K'·n_max]` for K' classes that have examples.

    Raises:
      TypeError: `key` is no key, labels are traced or not integers, or `num_classes` is not an int.
      ValueError: labels are not `[N]` or lie outside [0, K), `num_classes` is below 1, or the plan
        would have 2³¹ positions or more.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> labels = [0, 0, 0, 0, 0, 1, 1, 1]
      >>> plan = jimb.sampling.label_shuffle_plan(jax.random.key(0), labels, 2, as_published=True)
      >>> print(jnp.bincount(plan))
      [1 1 1 1 1 2 2 1]

    Reference:
      Zhong et al. (Hikvision), Towards Good Practices for Recognition & Detection, talk at the
      ImageNet challenge workshop, ECCV 2016.
    """
    key = one_key(key, labels=labels)
    values, counts = counted_labels(labels, num_classes)
    targets = np.where(counts > 0, counts.max(), 0)
    return planned(key, values, counts, targets, fresh=not as_published)
