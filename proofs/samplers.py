"""How often each sampler visits each example on average, computed instead of drawn.

A sampler turns random numbers of a few bits into positions. Here all of these numbers are gone
through, so that its mean visits, and what it can never visit, are known exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jimb.sampling._fixed_point import expected_counts

KINDS = ("uniform", "lognormal", "six decades")
_UNIT = 2**32


def weights_of(kind: str, num_examples: int, seed: int) -> np.ndarray:
    """float32 weights `[N]` of one of `KINDS`."""
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        return np.full(num_examples, 0.1, np.float32)
    if kind == "lognormal":
        return rng.lognormal(0, 2, num_examples).astype(np.float32)
    return (10 ** rng.uniform(-6, 0, num_examples)).astype(np.float32)


def probabilities(weights: np.ndarray) -> np.ndarray:
    """The weights as a float64 distribution."""
    wide = weights.astype(np.float64)
    return wide / wide.sum()


def rarest_tenth(expected: np.ndarray) -> np.ndarray:
    """Positions of the tenth of the examples with the smallest expectations."""
    return np.argsort(expected, kind="stable")[: len(expected) // 10]


class FixedPoint(NamedTuple):
    """Expected visits as `epoch_plan` holds them: `whole + 2⁻³² fraction`."""

    whole: np.ndarray  # int64
    fraction: np.ndarray  # int64, in [0, 2³²)


def fixed_point(weights: np.ndarray, num: int) -> FixedPoint:
    """The plan's expectations from float32 weights, as on a device."""
    whole, fraction = expected_counts(jnp.asarray(weights), num)
    return FixedPoint(np.asarray(whole).astype(np.int64), np.asarray(fraction).astype(np.int64))


def offset_of(key: Array) -> int:
    """The one random number of a plan's visits, uniform over the 2³² that there are."""
    offset_key, _ = jax.random.split(key)
    return int(jax.random.bits(offset_key, dtype=jnp.uint32))


def visits_at(counts: FixedPoint, offset: int) -> np.ndarray:
    """The plan's visits `[N]` for one offset."""
    phase = (offset + np.cumsum(counts.fraction)) % _UNIT
    return counts.whole + (phase < counts.fraction)


def plan_means(counts: FixedPoint, *, offsets: int = _UNIT) -> np.ndarray:
    """Mean of `visits_at` over an even grid of offsets, a power of two of them; all if left out.

    Example i takes its extra visit for the offsets in `[-S_i, -S_i + fraction)` modulo 2³², where
    S is the running sum: as many points of the grid as multiples of its spacing lie there.
    """
    spacing = _UNIT // offsets
    begins = -np.cumsum(counts.fraction) % _UNIT
    ends = begins + counts.fraction
    hits = -(-ends // spacing) - -(-begins // spacing)
    return counts.whole + hits / offsets


def choice_table(p: np.ndarray) -> np.ndarray:
    """What `jax.random.choice` returns for each of its 2²³ random numbers, in float32.

    It compares `total · (1 - u)` with the running sum of p, and u is a multiple of 2⁻²³.
    """
    running = jnp.cumsum(jnp.asarray(p, jnp.float32))
    above = jnp.arange(1, 2**23 + 1, dtype=jnp.int32).astype(jnp.float32) * np.float32(2.0**-23)
    return np.asarray(jnp.searchsorted(running, running[-1] * above))


def choice_from(table: np.ndarray, key: Array, num: int) -> np.ndarray:
    """The positions that `jax.random.choice(key, …)` draws, looked up."""
    u = np.asarray(jax.random.uniform(key, (num,)))
    above = (1 - u) * np.float32(2**23)
    return table[above.astype(np.int64) - 1]


def choice_means(table: np.ndarray, num_examples: int, num: int) -> np.ndarray:
    """Mean visits `[N]` of `num` draws."""
    return num * (np.bincount(table, minlength=num_examples) / 2**23)


def numpy_means(p: np.ndarray, num: int) -> np.ndarray:
    """Mean visits `[N]` of `num` draws by `Generator.choice`, whose u is a multiple of 2⁻⁵³."""
    running = np.cumsum(p)
    below = np.ceil(np.ldexp(running / running[-1], 53))  # how many u lie below the running sum
    return num * (np.diff(below, prepend=0) / 2.0**53)
