"""New examples between two of the same class, in a batch on the device."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jimb import _checks, _labels
from jimb._layout import replicated
from jimb._numerics import compute_dtype
from jimb._typing import Array, ArrayLike, Bool, Float, Integer
from jimb.sampling._class_order import by_class
from jimb.sampling._keys import one_key

Examples = TypeVar("Examples")


def interpolate_within_class(
    key: Array, examples: Examples, labels: ArrayLike, *, where: ArrayLike | None = None
) -> Examples:
    r"""Each example moved towards another of its class in the batch: `x + u·(x' - x)`.

    u is uniform in [0, 1), one number for all of an example. x' is a random other example of the
    class; no two examples have the same one. An example alone in its class stays as it is. Labels
    do not change. SMOTE, with its neighbour drawn from the batch: among all of the class, not among
    the nearest.

    Args:
      key: a key from `jax.random.key`.
      examples: a pytree of floating-point arrays `[B, ...]`.
      labels: integers, `[B]`.
      where: booleans `[B]`; an example that is out stays as it is, and no other moves towards it.

    Returns:
      A pytree of the same structure, shapes and dtypes, differentiable by `examples`. Half
      precision is computed in float32. An example with a negative label stays as it is.

    Raises:
      TypeError: an array is not floating point, labels are not integers, or `where` is not boolean.
      ValueError: labels are not `[B]`, the shapes do not begin with B, or there are no arrays.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> x, labels = jnp.array([0.0, 100.0, 200.0, 300.0, 400.0]), jnp.array([0, 0, 1, 1, 2])
      >>> print(jimb.sampling.interpolate_within_class(jax.random.key(0), x, labels).round())
      [  1.  98. 258. 264. 400.]

    Reference:
      Chawla et al., SMOTE: Synthetic Minority Over-sampling Technique, JAIR 2002.
    """
    key = one_key(key, labels=labels, examples=examples)
    if not jax.tree.leaves(examples):
        raise ValueError("examples hold no array; pass an array or a pytree of arrays.")
    safe, kept = _labels_and_kept(labels, where)
    partner_key, step_key = jax.random.split(key)
    partner = _partners(partner_key, replicated(safe), replicated(kept))
    u = jax.random.uniform(step_key, safe.shape, jnp.float32)

    def moved(path: Any, leaf: Any) -> Array:
        name = "examples" + jax.tree_util.keystr(path)
        x = _checks.floating(name, leaf)
        if x.shape[:1] != safe.shape:
            raise ValueError(
                f"{name} must hold one example per label along its first axis, "
                f"[{safe.shape[0]}, ...], got {_checks.describe(x)}."
            )
        return _moved(x, _laid_out_like(x, partner), _laid_out_like(x, u))

    result: Examples = jax.tree_util.tree_map_with_path(moved, examples)
    return result


def _labels_and_kept(
    labels: ArrayLike, where: ArrayLike | None
) -> tuple[Integer[Array, " B"], Bool[Array, " B"]]:
    array = _checks.integer("labels", labels)
    _checks.one_per_example("labels", array, "B")
    safe, valid = _labels.in_range(array, 2**31 - 1)
    mask = _checks.mask(where, array.shape, "labels")
    return safe, valid if mask is None else valid & mask


def _partners(
    key: Array, labels: Integer[Array, " B"], kept: Bool[Array, " B"]
) -> Integer[Array, " B"]:
    """For each row another of its class, or itself: the next in a random circle of the class."""
    classes, members = by_class(key, jnp.where(kept, labels, -1))
    places = jnp.arange(classes.shape[0], dtype=jnp.int32)
    first = classes != jnp.roll(classes, 1)
    first = first.at[:1].set(True)
    begins = jax.lax.cummax(jnp.where(first, places, 0))
    last = jnp.roll(first, -1)
    following = members.at[jnp.where(last, begins, places + 1)].get(mode="clip")
    partner = jnp.zeros_like(places).at[members].set(following, unique_indices=True)
    return jnp.where(kept, partner, places)


def _laid_out_like(x: Array, per_row: Array) -> Array:
    """One number per row, over an Explicit mesh as the rows of `x`: a selection demands it."""
    sharding = jax.typeof(x).sharding
    if not any(sharding.spec):
        return per_row
    rows: Array = jax.sharding.reshard(
        per_row, sharding.update(spec=PartitionSpec(sharding.spec[0]))
    )
    return rows


def _moved(
    x: Float[Array, "B ..."], partner: Integer[Array, " B"], u: Float[Array, " B"]
) -> Float[Array, "B ..."]:
    rows = x.shape[0]
    column = (rows,) + (1,) * (x.ndim - 1)
    # Plain indexing raises on a batch sharded over an Explicit mesh axis.
    other = x.at[partner].get(mode="promise_in_bounds", out_sharding=jax.typeof(x).sharding)
    wide = compute_dtype(x)
    start = x.astype(wide)
    step = u.astype(wide).reshape(column) * (other.astype(wide) - start)
    alone = partner == jnp.arange(rows, dtype=jnp.int32)
    return jnp.where(alone.reshape(column), x, (start + step).astype(x.dtype))
