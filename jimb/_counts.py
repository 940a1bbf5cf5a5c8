"""The counts of classes as a state."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from jimb import _checks, _clock
from jimb._exports import exported
from jimb._typing import Array, Float, Integer


class _Fields(NamedTuple):
    wrapped: Integer[Array, " K"]
    rough: Float[Array, " K"]


@exported
class CountState(_clock.Hands, _Fields):
    """Class counts as sums, exact up to 2⁵³: `compute` and `to_numpy` read them.

    `CountState(counts)` makes one of counts that are known. States add up leaf by leaf, under
    `jax.lax.psum` too, as long as n of them hold no more than 2⁵⁵ / n labels of a class.

    Attributes:
      wrapped: int32 `[K]`, the counts modulo 2³².
      rough: float32 `[K]`, the counts rounded; NaN, for good, beyond 2⁵³.
    """

    __slots__ = ()
    __module__ = "jimb.counting"  # where it is public; the measures, which are below, hold it too

    def __new__(cls, wrapped: Any, rough: Any = None) -> "CountState":
        """Both hands; the second may be left out where `wrapped` are plain counts."""
        return super().__new__(cls, *_clock.hands(wrapped, rough))


def empty(num_classes: int) -> CountState:
    """Counts of nothing yet."""
    k = _checks.size("num_classes", num_classes)
    return CountState(jnp.zeros(k, jnp.int32), jnp.zeros(k, jnp.float32))


def hands(name: str, state: Any) -> tuple[Any, Any]:
    """The leaves of a state of both hands, of any shape."""
    if not isinstance(state, _clock.Hands):
        raise TypeError(
            f"{name} must be a CountState, got {_checks.named(state)}; CountState(counts) makes "
            "one of counts that are known, update(init(K), labels) of labels."
        )
    leaves: Any = state
    wrapped, rough = leaves
    if getattr(wrapped, "dtype", None) != jnp.int32 or getattr(rough, "dtype", None) != jnp.float32:
        raise TypeError(f"{name} must hold integers, got {_checks.named(wrapped)}.")
    return wrapped, rough


def per_class(name: str, state: Any) -> Any:
    """The hand that is exact, `[K]`."""
    wrapped, _ = hands(name, state)
    if wrapped.ndim != 1 or wrapped.shape[0] == 0:
        raise ValueError(f"{name} must be of counts [K], got {_checks.describe(wrapped)}.")
    return wrapped
