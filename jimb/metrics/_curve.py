"""Positives and negatives above each score, of which all ranking measures are sums.

Scores that are equal are one step of the curve, and what is masked none.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jimb import _pairs
from jimb._pairs import Pair
from jimb._typing import Array, Bool, Float, Integer
from jimb.metrics import _integers
from jimb.metrics._compiled import compiled
from jimb.metrics._fixed_point import Digits, of_ones, of_weights, value
from jimb.metrics._sums import quotient


class Curve(NamedTuple):
    """From the highest score down, `[N]`, of positives and of negatives, weighted.

    `new`: how many the step adds, nothing where there is no step; `after`: all that score as much
    or more; `before`: all that score more.
    """

    new: tuple[Pair, Pair]
    before: tuple[Pair, Pair]
    after: tuple[Pair, Pair]

    @property
    def total(self) -> tuple[Pair, Pair]:
        """All positives, and all negatives."""
        positives, negatives = (_last(pair) for pair in self.after)
        return positives, negatives


@compiled
def of_scores(
    scores: Array, classes: Integer[Array, " N"], weights: Float[Array, " N"] | None = None
) -> Curve:
    """One sort; `classes` are 0, 1, or 2 for what is left out. Scores hold no NaN."""
    operands = (-scores, classes) if weights is None else (-scores, classes, weights)
    key, classes, *rest = jax.lax.sort(operands, num_keys=1, is_stable=False)
    digits = of_weights(rest[0]) if rest else of_ones(classes < 2)
    is_end = jnp.append(key[1:] != key[:-1], True)
    place = jnp.where(is_end, jnp.arange(key.size, dtype=jnp.int32), -1)
    last = jax.lax.cummax(place)
    previous = jnp.append(jnp.int32(-1), last[:-1])
    steps = [_steps(digits, classes == c, is_end, previous) for c in (1, 0)]
    positives, negatives = steps
    return Curve(*zip(positives, negatives, strict=True))


def _steps(
    digits: Digits, ours: Bool[Array, " N"], is_end: Bool[Array, " N"], previous: Array
) -> tuple[Pair, Pair, Pair]:
    own = jnp.where(jnp.expand_dims(ours, -1), digits.digits, 0)
    after = jnp.cumsum(own, axis=0, dtype=jnp.uint32)
    before = after.at[jnp.maximum(previous, 0)].get(mode="promise_in_bounds")
    before = jnp.where(jnp.expand_dims(previous < 0, -1), 0, before)
    new = jnp.where(jnp.expand_dims(is_end, -1), after - before, 0)
    return value(new, digits), value(before, digits), value(after, digits)


@compiled
def of_bins(counts: tuple[Array, Array]) -> Curve:
    """Of counts `[2, B]`, exact integers, negatives in the first row, by ascending score."""
    new = jax.tree.map(lambda x: x[:, ::-1], counts)
    after = jax.lax.associative_scan(_integers.add, new, axis=1)
    before = tuple(jnp.pad(x[:, :-1], ((0, 0), (1, 0))) for x in after)
    halves = [_integers.to_pair((x[0], x[1])) for x in (new, before, after)]
    return Curve(*(((high[1], low[1]), (high[0], low[0])) for high, low in halves))


@compiled
def average_precision(curve: Curve) -> Pair:
    """`Σ new positives · precision / positives`."""
    precision = quotient((curve.after[0], _pairs.add(*curve.after)))
    (total,) = _pairs.sums(_pairs.multiply(curve.new[0], precision))
    return quotient((total, curve.total[0]))


@compiled
def area(curve: Curve) -> Pair:
    """Under the ROC curve: the share of pairs in order, where equal scores are half in order."""
    heights = _pairs.add(curve.before[0], curve.after[0])
    (twice,) = _pairs.sums(_pairs.multiply(curve.new[1], heights))
    return quotient((twice, _twice(_pairs.multiply(*curve.total))))


@compiled
def partial_area(curve: Curve, most: Pair) -> Pair:
    """The area left of a false-positive rate, scaled to ½ by chance and to 1 at best."""
    positives, negatives = curve.total
    limit = _pairs.multiply(most, negatives)
    whole = _at_most(curve.after[1], limit)
    begun = ~_at_most(limit, curve.before[1])
    room = _pairs.subtract(limit, curve.before[1])
    width = _where(whole | (curve.new[1][0] == 0), curve.new[1], _where(begun, room, _zero(room)))
    risen = _pairs.multiply(quotient((width, curve.new[1])), curve.new[0])
    heights = _pairs.add(_twice(curve.before[0]), risen)
    (twice,) = _pairs.sums(_pairs.multiply(width, heights))
    # The area and that by chance, m²/2, both twice, so that nothing is halved at the end.
    under = quotient((twice, _pairs.multiply(positives, negatives)))
    square = _pairs.multiply(most, most)
    room_above = _twice(_pairs.subtract(_twice(most), square))
    above = quotient((_pairs.subtract(under, square), room_above))
    # The constant comes second: of `½ + x - ½` XLA makes x, without the rounding that it is for.
    return _pairs.add(above, (jnp.float32(0.5), jnp.float32(0)))


@compiled
def area_error(curve: Curve) -> Array:
    """At most how far the order inside the steps moves the area: the pairs that it is of, half."""
    (same,) = _pairs.sums(_pairs.multiply(*curve.new))
    return quotient((same, _pairs.multiply(*curve.total)))[0] / 2


@compiled
def precision_error(curve: Curve, value: Pair) -> Array:
    """The same of the average precision, whose `value` has a step as one score.

    At best all negatives of a step lie behind its positives, at worst before the first of them.
    """
    best = quotient((curve.after[0], _pairs.add(curve.after[0], curve.before[1])))
    worst = quotient((curve.before[0], _pairs.add(curve.before[0], curve.after[1])))
    ends = _pairs.sums(*(_pairs.multiply(curve.new[0], end) for end in (best, worst)))
    upper, lower = (quotient((end, curve.total[0])) for end in ends)
    return jnp.maximum(_pairs.subtract(upper, value)[0], _pairs.subtract(value, lower)[0])


def _at_most(a: Pair, b: Pair) -> Bool[Array, "*any"]:
    return (a[0] < b[0]) | ((a[0] == b[0]) & (a[1] <= b[1]))


def _where(condition: Array, this: Pair, that: Pair) -> Pair:
    return jnp.where(condition, this[0], that[0]), jnp.where(condition, this[1], that[1])


def _zero(like: Pair) -> Pair:
    return jnp.zeros_like(like[0]), jnp.zeros_like(like[1])


def _last(pair: Pair) -> Pair:
    return pair[0][-1], pair[1][-1]


def _twice(pair: Pair) -> Pair:
    return 2 * pair[0], 2 * pair[1]
