"""Epoch plans: which positions of the data set to visit, drawn from per-example weights."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._layout import replicated
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer, UInt32
from jimb.sampling._fixed_point import expected_counts, running_sum
from jimb.sampling._keys import one_key
from jimb.sampling._repeated import repeated
from jimb.sampling._shuffle import shuffled

_MOST_VISITS = 16  # of an example on average, unless the caller confirms how many there are


def epoch_plan(
    key: Array, weights: ArrayLike, num: int, *, num_examples: int | None = None
) -> Integer[Array, " num"]:
    r"""Positions to visit in one epoch, each about in proportion to its weight, in random order.

    Systematic sampling: with expected counts `c_i = num·w_i / Σw` laid end to end and one random
    offset, example i is visited `n_i = ⌊c_i⌋` or `⌈c_i⌉` times, `Σ n_i = num`, and `E[n_i] = c_i`
    but for a few units of 2⁻³². This has less variance than independent draws; equal weights with
    `num = N` visit each example exactly once. The arithmetic is fixed-point, and the same on any
    number of devices: the plan is a global object, and host h of H reads `plan[h::H]`.

    Args:
      key: a key from `jax.random.key`.
      weights: non-negative, one per example, `[N]`, not all 0; need not be normalised. Weight 0 is
        never visited. Class weights become example weights by `jimb.take_class(weights, labels)`.
      num: the length of the plan, a Python int below 2³¹.
      num_examples: N, which `weights` must then have. Without it a plan of more than 16 visits for
        each weight is refused: that is how class weights look.

    Returns:
      int32 positions in [0, N), `[num]`. Traced weights that cannot be drawn from (negative, not
      finite, or all 0) give a plan of N's, outside the data set, and a checkify message.

    Raises:
      TypeError: `key` is no key, weights are not floating point, or `num` is not an int.
      ValueError: weights are not `[N]` or look like class weights, `num` is out of range, or Python
        or NumPy weights are negative, not finite or all 0.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> plan = jimb.sampling.epoch_plan(jax.random.key(0), jnp.array([1.0, 0.0, 3.0]), 8)
      >>> print(jnp.bincount(plan, length=3))
      [2 0 6]

    Reference:
      Madow and Madow, On the Theory of Systematic Sampling, Ann. Math. Statist. 1944.
    """
    key = one_key(key, weights=weights)
    num = _checks.size("num", num)
    table, drawable = _checked_weights(weights)
    _refuse_class_weights(table.shape[0], num, num_examples)
    counts = expected_counts(table, num)
    plan: Array = _plan(key, *counts, drawable, num=num)
    return plan


@jax.jit(static_argnames="num")  # else a caller without jit would compile its loop at each call
def _plan(
    key: Array,
    whole: Integer[Array, " N"],
    fraction: UInt32[Array, " N"],
    drawable: Bool[Array, ""],
    *,
    num: int,
) -> Integer[Array, " num"]:
    """The plan of these expected counts; of N's if they are not drawable."""

    def drawn() -> Array:
        offset_key, order_key = jax.random.split(key)
        phase = jax.random.bits(offset_key, dtype=jnp.uint32) + running_sum(fraction)
        visits = whole + (phase < fraction).astype(jnp.int32)  # the phase has wrapped around
        return shuffled(order_key, repeated(visits, num))

    # A branch, not a selection: XLA hands it numbers that are computed once. Fused into all that
    # follows, the expected counts would be computed several times.
    none = jnp.full(num, whole.shape[0], jnp.int32)
    plan: Array = jax.lax.cond(drawable, drawn, lambda: none)
    return plan


def _refuse_class_weights(size: int, num: int, num_examples: int | None) -> None:
    advice = "class weights become example weights by jimb.take_class(weights, labels)"
    if num_examples is None:
        if num > _MOST_VISITS * size:
            raise ValueError(
                f"weights are of {size} examples, and a plan of {num} would visit each about "
                f"{num // size} times; {advice}. If it is meant, pass num_examples={size}."
            )
    elif _checks.size("num_examples", num_examples) != size:
        raise ValueError(
            f"weights must be one per example, [{num_examples}], got [{size}]; {advice}."
        )


def _checked_weights(weights: ArrayLike) -> tuple[Float[Array, " N"] | np.ndarray, Array]:
    """Weights and whether they can be drawn from; host weights stay NumPy float64."""
    checked = replicated(_checks.example_weights(weights))
    if _checks.on_host(weights):
        table = np.asarray(weights, np.float64)
        if not table.any():
            raise ValueError(
                "weights are all 0: there is nothing to draw; give some example weight."
            )
        return table, jnp.bool_(True)
    some = jnp.any(checked > 0)
    some = report(some, "weights must not be all 0: there is nothing to draw.")
    return checked, jnp.all(jnp.isfinite(checked)) & some
