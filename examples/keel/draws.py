"""What the rounds of a training are drawn by: weights of rows, from what earlier rounds showed."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from examples.keel.methods import DRAWS, Numbers
from jimb import difficulty, sampling


class Seen(NamedTuple):
    """The state of every kind of draw, `[N]` rows."""

    difficulty: difficulty.DifficultyState
    last_loss: difficulty.last_loss.LastLossState
    forgetting: difficulty.forgetting.ForgettingState
    data_map: difficulty.data_map.DataMapState


def init(rows: int) -> Seen:
    """Nothing is seen yet."""
    return Seen(
        difficulty.init(rows, 2, dtype=jnp.float32),
        difficulty.last_loss.init(rows, 2),
        difficulty.forgetting.init(rows),
        difficulty.data_map.init(rows),
    )


def update(seen: Seen, logits: Array, labels: Array) -> Seen:
    """After a pass over all rows `[N, 2]`; those that are not trained on weigh nothing later."""
    return Seen(
        difficulty.update(seen.difficulty, logits, labels),
        difficulty.last_loss.update(seen.last_loss, logits, labels),
        difficulty.forgetting.update(seen.forgetting, logits, labels),
        difficulty.data_map.update(seen.data_map, logits, labels),
    )


def weights(
    seen: Seen, labels: Array, trained: Array, counts: Array, share: Array, numbers: Numbers
) -> Array:
    """The weight `[N]` of each row in the next plan; 0 where it is not trained on.

    `share` goes from equal weights at 0 to those of the method at 1.
    """
    kinds = {
        "classes": sampling.class_power(labels, counts, power=numbers.class_power),
        "difficulty": difficulty.sampling_weights(
            seen.difficulty, pseudocount=numbers.pseudocount, where=trained
        ),
        "last loss": difficulty.last_loss.score(seen.last_loss),
        # One more than the events, so that what was never forgotten is still drawn.
        "forgetting": 1 + jnp.minimum(difficulty.forgetting.score(seen.forgetting), 10.0),
        # Before the second pass nothing varies: then all alike.
        "variability": 0.05 + jnp.nan_to_num(difficulty.data_map.variability(seen.data_map)),
    }
    each = jnp.stack([kinds[name] for name in DRAWS])
    chosen = jnp.where(trained, each[numbers.draw.astype(int)], 0)
    equal = trained / trained.sum()
    mixed: Array = share * chosen / chosen.sum() + (1 - share) * equal
    return mixed
