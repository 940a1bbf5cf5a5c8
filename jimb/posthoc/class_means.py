"""Nearest class mean: a classifier without a last layer, from the features of a trained model.

Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels, _pairs
from jimb._exports import exported
from jimb._numerics import compute_dtype, norm
from jimb._typing import Array, ArrayLike, Float, Integer

_LOWEST = np.finfo(np.float32).min  # not -inf, from which a compiler would see no change


@exported
class ClassMeansState(NamedTuple):
    """The mean feature of each class, and of how many examples.

    Attributes:
      means: float32 `[K, F]`; 0 for a class without examples.
      rests: float32 `[K, F]`, what rounding took from the means. Without it a mean of many batches
        would stop to move when a batch changes it by less than its last digit.
      counts: int32 `[K]`.
    """

    means: Float[Array, "K F"]
    rests: Float[Array, "K F"]
    counts: Integer[Array, " K"]


def init(num_classes: int, num_features: int) -> ClassMeansState:
    """Means of nothing yet.

    Args:
      num_classes: K.
      num_features: F.

    Returns:
      A `ClassMeansState`.

    Raises:
      TypeError: K or F is no Python int.
      ValueError: K or F is below 1.

    Example:
      >>> import jimb
      >>> jimb.posthoc.class_means.init(10, 64).means.shape
      (10, 64)
    """
    k, f = _checks.size("num_classes", num_classes), _checks.size("num_features", num_features)
    # Two arrays, not one twice: a donated state must not hold a buffer twice.
    return ClassMeansState(jnp.zeros((k, f)), jnp.zeros((k, f)), jnp.zeros(k, jnp.int32))


def update(
    state: ClassMeansState,
    features: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
) -> ClassMeansState:
    r"""Adds a batch to the means, `μ_c + Σ (x - μ_c) / (n_c + b_c)` over its b_c examples of c.

    Features `x` may be taken in three forms, each with its own state; what is added and what is
    classified must have the same:

    - plain: as they are;
    - L2: `normalize(x)`;
    - centred L2: `normalize(x, center=m)`, with m = `center(state)` of a first pass of plain ones.

    Args:
      state: from `init`, `update` or `merge`.
      features: `[..., F]`, floating point.
      labels: integers `[...]`.
      where: booleans `[...]`; False leaves an example out, whatever its features and label are.

    Returns:
      A state of the same types, shapes and dtypes, without gradient. Means and rests together are
      off by less than 1e-7 of the spread of a class, or of its batches' means if they differ
      more, however large the features; the order of the batches matters as little.

    Raises:
      TypeError: features are not floating point, labels not integers, or `where` is not boolean.
      ValueError: shapes do not fit, or Python or NumPy labels lie outside [0, K) unmasked. Traced
        ones are dropped, with a checkify message.

    Example:
      All three forms, of training features and of new ones:

      >>> import jax.numpy as jnp
      >>> from jimb.posthoc import class_means
      >>> x = jnp.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
      >>> labels, new = jnp.array([0, 0, 1, 1]), jnp.array([[1.0, 1.2]])

      >>> plain = class_means.update(class_means.init(2, 2), x, labels)
      >>> print(plain.means, class_means.logits(plain, new).argmax(-1))
      [[2. 0.]
       [0. 2.]] [1]

      >>> l2 = class_means.update(class_means.init(2, 2), class_means.normalize(x), labels)
      >>> print(l2.means, class_means.logits(l2, class_means.normalize(new)).argmax(-1))
      [[1. 0.]
       [0. 1.]] [1]

      >>> m = class_means.center(plain)
      >>> centred = class_means.normalize(x, center=m)
      >>> cl2 = class_means.update(class_means.init(2, 2), centred, labels)
      >>> z = class_means.logits(cl2, class_means.normalize(new, center=m))
      >>> print(m, z.argmax(-1))
      [1. 1.] [1]
    """
    num_classes, num_features = state.means.shape
    x = _features(features, num_features)
    ids = _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, x.shape[:-1], "the batch, features.shape[:-1]")
    cells = _labels.positions("labels", labels, num_classes, where, "classes")
    safe, kept = _labels.in_range(cells, num_classes)
    # The guard sits on the input: 0 times a masked NaN is NaN.
    x = jnp.where(jnp.expand_dims(kept, -1), x.astype(jnp.float32), 0)

    added = _labels.class_sums(cells, jnp.int32(1), num_classes)

    def class_mean(rows: Float[Array, "*batch F"]) -> Float[Array, "K F"]:
        sums = _labels.class_sums(cells, rows, num_classes)
        return sums / jnp.maximum(added, 1).astype(jnp.float32)[:, None]

    def of_class(table: Float[Array, "K F"]) -> Float[Array, "*batch F"]:
        return _labels.look_up_rows(table, safe, x)

    # Twice: the second sum takes back the rounding of the first, which may be of large numbers.
    deviations = (x - of_class(state.means)) - of_class(state.rests)
    # The maximum keeps the step from a fused multiply-add, which would not round it.
    step = jnp.maximum(class_mean(deviations), _LOWEST)
    rest = class_mean(deviations - of_class(step))
    return jax.lax.stop_gradient(_moved(state, (step, rest), added))


def merge(left: ClassMeansState, right: ClassMeansState) -> ClassMeansState:
    """The means of two disjoint sets of examples together.

    Args:
      left: a state.
      right: another, of the same K and F.

    Returns:
      The state of all their examples; the order matters as little as in `update`.

    Raises:
      ValueError: the shapes differ.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.posthoc import class_means
      >>> empty = class_means.init(1, 1)
      >>> one = class_means.update(empty, jnp.array([[0.0]]), jnp.array([0]))
      >>> two = class_means.update(empty, jnp.array([[3.0], [3.0]]), jnp.array([0, 0]))
      >>> print(class_means.merge(one, two).means)
      [[2.]]
    """
    _checks.same_shape("right.means", right.means, left.means.shape, "left.means")
    step = _pairs.subtract((right.means, right.rests), (left.means, left.rests))
    return _moved(left, step, right.counts)


def center(state: ClassMeansState) -> Float[Array, " F"]:
    """The mean of all features, `Σ n_c μ_c / Σ n_c`.

    Args:
      state: a `ClassMeansState` of plain features.

    Returns:
      float32 `[F]`; NaN if there are no examples.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.posthoc import class_means
      >>> x, labels = jnp.array([[0.0], [0.0], [3.0]]), jnp.array([0, 0, 1])
      >>> print(class_means.center(class_means.update(class_means.init(2, 1), x, labels)))
      [1.]
    """
    counts = state.counts.astype(jnp.float32)
    shares = (counts / jnp.sum(counts))[:, None]
    # From the largest class on, so that what all classes share is not summed.
    base = state.means[jnp.argmax(counts)]
    return base + jnp.sum(shares * ((state.means - base[None]) + state.rests), axis=0)


def normalize(features: ArrayLike, *, center: ArrayLike | None = None) -> Float[Array, "*batch F"]:
    """Features over their norm, `x / ‖x‖`, or `(x - m) / ‖x - m‖`.

    Args:
      features: `[..., F]`, floating point.
      center: m, `[F]`, usually `center(state)` of the training features; None means 0.

    Returns:
      Features of norm 1, `[..., F]`, in the dtype of features; half precision is computed in
      float32. A zero vector stays 0.

    Raises:
      TypeError: features or center are not floating point.
      ValueError: center is not `[F]`.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.posthoc import class_means
      >>> print(class_means.normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
      [[0.6 0.8]
       [0.  0. ]]
      >>> print(class_means.normalize(jnp.array([[3.0, 4.0]]), center=jnp.array([3.0, 0.0])))
      [[0. 1.]]

    Reference:
      Wang et al., SimpleShot: Revisiting Nearest-Neighbor Classification for Few-Shot Learning,
      2019.
    """
    x = _features(features, None)
    wide = x.astype(compute_dtype(x))
    if center is not None:
        m = _checks.floating("center", center)
        _checks.same_shape("center", m, x.shape[-1:], "one feature vector")
        wide = wide - jnp.broadcast_to(m.astype(wide.dtype), x.shape)
    return (wide / norm(wide, axis=-1)).astype(x.dtype)


def logits(state: ClassMeansState, features: ArrayLike) -> Float[Array, "*batch K"]:
    r"""The negative squared distance to each class's mean, `-‖x - μ_c‖²`.

    From the differences themselves: `‖x‖² - 2 x·μ + ‖μ‖²` would lose a small distance of large
    features. One class at a time, so that the memory is that of a few `[..., F]`, not
    `[..., K, F]`; the same for its gradient.

    Args:
      state: a `ClassMeansState`.
      features: `[..., F]`, floating point, of the form that the means were made from.

    Returns:
      Logits `[..., K]`, float32 (float64 for float64 features) also for half precision, which has
      too few digits for distances that differ little. -inf for a class without examples.

    Raises:
      TypeError: features are not floating point.
      ValueError: features are not `[..., F]`.

    Example:
      >>> import jax.numpy as jnp
      >>> from jimb.posthoc import class_means
      >>> x, labels = jnp.array([[0.0], [3.0]]), jnp.array([0, 1])
      >>> state = class_means.update(class_means.init(3, 1), x, labels)
      >>> print(class_means.logits(state, jnp.array([[1.0]])))
      [[ -1.  -4. -inf]]

    Reference:
      Kang et al., ICLR 2020.
    """
    x = _features(features, state.means.shape[1])
    wide = x.astype(compute_dtype(x))
    one_row = (1,) * (x.ndim - 1) + (-1,)

    @jax.checkpoint
    def to_class(mean: tuple[Array, Array]) -> Float[Array, "*batch"]:
        high, low = (part.astype(wide.dtype).reshape(one_row) for part in mean)
        return -jnp.sum(((wide - high) - low) ** 2, axis=-1)

    distances = jnp.moveaxis(jax.lax.map(to_class, (state.means, state.rests)), 0, -1)
    filled = jnp.broadcast_to(state.counts > 0, distances.shape)
    return jnp.where(filled, distances, -jnp.inf)


def _features(features: ArrayLike, num_features: int | None) -> Array:
    array = _checks.floating("features", features)
    if array.ndim == 0 or array.shape[-1] != (num_features or array.shape[-1]):
        raise ValueError(
            f"features must be [..., {num_features or 'F'}], got {_checks.describe(array)}."
        )
    return array


def _moved(
    state: ClassMeansState, step: _pairs.Pair, added: Integer[Array, " K"]
) -> ClassMeansState:
    """The means after `added` more examples, whose means are `step` away."""
    counts = state.counts + added
    share = added.astype(jnp.float32) / jnp.maximum(counts, 1).astype(jnp.float32)
    share = jnp.broadcast_to(share[:, None], state.means.shape)
    high, low = _pairs.product(step[0], share)
    means, rests = _pairs.add((state.means, state.rests), (high, low + step[1] * share))
    return ClassMeansState(means, rests, counts)
