"""All that may stand in the place of an array of logits."""

from typing import TYPE_CHECKING, TypeAlias

from jimb._typing import Array, ArrayLike
from jimb.heads._divided_logits import DividedLogits
from jimb.heads._linear_logits import LinearLogits

if TYPE_CHECKING:
    Head: TypeAlias = LinearLogits | DividedLogits
    Logits: TypeAlias = Array | Head
    LogitsLike: TypeAlias = ArrayLike | Head
else:
    Head = LinearLogits | DividedLogits

    class _Kinds(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, (*cls.of, LinearLogits, DividedLogits))

    class Logits(metaclass=_Kinds):
        """A JAX array of logits `[..., K]`, `LinearLogits` or `DividedLogits`."""

        of = (Array,)

    class LogitsLike(metaclass=_Kinds):
        """An array of logits `[..., K]` (JAX's, NumPy's, a list), or a head in its place.

        A class in the place of the union, so that a signature shows one name and not ten.
        """

        of = (ArrayLike,)


__all__ = ["Head", "Logits", "LogitsLike"]
