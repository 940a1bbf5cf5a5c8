"""A message about traced numbers that changes none of them."""

from collections.abc import Callable

import jax.numpy as jnp

from jimb._report import report
from jimb._typing import Array


def noticed(array: Array, message: str, check: Callable[..., Array], **values: Array) -> Array:
    """`array` itself; use the result, or the message is lost.

    Under `checkify`, an error with this message where `check(**values)` is not true throughout.
    Without it this costs nothing: what is selected by is a constant.
    """
    ok = report(jnp.ones((), jnp.int32) == 1, message, check=check, **values)
    return jnp.where(ok, array, jnp.zeros((), array.dtype))
