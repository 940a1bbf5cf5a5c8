"""States that travel: what `jax.export` needs in order to serialize functions of them."""

import contextlib
from typing import TypeVar

import jax.export

State = TypeVar("State", bound=type)


def exported(state: State) -> State:
    """Makes a NamedTuple known to `jax.export`, by its name."""
    with contextlib.suppress(ValueError):  # known already: its module is imported a second time
        jax.export.register_namedtuple_serialization(
            state, serialized_name=f"jimb.{state.__name__}"
        )
    return state
