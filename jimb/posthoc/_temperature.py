"""One number by which all logits are divided, so that probabilities are frequencies."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._notice import noticed
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.posthoc._validation import Validation, validation

_MOST_STEPS = 100  # bisection alone takes 60 in float64
_AT_THE_END = (
    "the temperature is at an end of [low, high]: at low, if the data are separated by the logits, "
    "whose likelihood then rises as T falls to 0; at high, if the logits say nothing of the labels."
)

Slopes = Callable[[Array], tuple[Array, Array]]


def fit_temperature(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    sigmoid: bool = False,
    low: ArrayLike = 1e-3,
    high: ArrayLike = 1e3,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Float[Array, ""]:
    r"""The temperature T of `softmax(z / T)` with the highest likelihood on validation data.

    `argmin_T Σ_i w_i (-log softmax(z_i / T)_{y_i})`, which is convex in `1 / T`. T > 1 makes a
    model less sure, T < 1 surer; no prediction changes, for the order of the classes stays. Apply
    it by `logits / T`. Class weights and balanced draws shift classes against each other, which one
    number does not bring back: `fit_vector_scaling` does.

    The likelihood is highest at an end of `[low, high]` where the logits separate the data, each
    label the largest of its row (T falls to `low`), and where they are no better than equal ones (T
    rises to `high`); a checkify message says so. Where T does not matter, it is 1: all logits
    equal, one class, nothing left by the mask.

    Args:
      logits: of data that was not trained on, `[..., K]`, floating point; with `sigmoid` any shape.
        A class of -inf is out.
      labels: integers `[...]`; with `sigmoid` 0 and 1, integers or booleans, in the shape of
        logits.
      sigmoid: each logit is a question of its own, and `sigmoid(z / T)` its probability: two
        classes in one logit, or several labels per example, which share T.
      low: the smallest T > 0, a scalar; may be traced.
      high: the largest T, a scalar of at least `low`; may be traced.
      weights: of examples, non-negative, floating point, of the shape of labels; 0 leaves one out.
      where: booleans of the shape of labels; False leaves an example out, whatever it holds.

    Returns:
      T, a float32 scalar (float64 of float64 logits), within 1e-6 of its value as the exact
      minimum; without a gradient. NaN, with a checkify message, if a logit that counts is NaN, inf
      or beyond 1e15, or -inf at its label. On a mesh all logits are gathered on every device.

    Raises:
      TypeError: logits or weights are not floating point, labels are not integers, or `where` is
        not boolean.
      ValueError: shapes do not fit, `high` is below `low`, `low` is not above 0, or Python or NumPy
        labels lie outside [0, K), or weights are negative or not finite, unmasked. Traced, such a
        label is dropped, such a number gives NaN, with a checkify message.

    Example:
      A model that is 88 % sure, and right three times of four:

      >>> import jax, jax.numpy as jnp, jimb
      >>> logits = jnp.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
      >>> t = jimb.posthoc.fit_temperature(logits, jnp.array([0, 0, 0, 1]))
      >>> print(f"{t:.4f}", jax.nn.softmax(logits / t)[0].round(4))
      1.8205 [0.75 0.25]

      The same in one logit:

      >>> t = jimb.posthoc.fit_temperature(logits[:, 0], [1, 1, 1, 0], sigmoid=True)
      >>> print(f"{t:.4f}")
      1.8205

    Reference:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    data = validation(logits, labels, weights, where, sigmoid=sigmoid)
    dtype = data.logits.dtype
    ends = tuple(
        _checks.scalar(name, value, 0.0, dtype=dtype, exclusive=True)
        for name, value in (("low", low), ("high", high))
    )
    if _checks.on_host(low, high) and not np.asarray(low) <= np.asarray(high):
        raise ValueError(f"high must be at least low, got {high} and {low}.")
    known = data.known & report(ends[0] <= ends[1], "low and high must be numbers in this order.")
    first, last = (jnp.where(known, end, 1) for end in ends)
    found, inside = _temperature(data, first, last)
    found = noticed(found, _AT_THE_END, lambda inside: inside, inside=inside)
    return jnp.where(known, found, jnp.nan)


@jax.jit
def _temperature(data: Validation, first: Array, last: Array) -> tuple[Array, Bool[Array, ""]]:
    """And whether it lies between the ends, or does not matter."""
    slopes, matters = _slopes(data)
    inside, inverse = _root(slopes, 1 / last, 1 / first)
    end = jnp.where(inverse == 1 / first, first, last)
    temperature = jnp.where(inside, 1 / inverse, jnp.where(matters, end, 1))
    return jnp.clip(temperature, first, last), inside | ~matters


def _slopes(data: Validation) -> tuple[Slopes, Bool[Array, ""]]:
    """The first and second derivative of the mean loss by `1 / T`; and whether T matters at all."""
    u = data.logits - _labels.at_label(data.logits, data.labels)
    u = jnp.where(data.out, 0, u)
    # Of logits less that of the label: the mean of u under p, and its variance.
    top = jnp.max(u, axis=-1, keepdims=True, initial=0)
    weights = data.weights / jnp.maximum(jnp.max(data.weights, initial=0), 1e-30)
    weights = weights / jnp.maximum(jnp.sum(weights), 1e-30)

    def slopes(beta: Array) -> tuple[Array, Array]:
        e = jnp.where(data.out, 0, jnp.exp(beta * (u - top)))
        total = jnp.sum(e, axis=-1)
        total = jnp.where(total == 0, 1, total)  # of a row that does not count
        mean = jnp.sum(e * u, axis=-1) / total
        spread = u - jnp.expand_dims(mean, -1)
        variance = jnp.sum(e * spread * spread, axis=-1) / total
        return jnp.sum(weights * mean), jnp.sum(weights * variance)

    return slopes, jnp.any((u != 0) & jnp.expand_dims(data.weights > 0, -1))


class _Search(NamedTuple):
    """Where the slope is negative, positive, and where it is looked at next; the last step."""

    left: Array
    right: Array
    at: Array
    step: Array
    number: Array


def _root(slopes: Slopes, left: Array, right: Array) -> tuple[Bool[Array, ""], Float[Array, ""]]:
    """Where a rising slope is 0, by Newton's steps inside of a bracket; else the end next to it.

    Steps are in the logarithm, and halve the bracket where Newton's would leave it, or does not
    shorten the last one by half.
    """
    inside = (slopes(left)[0] < 0) & (slopes(right)[0] > 0)
    near = jnp.where(slopes(right)[0] <= 0, right, left)
    enough = np.finfo(left.dtype).eps ** 0.75

    def unfinished(s: _Search) -> Any:
        return inside & (jnp.abs(s.step) > enough) & (s.number < _MOST_STEPS)

    def next_step(s: _Search) -> _Search:
        slope, curvature = slopes(s.at)
        left = jnp.where(slope < 0, s.at, s.left)
        right = jnp.where(slope < 0, s.right, s.at)
        newton = -slope / jnp.where(curvature > 0, curvature * s.at, 1)
        target = s.at * jnp.exp(jnp.clip(newton, -30, 30))
        trusted = (curvature > 0) & (jnp.abs(newton) <= jnp.abs(s.step) / 2)
        trusted &= (target >= left) & (target <= right)
        halved = jnp.sqrt(left) * jnp.sqrt(right)
        at = jnp.where(trusted, target, halved)
        step = jnp.where(trusted, newton, jnp.log(right / left) / 2)
        return _Search(left, right, at, step, s.number + 1)

    start = jnp.clip(jnp.ones_like(left), left, right)
    begun = _Search(left, right, start, jnp.log(right / left), jnp.int32(0))
    found: _Search = jax.lax.while_loop(unfinished, next_step, begun)
    return inside, jnp.where(inside, found.at, near)
