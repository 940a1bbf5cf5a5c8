"""One scale and one bias per class, so that probabilities are frequencies."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

from jimb import _checks, _labels
from jimb._exports import exported
from jimb._notice import noticed
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.posthoc._validation import Validation, validation

_MOST_STEPS = 100
_MOST_HALVINGS = 30
_NOT_SETTLED = (
    "scales and biases had not settled after 100 steps: with l2=0 they have no end where the "
    "logits separate the data, or a class has no example; take a larger l2."
)


@exported
class VectorScaling(NamedTuple):
    """What `fit_vector_scaling` found, for `scale_logits(logits, scales, biases=biases)`.

    Attributes:
      scales: one per class, `[K]`.
      biases: one per class, `[K]`.
    """

    scales: Float[Array, " K"]
    biases: Float[Array, " K"]


def fit_vector_scaling(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    biases_only: bool = False,
    l2: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> VectorScaling:
    r"""Scales and biases of `softmax(s z + b)` with the highest likelihood on validation data.

    `argmin Σ_i w_i (-log softmax(s z_i + b)_{y_i}) + ½ l2 (‖s - 1‖² + ‖b‖²)`, which is convex. The
    biases bring back the frequencies of the classes, which class weights, balanced draws and the
    prior-shift losses move; the scales how sure the model is of each.

    Args:
      logits: of data that was not trained on, `[..., K]`, floating point. A class of -inf is out.
      labels: integers `[...]`.
      biases_only: all scales stay 1.
      l2: how much it takes to leave the logits as they are, in examples, whatever their number; a
        scalar ≥ 0, may be traced. It holds the numbers of a class that has few examples, or none,
        or is separated from all others. With 0, as published, those have no end.
      weights: of examples, non-negative, floating point, of the shape of labels; 0 leaves one out.
      where: booleans of the shape of labels; False leaves an example out, whatever it holds.

    Returns:
      `VectorScaling`, float32 (float64 of float64 logits), within 2e-5 of the exact minimum for
      logits below ten or so; without a gradient. The biases sum to 0; scales are 1 and biases 0
      where no example is left. NaN, with a checkify message, if a logit that counts is NaN, inf or
      beyond 1e15, or -inf at its label. The memory is that of the logits, a few times, and of 4 K²
      numbers, for Newton's steps, on every device of a mesh.

    Raises:
      TypeError: logits or weights are not floating point, labels are not integers, or `where` is
        not boolean.
      ValueError: shapes do not fit, `l2` is negative, or Python or NumPy labels lie outside [0, K),
        or weights are negative or not finite, unmasked. Traced, such a label is dropped, such a
        number gives NaN, with a checkify message. One says, too, where 100 steps were not enough.

    Example:
      Class 1 is one of four, to a model that takes the classes for even:

      >>> import jax, jax.numpy as jnp, jimb
      >>> logits, labels = jnp.zeros((8, 2)), jnp.array([0, 0, 0, 1, 0, 0, 1, 0])
      >>> fit = jimb.posthoc.fit_vector_scaling(logits, labels, l2=0.0)
      >>> scaled = jimb.posthoc.scale_logits(logits, fit.scales, biases=fit.biases)
      >>> print(jax.nn.softmax(scaled)[0].round(4))
      [0.75 0.25]

    Reference:
      Guo et al., On Calibration of Modern Neural Networks, ICML 2017, without `l2`.
    """
    data = validation(logits, labels, weights, where)
    strength = _checks.scalar("l2", l2, 0.0, dtype=data.logits.dtype)
    known = data.known & ~jnp.isnan(strength)
    found, settled = _minimum(_problem(data, jnp.where(known, strength, 1), biases_only))
    found = jnp.where(known, found, jnp.nan)
    found = noticed(found, _NOT_SETTLED, lambda settled: settled, settled=settled)
    scales = jnp.ones_like(found[0]) if biases_only else 1 + found[0]
    return VectorScaling(jnp.where(known, scales, jnp.nan), found[-1])


class _Problem(NamedTuple):
    """Logits are `z + Σ_p x_p basis_p`, and x is what is looked for: 0 leaves them as they are."""

    data: Validation
    basis: Float[Array, "P N K"]
    l2: Float[Array, ""]


def _problem(data: Validation, l2: Array, biases_only: bool) -> _Problem:
    """Weights and l2 are over the largest of them."""
    unit = jnp.maximum(jnp.max(data.weights, initial=0), l2)
    unit = jnp.where(unit == 0, 1, unit)
    ones = jnp.ones_like(data.logits)
    basis = jnp.stack([ones] if biases_only else [data.logits, ones])
    return _Problem(data._replace(weights=data.weights / unit), basis, l2 / unit)


def _value(of: _Problem, x: Float[Array, "P K"]) -> tuple[Array, Float[Array, "N K"]]:
    """What is to be least, and the probabilities; 0 where a class is out."""
    z = of.data.logits + jnp.sum(x[:, None] * of.basis, axis=0)
    u = jnp.where(of.data.out, 0, z - _labels.at_label(z, of.data.labels))
    top = jnp.max(u, axis=-1, keepdims=True, initial=0)
    e = jnp.where(of.data.out, 0, jnp.exp(u - top))
    total = jnp.sum(e, axis=-1, keepdims=True)
    total = jnp.where(total == 0, 1, total)  # of a row that does not count
    losses = (top + jnp.log(total))[:, 0]
    return jnp.sum(of.data.weights * losses) + of.l2 / 2 * jnp.sum(x * x), e / total


def _step(of: _Problem, x: Array, p: Array) -> tuple[Float[Array, "P K"], Float[Array, ""]]:
    """Newton's, and the slope along it."""
    w = jnp.expand_dims(of.data.weights, -1)
    off = w * (p - _labels.one_hot(of.data.labels, p).astype(p.dtype))
    gradient = jnp.sum(off[None] * of.basis, axis=1) + of.l2 * x
    rows = jnp.moveaxis((jnp.sqrt(w) * p)[None] * of.basis, 1, 0).reshape(-1, x.size)
    outer = jnp.matmul(rows.T, rows, precision=jax.lax.Precision.HIGHEST)
    own = jnp.sum((w * p)[None, None] * of.basis[:, None] * of.basis[None], axis=2)  # [P, P, K]
    size, classes = x.size, jnp.eye(p.shape[-1], dtype=x.dtype)
    within = jnp.einsum("pqc,cd->pcqd", own, classes, precision=jax.lax.Precision.HIGHEST)
    hessian = within.reshape(size, size) - outer + of.l2 * jnp.eye(size, dtype=x.dtype)
    # Of equal diagonal, and a little more of it: biases may all move together.
    diagonal = jnp.maximum(jnp.diagonal(hessian), 0)
    scale = jnp.where(diagonal > 0, 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1)), 0)
    even = hessian * scale[:, None] * scale[None] * (1 - jnp.eye(size, dtype=x.dtype))
    even = even + (1 + 16 * np.finfo(x.dtype).eps * size) * jnp.eye(size, dtype=x.dtype)
    flat = gradient.ravel() * scale
    solved = jax.scipy.linalg.solve(even, flat, assume_a="pos")
    solved = jnp.where(jnp.all(jnp.isfinite(solved)), solved, flat)
    step = -(solved * scale).reshape(x.shape)
    # What all biases have in common changes no probability; rounding would, slowly, move it.
    step = step.at[-1].add(-jnp.mean(step[-1]))
    return step, jnp.sum(gradient * step)


class _Descent(NamedTuple):
    x: Array
    moved: Array
    number: Array


@jax.jit
def _minimum(of: _Problem) -> tuple[Float[Array, "P K"], Bool[Array, ""]]:
    """By Newton's steps, halved until they descend; and whether they became small."""
    start = jnp.zeros((of.basis.shape[0], of.basis.shape[-1]), of.basis.dtype)
    enough = np.finfo(start.dtype).eps ** 0.75
    noise = 16 * np.finfo(start.dtype).eps

    def unfinished(s: _Descent) -> Any:
        return (s.moved > enough) & (s.number < _MOST_STEPS)

    def next_step(s: _Descent) -> _Descent:
        value, p = _value(of, s.x)
        step, slope = _step(of, s.x, p)

        def too_long(tried: Any) -> Any:
            length, number = tried
            allowed = value + 1e-4 * length * slope + noise * jnp.abs(value)
            return (_value(of, s.x + length * step)[0] > allowed) & (number < _MOST_HALVINGS)

        begun = jnp.ones_like(value), jnp.int32(0)
        length, _ = jax.lax.while_loop(too_long, lambda t: (t[0] / 2, t[1] + 1), begun)
        x = s.x + length * step
        moved = jnp.max(jnp.abs(length * step)) / (1 + jnp.max(jnp.abs(x)))
        return _Descent(x, moved, s.number + 1)

    begun = _Descent(start, jnp.ones((), start.dtype), jnp.int32(0))
    found: _Descent = jax.lax.while_loop(unfinished, next_step, begun)
    return found.x, found.moved <= enough
