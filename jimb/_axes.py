"""The named axes over which a batch is spread, and what JAX knows of them."""

from collections.abc import Hashable, Sequence
from typing import Any

import jax

from jimb._typing import Array

Names = tuple[Hashable, ...]


def mapped(axis_name: Hashable | Sequence[Hashable] | None) -> Names:
    """The names as a tuple; ValueError for a name over which nothing is mapped here."""
    if axis_name is None:
        return ()
    names = tuple(axis_name) if isinstance(axis_name, tuple | list) else (axis_name,)
    for name in names:
        try:
            jax.lax.axis_index(name)
        except (NameError, KeyError):
            raise ValueError(
                f"axis_name must name an axis of the jax.shard_map around this call, got {name!r}; "
                "leave it out under jax.jit alone, where a batch split over devices is one array."
            ) from None
    return names


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


def _varying(x: Array) -> frozenset[Any]:
    kind: Any = jax.typeof(x)
    varying: frozenset[Any] = kind.mat.varying if hasattr(kind, "mat") else kind.vma
    return varying
