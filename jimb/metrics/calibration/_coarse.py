"""What is read of sums by fine bins of confidence: those of fewer bins, and their errors."""

import jax
import jax.numpy as jnp

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array, Float
from jimb.metrics._sums import quotient

Points = tuple[Float[Array, " M"], Float[Array, " M"], Float[Array, " M"]]


@jax.jit(static_argnums=1)
def measures(sums: Pair, m: int) -> tuple[Array, ...]:
    """ECE and MCE of one width, ECE of one weight and its error, Brier score."""
    weight, confidence, right, _ = _rows(_grouped(sums, m))
    gap = _absolute(_pairs.subtract(right, confidence))
    (total,) = _pairs.sums(weight)
    (missed,) = _pairs.sums(gap)
    (brier,) = _pairs.sums(_rows(sums)[3])
    by_mass, error = _equal_mass(sums, total, m)
    found = (
        quotient((missed, total))[0],
        jnp.max(quotient((gap, weight))[0]),
        by_mass,
        error,
        quotient((brier, total))[0],
    )
    return tuple(jnp.where(total[0] > 0, x, jnp.nan) for x in found)


@jax.jit(static_argnums=1)
def by_width(sums: Pair, m: int) -> Points:
    """Confidence, accuracy and weight of each bin."""
    weight, confidence, right, _ = _rows(_grouped(sums, m))
    means = (quotient((part, weight))[0] for part in (confidence, right))
    first, second = (jnp.where(weight[0] > 0, mean, jnp.nan) for mean in means)
    return first, second, weight[0]


@jax.jit(static_argnums=1)
def by_mass(sums: Pair, m: int) -> Points:
    """The same of bins of one weight."""
    weight, confidence, right, _ = _rows(sums)
    (total,) = _pairs.sums(weight)
    cuts = _cuts(weight, total, m)
    # Shares, but for what a difference of two sums is rounded by.
    first, second = (
        jnp.clip(_between(part, total, cuts) * m, 0, 1) for part in (confidence, right)
    )
    nothing = jnp.where(total[0] > 0, 0, jnp.nan)
    each = jnp.broadcast_to(total[0] / m, first.shape)
    return first + nothing, second + nothing, each


def _rows(sums: Pair) -> list[Pair]:
    return [(sums[0][i], sums[1][i]) for i in range(4)]


def _grouped(sums: Pair, m: int) -> Pair:
    """`[4, M]` of `[4, B]`."""
    high, low = (part.reshape(4, m, -1) for part in sums)
    (grouped,) = _pairs.sums((high, low))
    return grouped


def _absolute(x: Pair) -> Pair:
    sign = jnp.where(x[0] < 0, -1, 1).astype(x[0].dtype)
    return sign * x[0], sign * x[1]


Cuts = tuple[Array, Array, Array]
"""At which fine bin each cut is, which part of the bin lies below it, and the bin's share."""


def _equal_mass(sums: Pair, total: Pair, m: int) -> tuple[Array, Array]:
    weight, confidence, right, _ = _rows(sums)
    cuts = _cuts(weight, total, m)
    gap = _between(_pairs.subtract(right, confidence), total, cuts)
    _, part, share = cuts
    apart = share * part * (1 - part) * (1 + 1 / weight[0].size)
    error = 2 * jnp.sum(apart) * (1 + 2.0**-20) + m * 2.0**-21  # what float32 rounds off shares
    return jnp.sum(jnp.abs(gap)), error


def _so_far(values: Pair, total: Pair) -> Float[Array, " B1"]:
    """The sums of all bins below each end, over the total."""
    so_far = jax.lax.associative_scan(_pairs.add, values)
    share = quotient((so_far, total))[0]
    return jnp.pad(share, (1, 0))


def _cuts(weight: Pair, total: Pair, m: int) -> Cuts:
    share = _so_far(weight, total)
    at = jnp.arange(m + 1, dtype=share.dtype) / m
    end = jnp.clip(jnp.searchsorted(share, at, side="right"), 1, share.size - 1)
    below = share.at[end - 1].get(mode="clip")
    width = share.at[end].get(mode="clip") - below
    part = jnp.clip((at - below) / jnp.where(width > 0, width, 1), 0, 1)
    return end, jnp.where(width > 0, part, 0), width


def _between(values: Pair, total: Pair, cuts: Cuts) -> Float[Array, " M"]:
    """The sums between cuts, over the total: each bin lies in proportion on both sides of one."""
    end, part, _ = cuts
    so_far = _so_far(values, total)
    below, above = (so_far.at[i].get(mode="clip") for i in (end - 1, end))
    reached = below + part * (above - below)
    return reached[1:] - reached[:-1]
