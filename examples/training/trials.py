"""Many trainings in one program, a trial each: their keys and initial states."""

import jax
from jax import Array

from examples.training.recipe import Recipe
from examples.training.state import TrainState, init_state


@jax.jit
@jax.vmap
def keys_of(trial: Array) -> tuple[Array, Array]:
    """Keys of a trial's initial weights and plans, the same for every method."""
    initial, plans = jax.random.split(jax.random.key(trial))
    return initial, plans


@jax.jit(static_argnums=(1, 2))
def init_trials(keys: Array, recipe: Recipe, num_examples: int) -> TrainState:
    """`training.init_state` of every trial."""
    return jax.vmap(lambda key: init_state(key, recipe, num_examples))(keys)
