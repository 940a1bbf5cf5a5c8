"""The output bias that a one-vs-all head starts from."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jimb import _checks
from jimb._numerics import compute_dtype
from jimb._pos_weight import positives_and_negatives
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float

_PRIOR = "prior must lie in (0, 1), between which the log odds are finite"
_ONE_SIDED = "counts must lie between 0 and num_examples, at which the log odds are infinite"


def one_vs_all_bias_init(
    key: Array,
    shape: tuple[int, ...],
    dtype: DTypeLike = jnp.float32,
    *,
    prior: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    num_examples: ArrayLike | None = None,
) -> Float[Array, "*any"]:
    r"""The output bias of a one-vs-all head, from which each class starts at its own probability.

    `-log(K - 1)` by default: probability 1/K. With a prior `log(π / (1 - π))`, and with counts
    `log(n / (N - n))`, each class's own frequency. Without it the many negative terms dominate the
    first steps. It has the signature of a JAX initializer, so Flax layers take it:
    `nnx.Linear(d, K, bias_init=jimb.one_vs_all_bias_init, rngs=rngs)`, and with an option as below.

    Args:
      key: not used.
      shape: of the bias; K is its last entry.
      dtype: of the bias.
      prior: π in (0, 1), the probability of a positive at the start, a scalar or one per class
        `[K]`; may be traced. Detectors take 0.01 for every class.
      counts: examples with each label, `[K]`, in the place of a prior and with `num_examples`.
      num_examples: N, a scalar or one per class `[K]`: `counts.sum()` where every example has one
        class, else the number of rows of the multi-hot labels.

    Returns:
      A constant array; by default zeros for K = 1. Host numbers are computed in float64.

    Raises:
      TypeError: both a prior and counts are given, or one of `counts` and `num_examples` alone.
      ValueError: the shape is empty, that of the numbers does not fit it, a prior is outside
        (0, 1), or a class has no or all examples, whose log odds are infinite. Traced: NaN and a
        checkify message.

    Example:
      >>> import functools, jax, jimb
      >>> print(jimb.one_vs_all_bias_init(jax.random.key(0), (3,)))
      [-0.6931472 -0.6931472 -0.6931472]
      >>> labels = [[1, 0], [1, 1], [1, 0], [0, 0]]
      >>> bias_init = functools.partial(  # of nnx.Linear, nn.Dense
      ...     jimb.one_vs_all_bias_init, counts=jimb.multi_hot_counts(labels), num_examples=4)
      >>> print(jax.nn.sigmoid(bias_init(jax.random.key(0), (2,))).round(4))
      [0.75 0.25]
      >>> of_a_detector = functools.partial(jimb.one_vs_all_bias_init, prior=0.01)
      >>> print(of_a_detector(jax.random.key(0), (2,)))
      [-4.59512 -4.59512]

    Reference:
      1/K: Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019. A prior:
      Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if not shape or shape[-1] < 1:
        raise ValueError(f"shape must end in the number of classes, got {shape}.")
    if (counts is None) != (num_examples is None) or not (prior is None or counts is None):
        raise TypeError("give a prior, or counts with num_examples, or none of them.")
    if prior is not None:
        odds = _of_prior(prior)
    elif counts is not None and num_examples is not None:
        odds = _of_counts(counts, num_examples)
    else:
        odds = -math.log(max(shape[-1] - 1, 1))
    if np.ndim(odds) != 0:
        _checks.same_shape("prior or counts", odds, tuple(shape[-1:]), "the bias, one per class")
        odds = odds.reshape((1,) * (len(shape) - 1) + odds.shape)
    return jnp.broadcast_to(jnp.asarray(odds, dtype), shape)


def _of_prior(prior: ArrayLike) -> Any:
    """`log(π / (1 - π))`."""
    p: Any = _checks.real("prior", _checks.per_class("prior", prior))
    if _checks.on_host(p):
        p = np.asarray(p, np.float64)
        wrong = ~((p > 0) & (p < 1))
        if wrong.any():
            raise ValueError(f"{_PRIOR}, got {p[wrong].flat[0]}.")
        return np.log(p) - np.log1p(-p)
    p = p.astype(compute_dtype(p))
    inside = report((p > 0) & (p < 1), _PRIOR + ".")
    p = jnp.where(inside, p, 0.5)
    return jnp.where(inside, jnp.log(p) - jnp.log1p(-p), jnp.nan)


def _of_counts(counts: ArrayLike, num_examples: ArrayLike) -> Any:
    """`log(n / (N - n))`."""
    xp, n, rest = positives_and_negatives(counts, num_examples, allow_empty=True)
    inside = (n > 0) & (rest > 0)
    if xp is np and not inside.all():
        c = np.flatnonzero(~inside)[0]
        raise ValueError(
            f"{_ONE_SIDED}, got {n[c]:g} in class {c} ({int((~inside).sum())} of {n.size} such); "
            "leave those classes out, or pass counts + 0.5 and num_examples + 1."
        )
    if xp is jnp:
        inside = report(inside, _ONE_SIDED + ".")
    odds = xp.log(xp.where(inside, n, 1)) - xp.log(xp.where(inside, rest, 1))
    return xp.where(inside, odds, xp.nan)
