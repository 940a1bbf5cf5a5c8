"""Between two epochs: the weights that the next plan draws by."""

from typing import Literal

from jax import Array
from jax.typing import ArrayLike

import jimb
from examples.training.hyper import Hyper
from examples.training.passes import Pass
from examples.training.state import Data

Sampler = Literal["uniform", "class-balanced", "sqrt", "difficulty", "loss", "delta"]


def sampling_weights(
    sampler: Sampler,
    difficulty: jimb.difficulty.DifficultyState,
    last: Pass,
    data: Data,
    hyper: Hyper,
    pseudocount: ArrayLike,
) -> Array:
    """The weight `[N]` with which the next plan draws each example."""
    if sampler == "difficulty":
        return jimb.difficulty.sampling_weights(difficulty, pseudocount=pseudocount)
    if sampler == "loss":
        return last.losses
    if sampler == "delta":
        return last.deltas
    power = {"uniform": 0.0, "sqrt": 0.5, "class-balanced": 1.0}[sampler]
    return jimb.take_class(jimb.inverse_frequency_weights(hyper.counts, power=power), data.labels)
