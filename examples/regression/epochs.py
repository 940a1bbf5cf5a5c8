"""Every training, of all seeds and methods, in one compiled program, and what it predicts."""

from functools import partial

import jax
from flax import nnx
from jax import Array

from examples.regression.network import Recipe, Rows, State, init_state, predict, train_step


def train(init_key: Array, plan_key: Array, rows: Rows, recipe: Recipe) -> nnx.State:
    """One training; each epoch is a new order of the rows, less what fills no batch."""
    num_rows, batch_size = len(rows.targets), recipe.batch_size

    def step(state: State, positions: Array) -> tuple[State, None]:
        batch = Rows(*(column[positions] for column in rows))
        return train_step(state, batch, recipe), None

    def epoch(state: State, key: Array) -> tuple[State, None]:
        order = jax.random.permutation(key, num_rows)[: recipe.steps * batch_size]
        return jax.lax.scan(step, state, order.reshape(recipe.steps, batch_size))

    keys = jax.random.split(plan_key, recipe.epochs)
    state, _ = jax.lax.scan(epoch, init_state(init_key, recipe), keys)
    return state.params


@partial(jax.jit, static_argnames="recipe")
def train_all(keys: tuple[Array, Array], rows: Rows, test: Array, *, recipe: Recipe) -> Array:
    """Predictions `[S, M, n]` of test inputs `[S, n, F]`, after the last step.

    Keys are `[S]` and inputs `[S, N, F]`, which the methods share; targets and weights are
    `[S, M, N]`.
    """

    def of_method(init_key: Array, plan_key: Array, rows: Rows, test: Array) -> Array:
        return predict(train(init_key, plan_key, rows, recipe), test, recipe)

    of_seed = jax.vmap(of_method, in_axes=(None, None, Rows(None, 0, 0), None))  # type: ignore[arg-type]
    return jax.vmap(of_seed)(*keys, rows, test)
