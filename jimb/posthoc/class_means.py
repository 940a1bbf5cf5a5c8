"""Nearest class mean: a classifier without a last layer, from the features of a trained model.

Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, _labels, _pairs
from jimb._exports import exported
from jimb._norms import scaling, unit
from jimb._numerics import compute_dtype
from jimb._report import report
from jimb._typing import Array, ArrayLike, Float, Integer

__all__ = ["ClassMeansState", "center", "init", "logits", "merge", "normalize", "update"]


@exported
class ClassMeansState(NamedTuple):
    """The mean feature of each class, and of how many examples.

    Attributes:
      means: float32 `[K, F]`; 0 for a class without examples.
      rests: float32 `[K, F]`, what rounding took from the means. Without it a mean of many batches
        would stop to move when a batch changes it by less than its last digit.
      counts: float32 `[K]`, how many examples each class has.
      count_rests: float32 `[K]`, what rounding took from the counts, which together are exact up to
        2⁴⁸.
    """

    means: Float[Array, "K F"]
    rests: Float[Array, "K F"]
    counts: Float[Array, " K"]
    count_rests: Float[Array, " K"]


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
    # Four arrays, none twice: a donated state must not hold a buffer twice.
    return ClassMeansState(*(jnp.zeros(shape, jnp.float32) for shape in ((k, f), (k, f), k, k)))


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
      more, however large the features; the order of the batches matters as little. float64
      features are averaged in float64, and the means kept to 2⁻⁴⁸ of them. A mean is NaN where a
      feature is not finite, or the sum over the batch leaves the range of float32, with a checkify
      message.

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
    with _checks.numbers("features", features):
        x = jnp.asarray(features)
    ids = _checks.label_array("labels", labels)
    if jnp.issubdtype(x.dtype, jnp.integer) and jnp.issubdtype(ids.dtype, jnp.floating):
        raise TypeError("features come before labels, which are integers; swap them.")
    x = _features(features, num_features)
    if ids.shape == (*x.shape[:-1], num_classes) and ids.ndim == x.ndim:
        raise ValueError(
            f"labels must be class ids in the shape {list(x.shape[:-1])} of the batch, got "
            f"{_checks.describe(ids)}; of one-hot labels take .argmax(-1)."
        )
    _checks.integer("labels", labels)
    _checks.same_shape("labels", ids, x.shape[:-1], "the batch, features.shape[:-1]")
    cells = _labels.positions("labels", labels, num_classes, where, "classes")
    safe, kept = _labels.in_range(cells, num_classes)
    # The guard sits on the input: 0 times a masked NaN is NaN.
    x = jnp.where(jnp.expand_dims(kept, -1), x.astype(compute_dtype(x)), 0)
    means, rests = state.means.astype(x.dtype), state.rests.astype(x.dtype)

    added = _labels.class_sums(cells, jnp.int32(1), num_classes)

    def class_mean(rows: Float[Array, "*batch F"]) -> Float[Array, "K F"]:
        sums = _labels.class_sums(cells, rows, num_classes)
        return sums / jnp.maximum(added, 1).astype(x.dtype)[:, None]

    def of_class(table: Float[Array, "K F"]) -> Float[Array, "*batch F"]:
        return _labels.look_up_rows(table, safe, x)

    # Twice: the second sum takes back the rounding of the first, which may be of large numbers.
    deviations = (x - of_class(means)) - of_class(rests)
    step = class_mean(deviations)
    known = report(
        jnp.isfinite(step.astype(jnp.float32)),
        "the features of a class are not finite, or their sum over the batch leaves the range of "
        "float32; divide them by their scale, or normalize them.",
    )
    # The maximum keeps the step from a fused multiply-add, which would not round it. Its bound is
    # not -inf, from which a compiler would see no change.
    step = jnp.maximum(jnp.where(known, step, jnp.nan), np.finfo(x.dtype).min)
    rest = class_mean(deviations - of_class(step))
    high = step.astype(jnp.float32)
    low = ((step - high.astype(x.dtype)) + rest).astype(jnp.float32)
    return jax.lax.stop_gradient(_moved(state, (high, low), _as_pair(added)))


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
    # Scaled, because the difference of two large means may overflow.
    scale = _finite_scaling(jnp.maximum(_size(left.means), _size(right.means)))
    left, right = (s._replace(means=s.means * scale, rests=s.rests * scale) for s in (left, right))
    step = _pairs.subtract((right.means, right.rests), (left.means, left.rests))
    both = _moved(left, step, (right.counts, right.count_rests))
    return both._replace(means=both.means / scale, rests=both.rests / scale)


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
    shares = (state.counts / jnp.sum(state.counts))[:, None]
    scale = _finite_scaling(jnp.max(_size(state.means), axis=0, keepdims=True))
    means, rests = state.means * scale, state.rests * scale
    # From the largest class on, so that what all classes share is not summed.
    base = means[jnp.argmax(state.counts)]
    moved: Array = base + jnp.sum(shares * ((means - base[None]) + rests), axis=0)
    return moved / scale[0]


def normalize(features: ArrayLike, *, center: ArrayLike | None = None) -> Float[Array, "*batch F"]:
    """Features over their norm, `x / ‖x‖`, or `(x - m) / ‖x - m‖`.

    Args:
      features: `[..., F]`, floating point.
      center: m, `[F]`, usually `center(state)` of the training features; None means 0.

    Returns:
      Features of norm 1, `[..., F]`, in the dtype of features; half precision is computed in
      float32. Right at every scale, also where squares overflow or underflow. A zero vector stays
      0, without a gradient; one with an entry that is not finite is NaN.

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
        m = jnp.broadcast_to(m.astype(wide.dtype), x.shape)
        size = jax.lax.stop_gradient(jnp.maximum(jnp.abs(wide), jnp.abs(m)))
        scale = scaling(jnp.max(size, axis=-1, keepdims=True, initial=0))
        wide = wide * scale - m * scale
    return unit(wide, -1).astype(x.dtype)


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
      too few digits for distances that differ little. -inf for a class without examples. A square
      beyond the range of the dtype is -inf, too, with a checkify message: features beyond 1e18 or
      below 1e-18 should be divided by their scale, or by `normalize`.

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
    filled = report(
        filled,
        "a feature is not finite, or its squared distance is beyond the range of floats; divide "
        "features and means by their scale, or normalize them.",
        check=lambda distances: jnp.isfinite(distances),
        distances=jnp.where(filled, distances, 0),
    )
    return jnp.where(filled, distances, -jnp.inf)


def _features(features: ArrayLike, num_features: int | None) -> Array:
    array = _checks.floating("features", features)
    if array.ndim == 0 or array.shape[-1] != (num_features or array.shape[-1]):
        raise ValueError(
            f"features must be [..., {num_features or 'F'}], got {_checks.describe(array)}."
        )
    return array


def _as_pair(counts: Integer[Array, " K"]) -> _pairs.Pair:
    """Integers of 31 bits, exactly."""
    high, low = counts >> 16, counts & 0xFFFF
    return _pairs.two_sum(high.astype(jnp.float32) * 2.0**16, low.astype(jnp.float32))


def _size(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """|x|, and 0 for what is not finite: that has no scale."""
    return jnp.where(jnp.isfinite(x), jnp.abs(x), 0)


def _finite_scaling(size: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """As `scaling`, but 1 for 0."""
    return jnp.where(size == 0, 1, scaling(size))


def _moved(state: ClassMeansState, step: _pairs.Pair, added: _pairs.Pair) -> ClassMeansState:
    """The means after `added` more examples, whose means are `step` away."""
    counts = _pairs.add((state.counts.astype(jnp.float32), state.count_rests), added)
    share = added[0] / jnp.maximum(counts[0], 1)
    share = jnp.broadcast_to(share[:, None], state.means.shape)
    high, low = _pairs.product(step[0], share)
    means, rests = _pairs.add((state.means, state.rests), (high, low + step[1] * share))
    return ClassMeansState(means, rests, *counts)
