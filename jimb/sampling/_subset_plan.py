"""Draws without replacement, of which it is known how likely each example is to come."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._layout import replicated
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer, UInt32
from jimb.sampling._capped_counts import capped_counts
from jimb.sampling._fixed_point import running_sum
from jimb.sampling._keys import one_key
from jimb.sampling._repeated import repeated
from jimb.sampling._shuffle import shuffled

_FEW = "num must be at most the number of weights above 0, of which each is drawn once"


def subset_plan(key: Array, weights: ArrayLike, num: int) -> Integer[Array, " num"]:
    r"""Different positions, each drawn with a probability in proportion to its weight.

    Example i is in the plan with probability `π_i = min(1, λ·w_i)`, where λ makes them sum to
    `num`: `num·w_i / Σw`, as long as no example has more than 1; those that would are drawn for
    certain, and the others share what is left. These are exact but for a few units of 2⁻³², and
    `inclusion_probabilities` gives them. Not exact in any simple form is how likely two examples
    are to come together. Equal weights make every subset as likely.

    It is systematic sampling along a random order, where `epoch_plan` goes along that of the data,
    and visits an example of more than 1 expected draw several times. `jax.random.choice(...,
    replace=False, p=w)` draws one after the other instead: for `num` above 1, small weights then
    come more often than in proportion, and large ones less often.

    Args:
      key: a key from `jax.random.key`; may be traced.
      weights: non-negative, one per example, `[N]`; need not be normalised. Weight 0 is never
        drawn.
      num: how many to draw, a Python int, at most the number of weights above 0, which draws all of
        these.

    Returns:
      int32 positions in [0, N), `[num]`, all different and in random order: the same on any number
      of devices. Traced weights that cannot be drawn from (negative, not finite, or too few above
      0) give a plan of N's, outside the data set, and a checkify message.

    Raises:
      TypeError: `key` is no key, weights are not floating point, or `num` is not an int.
      ValueError: weights are not `[N]`, `num` is below 1, or Python or NumPy weights are negative,
        not finite, or of fewer than `num` above 0.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> weights = jnp.array([1.0, 0.0, 9.0, 1.0, 1.0])
      >>> print(jimb.sampling.subset_plan(jax.random.key(0), weights, 3))
      [4 2 3]
      >>> print(jimb.sampling.inclusion_probabilities(weights, 3))
      [0.6666667 0.        1.        0.6666667 0.6666667]

    Reference:
      Hartley and Rao, Sampling with Unequal Probabilities and without Replacement, Ann. Math.
      Statist. 1962.
    """
    key = one_key(key, weights=weights)
    num = _checks.size("num", num)
    table, drawable = _checked(weights, num)
    plan: Array = _drawn(key, *capped_counts(table, num), drawable, num=num)
    return plan


def inclusion_probabilities(weights: ArrayLike, num: int) -> Float[Array, " N"]:
    r"""How likely `subset_plan` is to draw each example, `min(1, λ·w_i)` with `Σ π_i = num`.

    A sum over the drawn with each divided by its probability is right on average over all examples
    (Horvitz and Thompson).

    Args:
      weights: non-negative, one per example, `[N]`; need not be normalised.
      num: how many are drawn, a Python int, at most the number of weights above 0.

    Returns:
      Probabilities `[N]`, multiples of 2⁻³² rounded to float32 (float64 for float64 weights, under
      x64). Traced weights that cannot be drawn from give NaN and a checkify message.

    Raises:
      TypeError: weights are not floating point, or `num` is not an int.
      ValueError: weights are not `[N]`, `num` is below 1, or Python or NumPy weights are negative,
        not finite, or of fewer than `num` above 0.

    Example:
      >>> import jimb
      >>> print(jimb.sampling.inclusion_probabilities([1.0, 2.0, 3.0, 10.0], 2))
      [0.16666667 0.33333334 0.5        1.        ]

    Reference:
      Horvitz and Thompson, A Generalization of Sampling Without Replacement from a Finite Universe,
      JASA 1952.
    """
    num = _checks.size("num", num)
    table, drawable = _checked(weights, num)
    whole, fraction = capped_counts(table, num)
    dtype = jnp.asarray(table).dtype
    shares = whole.astype(dtype) + fraction.astype(dtype) * 2.0**-32
    return jnp.where(drawable, shares, jnp.nan)


def _checked(weights: ArrayLike, num: int) -> tuple[Float[Array, " N"] | np.ndarray, Array]:
    """Weights and whether they can be drawn from; host weights stay NumPy float64."""
    checked = replicated(_checks.example_weights(weights))
    if _checks.on_host(weights):
        table = np.asarray(weights, np.float64)
        if np.sum(table > 0) < num:
            raise ValueError(f"{_FEW}, got {num} and {np.sum(table > 0)} of {table.size} weights.")
        return table, jnp.bool_(True)
    enough = report(jnp.sum(checked > 0) >= num, _FEW + ".")
    finite = jnp.all(jnp.isfinite(checked))
    return jnp.where(finite, checked, 0), finite & enough


@jax.jit(static_argnames="num")  # a caller without jit compiles it once
def _drawn(
    key: Array,
    whole: Integer[Array, " N"],
    fraction: UInt32[Array, " N"],
    drawable: Bool[Array, ""],
    *,
    num: int,
) -> Integer[Array, " num"]:
    """The plan of these probabilities; of N's if they are not drawable."""
    size = whole.shape[0]

    def drawn() -> Array:
        along_key, offset_key, order_key = jax.random.split(key, 3)
        order = shuffled(along_key, jnp.arange(size, dtype=jnp.int32))
        once, part = (x.at[order].get(mode="promise_in_bounds") for x in (whole, fraction))
        phase = jax.random.bits(offset_key, dtype=jnp.uint32) + running_sum(part)
        visits = once + (phase < part).astype(jnp.int32)  # the phase has wrapped around
        places = repeated(visits, num)
        return shuffled(order_key, order.at[places].get(mode="promise_in_bounds"))

    none = jnp.full(num, size, jnp.int32)
    plan: Array = jax.lax.cond(drawable, drawn, lambda: none)
    return plan
