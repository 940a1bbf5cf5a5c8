"""Predictions under another class prior than that of the training."""

from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float
from jimb.heads._head import Head, Logits, LogitsLike
from jimb.heads._read import class_logits, shifted
from jimb.posthoc._host import rounded, widened

_LARGEST = float(np.finfo(np.float32).max)
_NONE = -1e30  # the logarithm of 0, but no alarm to `jax_debug_infs`


def move_threshold(probabilities: ArrayLike, counts: ArrayLike) -> Bool[Array, "*batch"]:
    r"""Which examples are positive where the threshold is the prior, `p / (1 - p) > n₊ / n₋`.

    The same as `p > n₊ / (n₊ + n₋)`, which is how it is computed. It decides as a model trained on
    as many positives as negatives would by one half.

    Args:
      probabilities: p, of the positive class, any shape.
      counts: `[2]`, the examples of the negative class 0 and of the positive class 1 in the stream
        that the model was trained on.

    Returns:
      Booleans of the shape of probabilities. The threshold is rounded to the precision of p, which
      is that of NumPy for NumPy or Python p (also float64), and float32 for half precision. A p
      equal to it is not positive.

    Raises:
      TypeError: probabilities are not floating point.
      ValueError: counts are not `[2]`, are negative or have an empty class, or probabilities lie
        outside [0, 1]. Traced, a wrong number leaves a checkify message and gives False.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.posthoc.move_threshold(jnp.array([0.05, 0.2, 0.6]), [900, 100]))
      [False  True  True]

    Reference:
      Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001; Buda et al., A Systematic Study
      of the Class Imbalance Problem in Convolutional Neural Networks, Neural Networks 2018.
    """
    p = _checks.probabilities(probabilities)
    counts = _checks.per_class("counts", counts)
    n = _checks.bounded("counts", counts, 0.0, _LARGEST, dtype=p.dtype)
    if n.shape != (2,):
        raise ValueError(f"counts must be [2], negatives and positives, got {list(n.shape)}.")
    if _checks.on_host(counts) and 0 in np.asarray(counts):
        raise ValueError(f"counts must have examples of both classes, got {counts}.")
    n = jnp.where(report(n != 0, "counts must have examples of both classes."), n, jnp.nan)
    if _checks.on_host(counts):
        exact = _share(np.asarray(counts, np.float64))
        if not _checks.on_host(probabilities):
            return p > jnp.asarray(exact, p.dtype)
        own = widened(probabilities)
        return jnp.asarray(own > exact.astype(own.dtype))
    if _checks.on_host(probabilities):
        p = jnp.asarray(rounded(widened(probabilities), p.dtype, "up"))
    positive: Array = p > _share(n)
    return positive


def _share(n: Any) -> Any:
    """That of the second of two; halved, because their sum may overflow."""
    half = n * 0.5
    return half[1] / (half[0] + half[1])


def correct_prior(
    probabilities: ArrayLike, train_prior: ArrayLike, target_prior: ArrayLike
) -> Float[Array, "*batch K"]:
    r"""Probabilities under another class prior, `p_c · π'_c / π_c`, normalised.

    Right where the classes themselves look the same in training and in use, and only their
    frequencies differ. After training with resampling or class weights, π is the prior of what the
    loss saw: of the drawn examples, weighted (`w_c n_c` normalised), not of the data set.

    Args:
      probabilities: p, `[..., K]`, with any positive sum.
      train_prior: π, `[K]`, summing to 1. A class with π_c = 0 is out: probability 0.
      target_prior: π', `[K]`, summing to 1; 0 takes a class out.

    Returns:
      Probabilities `[..., K]` that sum to 1, in the dtype of probabilities; half precision is
      computed in float32. A row with nothing left, whose classes are all out or have p = 0, is NaN,
      with a checkify message.

    Raises:
      TypeError: probabilities are not floating point.
      ValueError: shapes do not fit, probabilities lie outside [0, 1], or a prior is no distribution
        (traced: NaN and a checkify message).

    Example:
      A model trained on even classes, used where one example in ten is positive:

      >>> import jax.numpy as jnp, jimb
      >>> p = jnp.array([[0.5, 0.5], [0.1, 0.9]])
      >>> print(jimb.posthoc.correct_prior(p, [0.5, 0.5], [0.9, 0.1]))
      [[0.9 0.1]
       [0.5 0.5]]

    Reference:
      Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities, Neural
      Computation 2002; Elkan, IJCAI 2001.
    """
    p = _checks.probabilities(probabilities)
    if p.ndim == 0 or p.shape[-1] == 0:
        raise ValueError(
            f"probabilities need a last axis of at least one class, [..., K], got "
            f"{_checks.describe(p)}; for the p of a positive class pass [1 - p, p]."
        )
    source = _checks.distribution("train_prior", train_prior, p)
    target = _checks.distribution("target_prior", target_prior, p)
    out = source == 0
    ratio = _row(jnp.where(out, 0, target / jnp.where(out, 1, source)), p)
    products = p * ratio
    total = jnp.sum(products, axis=-1, keepdims=True)
    # Where the products leave the range of float32, through their logarithms.
    alive = ~(p <= 0) & (ratio > 0)
    logs = jnp.log(jnp.where(alive, p, 1)) + jnp.log(jnp.where(ratio > 0, ratio, 1))
    logs = jnp.where(alive, logs, _NONE)
    left = jnp.any(alive, axis=-1, keepdims=True)
    left = report(left, "a row of probabilities has nothing left where both priors are above 0.")
    fits = (total > 1e-20) & (total < 1e20)
    corrected = jnp.where(
        fits,
        products / jnp.where(fits, total, 1),
        jax.nn.softmax(jnp.where(left, logs, jnp.nan), axis=-1),
    )
    return corrected.astype(_checks.floating("probabilities", probabilities).dtype)


@overload
def adjust_logits(logits: Head, prior: ArrayLike, *, tau: ArrayLike = 1.0) -> Head: ...


@overload
def adjust_logits(logits: ArrayLike, prior: ArrayLike, *, tau: ArrayLike = 1.0) -> Array: ...


def adjust_logits(logits: LogitsLike, prior: ArrayLike, *, tau: ArrayLike = 1.0) -> Logits:
    r"""Logits of a trained model with the prior taken out, `z - τ log π`.

    τ = 1 is `correct_prior` to the uniform prior. Not for a model trained by `logit_adjusted_loss`
    or `balanced_softmax_loss`, whose logits are without the prior already.

    Args:
      logits: `[..., K]`, floating point, `LinearLogits` or `DividedLogits`.
      prior: π, the class frequencies that the training drew, `[K]`, summing to 1. A class with
        π = 0 is out if τ > 0: -inf.
      tau: τ ≥ 0, a scalar; may be traced. 0 leaves the logits as they are, to the bit. Choose it on
        validation data, by `choose`.

    Returns:
      Logits `[..., K]`, in the dtype of logits; half precision is computed in float32, and rounded.
      `LinearLogits` of `LinearLogits`, with another bias; `DividedLogits` likewise.

    Raises:
      TypeError: logits are not floating point.
      ValueError: shapes do not fit, τ < 0, or the prior is no distribution (traced: NaN and a
        checkify message).

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.posthoc.adjust_logits(jnp.array([2.0, 1.0]), [0.9, 0.1]).round(2))
      [2.11 3.3 ]

      To another prior than the uniform one: `correct_prior`, in logits.

      >>> import jax
      >>> z, train, target = jnp.array([2.0, 1.0]), jnp.array([0.9, 0.1]), jnp.array([0.7, 0.3])
      >>> moved = jimb.posthoc.adjust_logits(z, train) + jnp.log(target)
      >>> print(jax.nn.softmax(moved).round(4))
      [0.4134 0.5866]
      >>> print(jimb.posthoc.correct_prior(jax.nn.softmax(z), train, target).round(4))
      [0.4134 0.5866]

    Reference:
      Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021.
    """
    z = class_logits(logits)
    strength = _checks.scalar("tau", tau, 0.0, dtype=compute_dtype(z))
    table = _checks.distribution("prior", prior, z)
    empty = table == 0
    out, shift = empty & (strength > 0), -strength * jnp.log(jnp.where(empty, 1, table))
    if isinstance(z, Head):
        return shifted(z, jnp.where(out, -jnp.inf, shift))
    moved = _plus(z.astype(strength.dtype), _row(shift, z))
    return jnp.where(_row(out, z), -jnp.inf, moved).astype(z.dtype)


@jax.custom_jvp
def _plus(z: Array, shift: Array) -> Array:
    """`z + shift`, which is z to the bit where the shift is 0: -0 + 0 is 0."""
    return jnp.where(shift == 0, z, z + shift)


def _plus_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    return _plus(*primals), tangents[0] + tangents[1]


_plus.defjvp(_plus_rule)


def _row(table: Array, like: Float[Array, "*batch K"]) -> Array:
    """A table `[K]` with axes of size 1 for those of the batch: not split where the batch is."""
    return table.reshape((1,) * (like.ndim - 1) + table.shape)
