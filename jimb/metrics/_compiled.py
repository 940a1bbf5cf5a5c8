"""One program for many operations, also for a caller without jit."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """`jax.jit`, which keeps the types."""
    return cast(Function, jax.jit(function))
