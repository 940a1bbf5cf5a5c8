"""The named axes over which a batch is spread, and what JAX knows of them."""

import functools
from collections.abc import Hashable, Sequence
from typing import Any

import jax

from jimb._typing import Array

Names = tuple[Hashable, ...]


def names_of(axis_name: Hashable | Sequence[Hashable] | None) -> Names:
    """One name, several or none as a tuple; so is an entry of a `PartitionSpec`."""
    if axis_name is None:
        return ()
    return tuple(axis_name) if isinstance(axis_name, tuple | list) else (axis_name,)


def is_mapped(name: Hashable) -> bool:
    """Whether this is inside the `jax.shard_map`, `jax.pmap` or `jax.vmap` of an axis."""
    try:
        jax.lax.axis_size(name)
    except (NameError, KeyError):
        return False
    return True


def mapped(axis_name: Hashable | Sequence[Hashable] | None) -> Names:
    """The names as a tuple; ValueError for a name over which nothing is mapped here."""
    names = names_of(axis_name)
    for name in names:
        if not is_mapped(name):
            raise ValueError(
                f"axis_name must name an axis of the jax.shard_map around this call, got {name!r}; "
                "leave it out under jax.jit alone, where a batch split over devices is one array."
            )
    return names


def if_mapped(axis_name: Hashable | Sequence[Hashable] | None) -> Names:
    """The names, if all of them are mapped here; else none."""
    names = names_of(axis_name)
    return names if all(map(is_mapped, names)) else ()


def untold(names: Names) -> Names:
    """The axes of which JAX does not say what varies over them.

    Those of `jax.pmap` and `jax.vmap`, and of `jax.shard_map` with `check_vma=False`.
    """
    return tuple(name for name in names if name not in _varying(jax.lax.axis_index(name)))


def shared_out(x: Array, names: Names) -> Names:
    """The axes over which the shares of `x` are to be summed: it varies, or JAX does not say."""
    unclear, varying = untold(names), _varying(x)
    return tuple(name for name in names if name in varying or name in unclear)


def summed(shares: Any, names: Names) -> Any:
    """The sums of all arrays of a tree over these axes."""
    return jax.lax.psum(shares, names) if names else shares


def together(arrays: Any, names: Names) -> Any:
    """A tree of arrays of which each varies over all axes that one does, and over these."""
    leaves = jax.tree.leaves(arrays)
    told = frozenset(names) - frozenset(untold(names))
    wanted = told.union(*map(_varying, leaves))
    return jax.tree.map(lambda x: _cast(x, wanted - _varying(x)), arrays)


def entering(x: Array, names: Names) -> Array:
    """`x`, of which each device uses a part: its gradient is the sum of theirs."""
    if not names:
        return x
    unclear = untold(names)
    told = frozenset(names) - frozenset(unclear) - _varying(x)
    return _summed_back(_cast(x, told), unclear) if unclear else _cast(x, told)


def own_share(table: Array, names: Names, size: int) -> Array:
    """Of a table that all devices have, the part that this one needs."""
    return jax.lax.dynamic_slice_in_dim(table, jax.lax.axis_index(names) * size, size)


def summed_once(shares: Any, names: Names) -> Any:
    """`summed`, of which each device uses the sum alike: the gradient is not summed once more."""
    unclear = untold(names)
    summed_up = jax.lax.psum(shares, tuple(n for n in names if n not in unclear))
    return _summed_forward(summed_up, unclear) if unclear else summed_up


def _cast(x: Array, names: frozenset[Hashable]) -> Array:
    return jax.lax.pcast(x, tuple(sorted(names, key=str)), to="varying") if names else x


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _summed_back(x: Array, names: Names) -> Array:
    return x


def _summed_back_forward(x: Array, names: Names) -> tuple[Array, None]:
    return x, None


def _summed_back_backward(names: Names, _: None, cotangent: Array) -> tuple[Array]:
    return (jax.lax.psum(cotangent, names),)


_summed_back.defvjp(_summed_back_forward, _summed_back_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _summed_forward(x: Any, names: Names) -> Any:
    return jax.lax.psum(x, names)


def _summed_forward_forward(x: Any, names: Names) -> tuple[Any, None]:
    return _summed_forward(x, names), None


def _summed_forward_backward(names: Names, _: None, cotangent: Any) -> tuple[Any]:
    return (cotangent,)


_summed_forward.defvjp(_summed_forward_forward, _summed_forward_backward)


def _varying(x: Array) -> frozenset[Any]:
    kind: Any = jax.typeof(x)
    varying: frozenset[Any] = kind.mat.varying if hasattr(kind, "mat") else kind.vma
    return varying
