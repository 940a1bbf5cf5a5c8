"""What the measures read of a confusion matrix: exact sums, and quotients rounded once."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jimb import _checks, _pairs
from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float, Integer
from jimb.metrics import _integers
from jimb.metrics._confusion import ConfusionState
from jimb.metrics._integers import Wide


class Tally(NamedTuple):
    """Of each class, `[K]`: examples, predictions, and those that are both; and the total.

    `counted` is false where a count is negative, that is, went beyond int32.
    """

    hits: Wide
    examples: Wide
    predictions: Wide
    total: Wide
    counted: Bool[Array, ""]


def cells(state: ConfusionState) -> Integer[Array, "K K"]:
    """The counts, int32; a state may have been made from another library's matrix."""
    counts = state.counts
    if _checks.on_host(counts):
        host = np.asarray(counts)
        if not np.issubdtype(host.dtype, np.integer):
            raise TypeError(f"state.counts must be integers, got {host.dtype}{list(host.shape)}.")
        if np.any((host < 0) | (host >= 2**31)):
            raise ValueError("state.counts must lie in [0, 2**31).")
        counts = jnp.asarray(host.astype(np.int32))
    if counts.dtype != jnp.int32:
        raise TypeError(f"state.counts must be int32, got {_checks.describe(counts)}; cast it.")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"state.counts must be [K, K], got {_checks.describe(counts)}.")
    return counts


def tally(state: ConfusionState) -> Tally:
    """The sums of one state."""
    counts = cells(state)
    wide = _integers.widen(counts)
    examples = _integers.total(wide, 1)
    return Tally(
        _integers.widen(jnp.diagonal(counts)),
        examples,
        _integers.total(wide, 0),
        _integers.total(examples, 0),
        jnp.all(counts >= 0),
    )


def some(x: Wide) -> Bool[Array, "*any"]:
    """Where it is above 0."""
    return (x[0] | x[1]) != 0


def recalls(t: Tally) -> Pair:
    """Per class; NaN without examples."""
    return ratio(t.hits, t.examples)


def ratio(part: Wide, whole: Wide) -> Pair:
    """`part / whole`; NaN where the whole is 0."""
    return divide(_integers.to_pair(part), _integers.to_pair(whole))


def divide(a: Pair, b: Pair) -> Pair:
    """`a / b`; NaN where b is 0."""
    nothing = b[0] == 0
    high, low = _pairs.multiply(a, _pairs.reciprocal((jnp.where(nothing, 1, b[0]), b[1])))
    return jnp.where(nothing, jnp.nan, high), jnp.where(nothing, 0, low)


def mean(values: Pair, where: Bool[Array, " K"]) -> Pair:
    """The mean over some classes; NaN over none."""
    ((high, low),) = _pairs.sums((jnp.where(where, values[0], 0), jnp.where(where, values[1], 0)))
    number = jnp.sum(where).astype(jnp.float32)
    return divide((high, low), (number, jnp.zeros_like(number)))


def rounded(t: Tally, value: Pair) -> Float[Array, "*any"]:
    """The number, once a float32; NaN where the counts are not those of anything."""
    return jnp.where(t.counted, value[0], jnp.nan)
