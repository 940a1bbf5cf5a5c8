"""A plan of known visits to each class.

Class c of n_c examples is to have t_c visits, known on the host. Each of its examples then has
`⌊t_c / n_c⌋`, and `t_c mod n_c` of them, a random subset, one more; or all are independent draws.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jimb._typing import Array, Integer
from jimb.sampling._class_order import by_class
from jimb.sampling._repeated import repeated
from jimb.sampling._shuffle import shuffled


def planned(
    key: Array, labels: np.ndarray, counts: np.ndarray, targets: np.ndarray, *, fresh: bool = True
) -> Integer[Array, " num"]:
    """The plan of `targets[c]` visits to class c; `fresh` chooses anew who has an extra one."""
    num = _length(targets)
    begins = np.cumsum(counts) - counts
    times, extra = np.divmod(targets, np.maximum(counts, 1))
    tables = (table.astype(np.int32) for table in (begins, times, extra))
    plan: Array = _drawn(key, labels, *tables, num=num, fresh=fresh)
    return plan


@jax.jit(static_argnames=("num", "fresh"))  # a caller without jit compiles it once
def _drawn(
    key: Array,
    labels: Integer[Array, " N"] | np.ndarray,
    begins: Integer[Array, " K"] | np.ndarray,
    times: Integer[Array, " K"] | np.ndarray,
    extra: Integer[Array, " K"] | np.ndarray,
    *,
    num: int,
    fresh: bool,
) -> Integer[Array, " num"]:
    """Everyone in a class `times` times, and the first `extra` in its order once more."""
    class_key, order_key = jax.random.split(key)
    classes, members = by_class(class_key if fresh else None, jnp.asarray(labels))
    begins, times, extra = (
        jnp.asarray(x).at[classes].get(mode="promise_in_bounds") for x in (begins, times, extra)
    )
    rank = jnp.arange(classes.shape[0], dtype=jnp.int32) - begins
    visits = times + (rank < extra).astype(jnp.int32)
    return shuffled(order_key, members.at[repeated(visits, num)].get(mode="promise_in_bounds"))


def drawn_again(
    key: Array, labels: np.ndarray, counts: np.ndarray, targets: np.ndarray
) -> Integer[Array, " num"]:
    """`targets[c]` independent visits to class c; each example once if that is all of them."""
    begins = np.cumsum(counts) - counts
    tables = (table.astype(np.int32) for table in (begins, counts, targets))
    plan: Array = _independent(key, labels, *tables, num=_length(targets))
    return plan


@jax.jit(static_argnames="num")  # a caller without jit compiles it once
def _independent(
    key: Array,
    labels: Integer[Array, " N"] | np.ndarray,
    begins: Integer[Array, " K"] | np.ndarray,
    counts: Integer[Array, " K"] | np.ndarray,
    targets: Integer[Array, " K"] | np.ndarray,
    *,
    num: int,
) -> Integer[Array, " num"]:
    draw_key, order_key = jax.random.split(key)
    _, members = by_class(None, jnp.asarray(labels))
    targets = jnp.asarray(targets)
    classes = repeated(targets, num)
    begin, size, target, start = (
        jnp.asarray(x).at[classes].get(mode="promise_in_bounds")
        for x in (begins, counts, targets, jnp.cumsum(targets, dtype=jnp.int32) - targets)
    )
    rank = jnp.arange(num, dtype=jnp.int32) - start
    drawn = jax.random.randint(draw_key, (num,), 0, size, jnp.int32)
    places = begin + jnp.where(target < size, drawn, rank)
    return shuffled(order_key, members.at[places].get(mode="promise_in_bounds"))


def _length(targets: np.ndarray) -> int:
    num = int(targets.sum())
    if not 0 < num < 2**31:
        raise ValueError(
            f"the plan would have {num} positions, and must have from 1 to 2**31 - 1; set "
            "per_class, of undersample_plan, oversample_plan or balanced_plan."
        )
    return num
