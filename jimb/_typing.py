"""Annotations: plain arrays to type checkers, shapes for the tests, short names in signatures."""

import typing
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import jax.typing
from jax import Array


@runtime_checkable
class HostArray(Protocol):
    """What NumPy makes an array of: a column of a table, a tensor of another library."""

    def __array__(self) -> Any: ...


@runtime_checkable
class Typed(Protocol):
    """What has the type of an array: an array, or logits that are not stored."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...


if TYPE_CHECKING:  # `Float[Array, "B K"]` is `Array`, whether jaxtyping is installed or not
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Integer
    from typing import Annotated as UInt32

    ArrayLike: TypeAlias = jax.typing.ArrayLike | list[Any] | tuple[Any, ...] | HostArray
else:
    try:
        from jaxtyping import Bool, Float, Integer, UInt32
    except ModuleNotFoundError:

        class _Shaped:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Integer = UInt32 = _Shaped

    _KINDS = (*typing.get_args(jax.typing.ArrayLike), list, tuple, HostArray)

    class _Kinds(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _KINDS)

    class ArrayLike(metaclass=_Kinds):
        """A JAX or NumPy array, a number, a list or tuple, or what NumPy makes an array of.

        A class in the place of the union, so that a signature shows one name and not ten.
        """


__all__ = ["Array", "ArrayLike", "Bool", "Float", "Integer", "Typed", "UInt32"]
