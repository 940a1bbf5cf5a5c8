"""Batches added to the sums."""

from jimb._typing import ArrayLike
from jimb.metrics.calibration._batch import batch_sums
from jimb.metrics.calibration._state import CalibrationState, bins_of, merge


def update(
    state: CalibrationState,
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    binary: bool = False,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> CalibrationState:
    r"""Adds a batch of probabilities.

    The confidence of an example is the largest of its probabilities, and it is right if that is the
    one of its label; its Brier score is `Σ_c (p_c - [y = c])²`. With `binary` the confidence is p
    itself, the positives are right, and the score is `(p - y)²`; under `jax.vmap` over the classes,
    one-hot, it measures each against all others. Bin k of B has the confidences in
    `[k / B, (k + 1) / B)`, the last one 1 as well.

    A batch sharded over a mesh axis, or over several hosts, is counted as a whole; inside
    `jax.shard_map` count the shares, sum, and merge, as with `metrics.update`.

    Args:
      state: from `init`, `update` or `merge`.
      probabilities: `[..., K]`, floating point; with `binary` of the positive class, any shape.
      labels: integers `[...]`; with `binary` 0 and 1, integers or booleans, in the shape of
        probabilities.
      binary: each probability is of a question of its own.
      weights: of examples, non-negative, floating point, of the shape of labels. A weight of 0
        leaves an example out, whatever it holds.
      where: booleans of the shape of labels; False leaves an example out.

    Returns:
      A state of the same shape and dtypes. Of the batch each number is taken to 2⁻⁶⁰ of the largest
      and summed exactly, in any order to the same bits; batches are added to 2⁻⁴⁴ of the sum.

    Raises:
      TypeError: not a state, probabilities or weights are not floating point, labels are not
        integers, or `where` is not boolean.
      ValueError: shapes differ, probabilities lie outside [0, 1], Python or NumPy labels are no
        classes, or weights are negative or not finite, unmasked. Traced, such a label or
        probability, NaN for one, drops its example, and such a weight makes all sums NaN, with a
        checkify message.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.metrics import calibration
      >>> p, labels = jnp.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]), jnp.array([0, 0, 1])
      >>> state = calibration.update(calibration.init(4), p, labels)
      >>> print(state.high)  # weights, confidences, right ones, Brier scores
      [[0.   0.   1.   2.  ]
       [0.   0.   0.5  1.5 ]
       [0.   0.   0.   1.  ]
       [0.   0.   0.5  1.25]]
    """
    bins = bins_of("state", state)
    sums = batch_sums(bins, probabilities, labels, binary, weights, where)
    return merge(state, CalibrationState(*sums))
