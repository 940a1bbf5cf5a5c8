"""The sampling weights of each store along a recorded training, and how far they lie apart."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jimb
from jimb.difficulty import DifficultyState
from proofs import reference

STORES = ("float32", "snapshot", "float16", "bfloat16", "raw float16 p")


def initial_state(labels: np.ndarray, dtype: str | None) -> DifficultyState:
    """`jimb.difficulty.init` for every seed."""
    num_seeds, num_examples = labels.shape
    state = jimb.difficulty.init(num_examples, 2, dtype=dtype)
    stacked: DifficultyState = jax.tree.map(lambda x: jnp.stack([x] * num_seeds), state)
    return stacked


@jax.jit
@jax.vmap
def updated(state: DifficultyState, logits: Array, labels: Array) -> DifficultyState:
    """`jimb.difficulty.update` of every seed."""
    return jimb.difficulty.update(state, logits, labels)


@jax.jit
@jax.vmap
def updated_from_snapshot(
    state: DifficultyState, logits: Array, labels: Array, previous: Array
) -> DifficultyState:
    """The same for a state that stores no predictions."""
    return jimb.difficulty.update(state, logits, labels, previous_logits=previous)


@jax.jit
def weights_of(state: DifficultyState, pseudocount: Array) -> Array:
    """`jimb.difficulty.sampling_weights` of every seed, `[S, N]`."""
    return jax.vmap(lambda s: jimb.difficulty.sampling_weights(s, pseudocount=pseudocount))(state)


def weights_along(store: str, record: np.ndarray, labels: np.ndarray, c: float) -> Iterator[Array]:
    """The sampling weights of jimb after each epoch, from recorded logits."""
    state = initial_state(labels, None if store == "snapshot" else store)
    previous = np.zeros_like(record[0])
    for logits in record:
        if store == "snapshot":
            state = updated_from_snapshot(state, logits, labels, previous)
        else:
            state = updated(state, logits, labels)
        previous = logits
        yield weights_of(state, jnp.float32(c))


def reference_weights_along(
    store: reference.Store, record: np.ndarray, labels: np.ndarray, c: float
) -> Iterator[np.ndarray]:
    """The same in float64."""
    difficulty = reference.Difficulty(labels, 2, store)
    for logits in record:
        difficulty.update(logits)
        yield difficulty.weights(c)


def total_variation(w: np.ndarray | Array, v: np.ndarray | Array) -> np.ndarray:
    """`½ Σ |w - v|`, `[S]`."""
    difference = np.asarray(w, np.float64) - np.asarray(v, np.float64)
    return np.abs(difference).sum(axis=-1) / 2


def distances(store: str, record: np.ndarray, labels: np.ndarray, c: float) -> np.ndarray:
    """Total variation from the reference after each epoch, of the seed where it is largest."""
    exact = reference_weights_along(reference.exact, record, labels, c)
    if store == "raw float16 p":
        found = reference_weights_along(reference.raw_float16, record, labels, c)
    else:
        found = map(np.asarray, weights_along(store, record, labels, c))
    return np.array([total_variation(w, v).max() for w, v in zip(found, exact, strict=True)])
