"""Weights and odds of the examples with a label against those without it."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jimb._class_numbers import checked, checked_counts, namespace, per_class, result_dtype
from jimb._fractions import not_fractions
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float

_LARGEST = float(np.finfo(np.float32).max)
_TOO_MANY = "counts must be at most num_examples, the number of examples"


def balanced_pos_weight(
    counts: ArrayLike, num_examples: ArrayLike, *, allow_empty: bool = False
) -> Float[Array, " K"]:
    r"""The `pos_weight` that weighs the positives of a class like its negatives, `(N - n) / n`.

    For `sigmoid_cross_entropy_loss(..., pos_weight=...)`: the positive terms of each class then
    weigh as much as the negative ones, N - n. Weights of rare classes are large;
    `jnp.minimum(w, 100)` and `w ** 0.5` are milder. Probabilities grow with the weight, and
    `sigmoid_cross_entropy_loss` shows how to take it out after training.

    Args:
      counts: examples with each label, `[K]`, as `multi_hot_counts` gives them; non-negative.
      num_examples: N, a scalar, or one per class `[K]` where labels are partly unknown. Not the sum
        of the counts, if an example may have several labels, or none.
      allow_empty: give a class without positives, or without negatives, weight 0 instead of
        raising.

    Returns:
      Weights `[K]`, float32 (float64 under x64). Python and NumPy input is computed in float64.

    Raises:
      ValueError: counts are not `[K]`, are negative, fractions or not finite, more than
        `num_examples`, or, on the host and unless `allow_empty`, 0 or all of the examples. Traced:
        an empty class gets weight 0 and a checkify message; wrong numbers give NaN and a message.

    Example:
      >>> import jimb
      >>> labels = [[1, 0], [1, 1], [0, 0], [0, 0]]
      >>> print(jimb.balanced_pos_weight(jimb.multi_hot_counts(labels), len(labels)))
      [1. 3.]
    """
    xp, n, rest = positives_and_negatives(counts, num_examples, allow_empty=allow_empty)
    if xp is np and not allow_empty and (rest == 0).any():
        raise ValueError(
            f"counts has all examples in class {np.flatnonzero(rest == 0)[0]}: there is nothing to "
            "balance; leave such classes out, or pass allow_empty=True (their weight is 0)."
        )
    return jnp.asarray(xp.where(n > 0, rest / xp.where(n > 0, n, 1), 0 * n), result_dtype(n))


def positives_and_negatives(
    counts: ArrayLike, num_examples: ArrayLike, *, allow_empty: bool
) -> tuple[Any, Any, Any]:
    """NumPy or JAX, `n` and `N - n` of each class; NaN where traced counts are more than N."""
    xp, counts, num_examples = namespace(counts, "num_examples", num_examples)
    n = checked_counts(not_fractions(counts), xp, allow_empty)
    total = checked("num_examples", num_examples, 0.0, _LARGEST, xp)
    total = per_class("num_examples", total, n, xp) + 0 * n
    rest = total - n
    if xp is np:
        if (rest < 0).any():
            c = np.flatnonzero(rest < 0)[0]
            raise ValueError(f"{_TOO_MANY}, got {n[c]:g} of {total[c]:g} in class {c}.")
        return xp, n, rest
    if _fits_int(counts) and _fits_int(num_examples):
        # Of integers exactly, where float32 has lost the last digits of both.
        few = jnp.asarray(num_examples, int) - jnp.asarray(counts, int)
        rest = jnp.where(jnp.isnan(rest), rest, few.astype(n.dtype))
    fits = report(~(rest < 0), _TOO_MANY + ".")
    return xp, jnp.where(fits, n, jnp.nan), jnp.where(fits, rest, jnp.nan)


def _fits_int(numbers: Any) -> bool:
    """Whether JAX takes these numbers for integers, and changes none of them."""
    if not jnp.issubdtype(numbers.dtype, jnp.integer):
        return False
    if isinstance(numbers, np.ndarray):
        return bool(np.all(numbers <= np.iinfo(jnp.zeros((), int).dtype).max))
    return bool(jnp.issubdtype(numbers.dtype, jnp.signedinteger))
