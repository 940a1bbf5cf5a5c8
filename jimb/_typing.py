"""Shape annotations: jaxtyping's where it is installed (the test extra), bare arrays elsewhere."""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import jax.typing
from jax import Array


@runtime_checkable
class HostArray(Protocol):
    """What NumPy makes an array of: a column of a table, a tensor of another library."""

    def __array__(self) -> Any: ...


ArrayLike = jax.typing.ArrayLike | list[Any] | tuple[Any, ...] | HostArray

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer, UInt32
else:
    try:
        from jaxtyping import Bool, Float, Integer, UInt32
    except ModuleNotFoundError:

        class _Shaped:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Integer = UInt32 = _Shaped

__all__ = ["Array", "ArrayLike", "Bool", "Float", "Integer", "UInt32"]
