"""Shares of the classes, given where numbers of examples are meant."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._report import report


def not_fractions(counts: Any) -> Any:
    """The counts, where their scale matters: ValueError for shares of the classes.

    Traced shares become NaN, with a checkify message.
    """
    sentence = "counts must be numbers of examples, got fractions that sum to 1"
    n = _checks.real("counts", counts)
    if _checks.on_host(n):
        if n.size and _are_fractions(np.asarray(n, np.float64)):
            raise ValueError(f"{sentence}: multiply them by the size of the training set.")
    elif jnp.issubdtype(n.dtype, jnp.floating):
        n = jnp.where(report(~_are_fractions(n), sentence + "."), n, jnp.nan)
    return n


def _are_fractions(n: Any) -> Any:
    return (abs(n.sum() - 1) < 1e-3) & (n < 1).all()
