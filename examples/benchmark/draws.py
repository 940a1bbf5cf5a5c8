"""What a method draws an epoch by: weights from a state, or a plan from labels alone."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from jimb import difficulty, sampling


@dataclasses.dataclass(frozen=True)
class Draw:
    """Weights `[N]` that an epoch is drawn by, from a state that the epoch before updated."""

    weights: Callable[[Any, Array, Array], Array]  # (state, labels, counts)
    init: Callable[[int, int], Any] = lambda num_examples, num_classes: ()
    update: Callable[[Any, Array, Array], Any] = lambda state, logits, labels: state
    held_out: bool = False  # the update sees validation examples, not the training set


def by_class(power: float) -> Draw:
    """Each class in proportion to its size to a power."""
    return Draw(lambda _, labels, counts: sampling.class_power(labels, counts, power=power))


def difficulty_draw(pseudocount: float) -> Draw:
    """Each example in proportion to its difficulty."""
    return Draw(
        lambda state, *_: difficulty.sampling_weights(state, pseudocount=pseudocount),
        lambda n, k: difficulty.init(n, k, dtype=jnp.float32),
        difficulty.update,
    )


UNIFORM = Draw(lambda _, labels, counts: jnp.ones(labels.shape, jnp.float32))
LAST_LOSS = Draw(
    lambda state, *_: difficulty.last_loss.score(state),
    difficulty.last_loss.init,
    difficulty.last_loss.update,
)
# One more than the events, so that what was never forgotten is still drawn.
FORGETTING = Draw(
    lambda state, *_: 1 + jnp.minimum(difficulty.forgetting.score(state), 10.0),
    lambda n, k: difficulty.forgetting.init(n),
    difficulty.forgetting.update,
)
# Before the second pass nothing varies: then all alike.
VARIABILITY = Draw(
    lambda state, *_: 0.05 + jnp.nan_to_num(difficulty.data_map.variability(state)),
    lambda n, k: difficulty.data_map.init(n),
    difficulty.data_map.update,
)
CLASS_WISE = Draw(
    lambda state, labels, counts: jimb.take_class(
        jnp.maximum(difficulty.class_wise.score(state), 0.01), labels
    ),
    lambda n, k: difficulty.class_wise.init(k),
    lambda _, logits, labels: difficulty.class_wise.update(
        difficulty.class_wise.init(logits.shape[-1]), logits, labels
    ),
    held_out=True,
)
# A plan from labels alone, NumPy `[N]`, for batches of this many examples.
LabelPlan = Callable[[Array, np.ndarray, int, int], Array]


def class_batches(key: Array, labels: np.ndarray, num_classes: int, batch_size: int) -> Array:
    """Half the classes in each batch."""
    classes = num_classes // 2
    batches = sampling.class_batches(
        key,
        labels,
        classes_per_batch=classes,
        per_class=batch_size // classes,
        num_batches=-(-len(labels) // batch_size),
    )
    return batches.reshape(-1)


def whole_classes(num_classes: int, batch_size: int) -> int:
    """The largest batch, up to this size, with as many of each class in half the classes."""
    classes = num_classes // 2
    return batch_size // classes * classes
