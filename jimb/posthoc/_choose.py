"""The best value of a hyper-parameter on validation data, all of a grid at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _checks, metrics
from jimb._exports import exported
from jimb._report import report
from jimb._typing import Array, ArrayLike, Bool, Float, Integer


@exported
class Choice(NamedTuple):
    """What was chosen of a grid.

    Attributes:
      value: the grid's point with the highest score, of equal ones the first. Of a NumPy or Python
        grid it is a NumPy number, of the grid's own precision.
      score: its score.
      scores: those of all points, `[G]`.
    """

    value: Float[Array, "..."]
    score: Float[Array, ""]
    scores: Float[Array, " G"]


def choose(
    predict: Callable[[Array], ArrayLike],
    grid: ArrayLike,
    labels: ArrayLike,
    *,
    num_classes: int,
    criterion: Callable[..., Array] = metrics.balanced_accuracy,
    where: ArrayLike | None = None,
    batch_size: int | None = None,
) -> Choice:
    """The grid's point whose predictions score highest on validation data.

    `predict` is vmapped over the grid. A score on the data of the choice is too high: report one of
    other data.

    Args:
      predict: maps a point of the grid, traced, to predicted classes: integers of the shape of
        labels. The validation logits are in its closure.
      grid: points along the first axis, floating point: `[G]` scalars, or `[G, ...]`. `predict`
        sees them in JAX's precision, float32 for a NumPy float64 without `jax_enable_x64`.
      labels: the true classes, integers, any shape.
      num_classes: K.
      criterion: maps a state of `jimb.metrics` to a number, higher is better: a measure, or a
        function of several. It is given a `TallyState`, of three numbers per class, or, where it
        raises an error on that (`expected_cost`, or its own reading of `.counts`), a
        `ConfusionState`, K × K for each point.
      where: booleans of the shape of labels; False leaves an example out.
      batch_size: how many points are computed at a time; None means all at once. Smaller needs
        less memory: each point makes its own copy of the adjusted logits.

    Returns:
      A `Choice`. A NaN score comes after all others, with a checkify message; if all are NaN, so is
      the value.

    Raises:
      TypeError: `predict` or `criterion` is no function, the grid is not floating point,
        predictions or labels are not integers, or `where` is not boolean.
      ValueError: the grid is empty or a scalar, `batch_size` is below 1, predictions have another
        shape than labels, the criterion gives more than a number, or NumPy or Python labels lie
        outside [0, K) unmasked (traced: dropped, with a checkify message).

    Example:
      τ of logit adjustment, by balanced accuracy:

      >>> import jax.numpy as jnp, jimb
      >>> logits, labels = jnp.array([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0]]), jnp.array([0, 0, 1])
      >>> def predict(tau):
      ...     return jimb.posthoc.adjust_logits(logits, [0.7, 0.3], tau=tau).argmax(-1)
      >>> grid = jnp.linspace(0.0, 2.0, 5)
      >>> print(jimb.posthoc.choose(predict, grid, labels, num_classes=2))
      Choice(value=Array(1., dtype=float32), score=Array(1., dtype=float32),
        scores=Array([0.5 , 0.5 , 1.  , 0.75, 0.75], dtype=float32))

      τ of a normalised kernel, by macro-F1:

      >>> features = jnp.array([[1.0, 0.0], [0.6, 0.2], [0.15, 0.2]])
      >>> kernel = jnp.array([[2.0, 0.0], [0.0, 1.0]])
      >>> choice = jimb.posthoc.choose(
      ...     lambda tau: (features @ jimb.posthoc.tau_normalize(kernel, tau=tau)).argmax(-1),
      ...     jnp.array([0.0, 0.5, 1.0, 1.5, 2.0]),
      ...     labels,
      ...     num_classes=2,
      ...     criterion=jimb.metrics.macro_f1,
      ... )
      >>> print(choice.value, choice.score)
      1.0 1.0

    Reference:
      Menon et al., ICLR 2021 and Kang et al., ICLR 2020 choose τ so.
    """
    function("predict", predict)
    function("criterion", criterion)
    points = _checks.floating("grid", grid)
    if points.ndim == 0 or points.shape[0] == 0:
        raise ValueError(
            f"grid must hold points along its first axis, got {_checks.describe(points)}; wrap one "
            "value as [value]."
        )
    if batch_size is not None:
        batch_size = _checks.size("batch_size", batch_size)

    empty = _sufficient(criterion, num_classes)

    def score(point: Array) -> Any:
        state = empty(num_classes)
        return criterion(metrics.update(state, predict(point), labels, where=where))

    if batch_size is None:
        scores = jax.vmap(score)(points)
    else:
        scores = jax.lax.map(score, points, batch_size=batch_size)
    place, known = first_best(scores, points.shape[:1])
    if _checks.on_host(grid) and not isinstance(place, jax.core.Tracer):
        own = np.asarray(grid)
        value: Any = own[int(place)] if known else np.full_like(own[0], np.nan)[()]
        return Choice(value, scores[place], scores)
    return Choice(jnp.where(known, points[place], jnp.nan), scores[place], scores)


def _sufficient(criterion: Callable[[Any], Array], num_classes: int) -> Callable[[int], Any]:
    """What makes the smaller of the states that the criterion can read."""
    try:
        jax.eval_shape(criterion, jax.eval_shape(lambda: metrics.init_tally(num_classes)))
    except Exception:
        # If it had another reason, it is raised here again, before anything is counted.
        jax.eval_shape(criterion, jax.eval_shape(lambda: metrics.init(num_classes)))
        return metrics.init
    return metrics.init_tally


def function(name: str, value: object) -> None:
    """TypeError unless it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r:.80}.")


def first_best(scores: Array, shape: tuple[int, ...]) -> tuple[Integer[Array, ""], Bool[Array, ""]]:
    """The place of the first of the highest scores, NaN after all others; and whether it is one."""
    scores = _checks.floating("criterion's scores", scores)
    _checks.same_shape("criterion's scores", scores, shape, "one number per point")
    number = report(
        ~jnp.isnan(scores), "the criterion is NaN at some points, which come after all others."
    )
    place = jnp.argmax(jnp.where(number, scores, -jnp.inf))
    place = jnp.where(number[place], place, jnp.argmax(number))  # all the others may be -inf
    return place, number[place]
