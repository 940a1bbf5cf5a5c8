"""Settings as numbers: what is traced, so that one program serves all its values."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

import jimb

Weights = Literal["none", "inverse", "sqrt-inverse", "effective"]


class Hyper(NamedTuple):
    """What may differ between trainings in one `vmap`: numbers and class tables, all traced."""

    counts: Array  # [K]
    prior: Array  # [K], of the stream that the epoch is drawn by
    class_weights: Array  # [K]
    gamma: Array
    beta: Array
    keep: Array  # the share of each batch that hard-example mining keeps
    rate: Array  # times the learning rate of the recipe
    key: Array  # of the augmentation of every slot


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
