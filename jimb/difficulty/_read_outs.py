"""What a difficulty state and the weights drawn from it say."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels
from jimb._exports import exported
from jimb._layout import laid_out_like, replicated
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float
from jimb.difficulty._instance import DifficultyState
from jimb.sampling._fixed_point import expected_counts


def score(state: DifficultyState, *, pseudocount: ArrayLike = 1.0) -> Float[Array, " N"]:
    r"""The difficulty `D = (c + Σ du) / (c + Σ dl)`: 1 for an unseen example, more for a hard one.

    Args:
      state: a `DifficultyState`.
      pseudocount: c > 0; may be traced. Smaller is sharper; below 0.1 a few examples take over
        the distribution (after the first epoch of `docs/why/proofs.md`, weights of c = 0.01 are
        worth 3 % of the examples, of c = 1 87 %), and a Python number that small warns.

    Returns:
      `D`, float32 `[N]`, without gradient.

    Raises:
      ValueError: c ≤ 0 or no scalar (traced and ≤ 0: NaN and a checkify message).

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.score(jimb.difficulty.init(3, 10)))
      [1. 1. 1.]

    Reference:
      Yu et al., CVPR 2022.
    """
    if _checks.on_host(pseudocount) and 0 < np.min(np.asarray(pseudocount, np.float64)) < 0.1:
        warnings.warn(
            f"pseudocount={pseudocount} is below 0.1: a few examples will take over the sampling "
            "distribution; use 0.1 or more.",
            stacklevel=2,
        )
    dtype = state.unlearned.dtype
    c = _checks.scalar("pseudocount", pseudocount, 0.0, dtype=dtype, exclusive=True)
    return jax.lax.stop_gradient((c + state.unlearned) / (c + state.learned))


def sampling_weights(
    state: DifficultyState, *, pseudocount: ArrayLike = 1.0, where: ArrayLike | None = None
) -> Float[Array, " N"]:
    r"""The sampling distribution `w_i = D_i / Σ_j D_j`.

    Args:
      state: a `DifficultyState`.
      pseudocount: as in `score`.
      where: booleans `[N]`; examples out by it get weight 0.

    Returns:
      Weights `[N]` that sum to 1, without gradient; all 0 if `where` leaves nothing.

    Raises:
      TypeError: `where` is not boolean.
      ValueError: as `score`; or `where` is not `[N]`.

    Example:
      >>> import jimb
      >>> print(jimb.difficulty.sampling_weights(jimb.difficulty.init(4, 10)))
      [0.25 0.25 0.25 0.25]

    Reference:
      Yu et al., CVPR 2022.
    """
    mask = _checks.mask(where, state.unlearned.shape, "the state's examples")
    scores = score(state, pseudocount=pseudocount)
    if mask is not None:
        scores = jnp.where(laid_out_like(mask, scores), scores, 0)
    total = jnp.sum(scores)
    return scores / jnp.where(total == 0, 1, total)


def effective_sample_size(weights: ArrayLike) -> Float[Array, ""]:
    r"""How many equally drawn examples are worth as much as these, `(Σw)² / Σw²`.

    N for equal weights, 1 if a single example takes all. It is the first number to look at where
    weights are sharp: far below N, an epoch sees few examples many times.

    Args:
      weights: non-negative, `[N]`; need not be normalised.

    Returns:
      A scalar in [1, N], float32 (float64 for float64 weights), without gradient; 0 if all weights
      are 0.

    Raises:
      TypeError: weights are not floating point.
      ValueError: weights are not `[N]` or negative. Traced: NaN and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> print(jimb.difficulty.effective_sample_size(jnp.array([1.0, 1.0, 2.0, 0.0])).round(3))
      2.667

    Reference:
      Kish, Survey Sampling, 1965.
    """
    w = jax.lax.stop_gradient(_checks.example_weights(weights))
    largest = jnp.max(w)
    scaled = w / jnp.where(largest == 0, 1, largest)  # squares of small weights would underflow
    squares = jnp.sum(scaled**2)
    return jnp.sum(scaled) ** 2 / jnp.where(squares == 0, 1, squares)


def class_prior(weights: ArrayLike, labels: ArrayLike, num_classes: int) -> Float[Array, " K"]:
    r"""The class distribution of a stream drawn by these weights, `q_k = Σ_{i∈k} w_i / Σ w`.

    Logit adjustment under resampling must use this prior, not that of the data set: it is what the
    model has been trained on. The sums are sums of integers, right for millions of examples and
    the same on any number of devices.

    Args:
      weights: non-negative, `[N]`, not all 0; need not be normalised.
      labels: integers, `[N]`.
      num_classes: K.

    Returns:
      A distribution `[K]`, float32, without gradient. NaN if traced weights are all 0.

    Raises:
      TypeError: weights are not floating point, or labels not integers.
      ValueError: shapes differ; Python or NumPy weights are negative, not finite or all 0; or
        Python or NumPy labels of weights above 0 lie outside [0, K). Traced: NaN for weights;
        such labels are left out, so that the sum is below 1; and a checkify message.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> weights, labels = jnp.array([1.0, 1.0, 2.0]), jnp.array([0, 0, 2])
      >>> prior = jimb.difficulty.class_prior(weights, labels, 3)
      >>> print(prior)
      [0.5 0.  0.5]
      >>> losses = jimb.logit_adjusted_loss(jnp.zeros((3, 3)), labels, prior)

    Reference:
      Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}.")
    w = replicated(jax.lax.stop_gradient(_checks.example_weights(weights)))
    some = report(jnp.any(w > 0), "weights must not be all 0: nothing is drawn.")
    drawn: ArrayLike = w > 0
    if _checks.on_host(weights):
        drawn = np.asarray(weights) > 0
        if not np.any(drawn):
            raise ValueError("weights are all 0: nothing is drawn; give some example weight.")
    array = _checks.integer("labels", labels)
    _checks.same_shape("labels", array, w.shape, "weights")
    _labels.raise_if_outside("labels", labels, num_classes, drawn, "classes")
    cells = _labels.positions("labels", replicated(array), num_classes, drawn, "classes")
    shares = _class_shares(w, cells, num_classes)
    return jnp.where(some & jnp.all(jnp.isfinite(w)), shares, jnp.nan)


def _class_shares(weights: Array, cells: Array, num_classes: int) -> Float[Array, " K"]:
    """Class sums of the weights in units of 2⁻³⁰ of them all, and fractions of these."""
    whole, fraction = expected_counts(weights, 2**30)
    bits = max(31 - weights.size.bit_length(), 0)  # of a fraction, so that N of them fit 32 bits
    parts = ((fraction >> jnp.uint32(31 - bits)) + jnp.uint32(1)) >> jnp.uint32(1)
    wholes = _labels.class_sums(cells, whole, num_classes).astype(jnp.float32)
    rest = _labels.class_sums(cells, parts, num_classes).astype(jnp.float32)
    return (wholes + rest * 2.0**-bits) * 2.0**-30


@exported
class WeightSummary(NamedTuple):
    """What to print of the weights that an epoch is drawn by.

    Attributes:
      effective_sample_size: `(Σw)² / Σw²`.
      effective_share: that in relation to N.
      largest_share: the share of all draws that goes to the most frequent example.
      class_prior: the share of each class, `[K]`.
    """

    effective_sample_size: Float[Array, ""]
    effective_share: Float[Array, ""]
    largest_share: Float[Array, ""]
    class_prior: Float[Array, " K"]


def summarize_weights(weights: ArrayLike, labels: ArrayLike, num_classes: int) -> WeightSummary:
    r"""Whether weights are still a distribution over the data set, or over a few examples of it.

    Args:
      weights: non-negative, `[N]`, not all 0; need not be normalised.
      labels: integers, `[N]`.
      num_classes: K.

    Returns:
      A `WeightSummary` of float32, to log each epoch.

    Raises:
      TypeError: as `class_prior`.
      ValueError: as `class_prior`.

    Example:
      >>> import jax.numpy as jnp, jimb
      >>> weights, labels = jnp.array([1.0, 1.0, 2.0, 0.0]), jnp.array([0, 0, 2, 1])
      >>> summary = jimb.difficulty.summarize_weights(weights, labels, 3)
      >>> print(f"{summary.effective_share:.0%} of the data, top {summary.largest_share:.0%}")
      67% of the data, top 50%
    """
    prior = class_prior(weights, labels, num_classes)
    w = jax.lax.stop_gradient(_checks.example_weights(weights))
    size, total = effective_sample_size(w), jnp.sum(w)
    largest = jnp.max(w) / jnp.where(total == 0, 1, total)
    return WeightSummary(size, size / w.size, largest, prior)
