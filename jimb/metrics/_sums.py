"""What the measures read of a state: exact sums, and quotients rounded once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jimb import _clock, _pairs
from jimb._clock import Wide
from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float
from jimb.metrics import _integers
from jimb.metrics._compiled import compiled
from jimb.metrics._confusion import matrix
from jimb.metrics._tally import TallyState, num_classes_of
from jimb.metrics._weighted import WeightedConfusionState, WeightedTallyState

Fraction = tuple[Pair, Pair]

_MOST = 2.0**55  # more than 2⁵³, because it is compared to a rounded sum


class Totals(NamedTuple):
    """Of each class, `[K]`: examples, predictions, and those that are both; and the total.

    `counted` is false where a count is lost, or all together are beyond what the sums hold.
    """

    hits: Wide
    examples: Wide
    predictions: Wide
    total: Wide
    counted: Bool[Array, ""]


def cells(state: Any) -> tuple[Wide, Bool[Array, ""]]:
    """The counts `[K, K]` of what should be a confusion, and whether they are what was counted."""
    if isinstance(state, WeightedConfusionState):
        num_classes_of("state", state)
        return _in_units(state)
    matrix("state", state)
    return _exact(state)


def totals(state: Any) -> Totals:
    """The sums of one state."""
    if isinstance(state, TallyState):
        return _of_tally(state)
    if isinstance(state, WeightedTallyState):
        return _of_weighted_tally(state)
    return _of_cells(*cells(state))


@compiled
def _of_cells(exact: Wide, counted: Bool[Array, ""]) -> Totals:
    hits = jnp.diagonal(exact[0]), jnp.diagonal(exact[1])
    examples = _integers.total(exact, 1)
    total = _integers.total(examples, 0)
    return Totals(hits, examples, _integers.total(exact, 0), total, counted)


def _of_tally(state: TallyState) -> Totals:
    num_classes_of("state", state)
    (hits, hit), (examples, labelled), (predictions, predicted) = map(_exact, state)
    total = _integers.total(examples, 0)
    return Totals(hits, examples, predictions, total, hit & labelled & predicted)


def _of_weighted_tally(state: WeightedTallyState) -> Totals:
    num_classes_of("state", state)
    (high, low), known = _in_units(state)
    hits, examples, predictions = ((high[i], low[i]) for i in range(3))
    return Totals(hits, examples, predictions, _integers.total(examples, 0), known)


@compiled
def _in_units(weighted: Any) -> tuple[Wide, Bool[Array, ""]]:
    """Sums of weights as integers, all together about 2⁵², and whether they are known."""
    high, low = map(jnp.asarray, weighted)
    known = jnp.all(jnp.isfinite(high)) & jnp.all(jnp.isfinite(low)) & jnp.all(high >= 0)
    high, low = (jnp.where(known, x, 0) for x in (high, low))
    largest = _exponent(jnp.max(high))
    shift = 52 - largest - _exponent(jnp.sum(jnp.ldexp(high, -largest)))
    return _integers.from_pair((jnp.ldexp(high, shift), jnp.ldexp(low, shift))), known


def _exponent(x: Float[Array, ""]) -> Array:
    return jnp.frexp(x)[1].astype(jnp.int32)


@compiled
def _exact(hands: Any) -> tuple[Wide, Bool[Array, ""]]:
    """The counts, and whether all are known and few enough for their sums."""
    exact, held = _clock.wide(*map(jnp.asarray, hands))
    few = jnp.sum(jnp.where(held, hands[1], 0)) <= _MOST
    return exact, jnp.all(held) & few


def some(x: Wide) -> Bool[Array, "*any"]:
    """Where it is above 0."""
    return (x[0] | x[1]) != 0


def share(part: Wide, whole: Wide) -> Fraction:
    """`part / whole`."""
    return _integers.to_pair(part), _integers.to_pair(whole)


@compiled
def mean(values: Pair, where: Bool[Array, " K"]) -> Fraction:
    """The mean over some classes."""
    (total,) = _pairs.sums((jnp.where(where, values[0], 0), jnp.where(where, values[1], 0)))
    number = jnp.sum(where, dtype=jnp.uint32)
    return total, _integers.to_pair((jnp.zeros_like(number), number))


@compiled
def quotient(fraction: Fraction) -> Pair:
    """`a / b` for b ≥ 0, by one step from the rounded one; 0 where b is 0."""
    a, b = fraction
    nothing = b[0] == 0
    divisor = jnp.where(nothing, 1, b[0])
    guess = jnp.where(nothing, 0, a[0] / divisor)
    high, low = _pairs.product(guess, divisor)
    rest = ((a[0] - high) - low) + (a[1] - _pairs._rounded(guess * b[1]))
    return _pairs.two_sum(guess, jnp.where(nothing, 0, rest / divisor))


def quotients(*fractions: Fraction) -> list[Pair]:
    """All at once, which is one division for the compiler."""
    high, low = quotient(jax.tree.map(lambda *parts: jnp.stack(parts), *fractions))
    return list(zip(high, low, strict=True))


def rounded(t: Totals, value: Pair, *, of: Wide) -> Float[Array, "*any"]:
    """The number, once a float32; NaN where there is nothing it is of, or counts are lost."""
    return jnp.where(t.counted & some(of), value[0], jnp.nan)
