"""Shape annotations: jaxtyping's where it is installed (the test extra), bare arrays elsewhere."""

from typing import TYPE_CHECKING, Any

import jax.typing
from jax import Array

ArrayLike = jax.typing.ArrayLike | list[Any] | tuple[Any, ...]

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
