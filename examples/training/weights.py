"""The traced numbers of a training, and the weights that its plans draw by."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

import jimb
from examples.training.losses import Hyper
from examples.training.passes import Pass
from examples.training.state import Data

Weights = Literal["none", "inverse", "sqrt-inverse", "effective"]
Sampler = Literal["uniform", "class-balanced", "sqrt", "difficulty", "loss", "delta"]


def hyper_of(
    counts: np.ndarray | Array,
    *,
    weights: Weights = "none",
    gamma: float = 2.0,
    beta: float = 0.9999,
    keep: float = 1.0,
    rate: float = 1.0,
    key: Array | None = None,
) -> Hyper:
    """The numbers of a training on these class counts, drawn uniformly."""
    return Hyper(
        counts=jnp.asarray(counts),
        prior=jnp.asarray(counts / counts.sum()),
        class_weights=class_weights(weights, counts, beta),
        gamma=jnp.float32(gamma),
        beta=jnp.float32(beta),
        keep=jnp.float32(keep),
        rate=jnp.float32(rate),
        key=jax.random.key(0) if key is None else key,
    )


def class_weights(name: Weights, counts: ArrayLike, beta: float) -> Array:
    """The class table `[K]` that multiplies the loss."""
    if name == "effective":
        return jimb.effective_number_weights(counts, beta=beta)
    power = {"none": 0.0, "inverse": 1.0, "sqrt-inverse": 0.5}[name]
    return jimb.inverse_frequency_weights(counts, power=power)


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
