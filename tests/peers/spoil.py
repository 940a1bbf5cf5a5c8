"""Wrong answers, to find out whether a test looks at what jimb gives it."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.peers.calls import CALLS


def spoiled(answer):
    """NaN, then another number, and so on: two answers of one test are not wrong in one way."""
    CALLS.answers += 1
    return jax.tree.map(_wrong, answer)


def _wrong(x):
    if hasattr(x, "detach"):  # a tensor of PyTorch
        return x.new_tensor(_wrong(x.detach().numpy()))
    if isinstance(x, bool) or not isinstance(x, int | float | np.ndarray | np.generic | jax.Array):
        return x
    if isinstance(x, int | float):
        return type(x)(_wrong(np.asarray(x)))
    xp = jnp if isinstance(x, jax.Array) else np
    if xp.issubdtype(x.dtype, np.integer):
        return x + x.dtype.type(CALLS.answers)
    if not xp.issubdtype(x.dtype, np.floating):
        return x
    wrong = (
        xp.full_like(x, np.nan) if CALLS.answers % 2 else x * x.dtype.type(1.5) + x.dtype.type(0.25)
    )
    return wrong.astype(x.dtype)


def fewer_rows(tables):
    """For samplers, whose tables hold anything."""
    return tuple(x[:-1] for x in tables)
