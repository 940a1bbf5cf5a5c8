"""The compiled epoch, and the measures of a trained model."""

from functools import partial
from typing import NamedTuple

import jax
from flax import nnx
from jax import Array

import jimb
from examples.multi_label.methods import Method, Tables
from examples.multi_label.network import Recipe, State, init_state, logits_of, train_step
from examples.training import Data

start = partial(jax.jit, static_argnames=("method", "recipe"))(init_state)


class Scores(NamedTuple):
    """Of each label, `[K]`; shares of 1."""

    at_half: Array  # F1 at a probability of ½
    chosen: Array  # F1 at the label's own threshold, chosen on validation data
    average_precision: Array


@partial(jax.jit, static_argnames=("method", "recipe"), donate_argnames="state")
def run_epoch(
    key: Array,
    state: State,
    data: Data,
    weights: Array,
    tables: Tables,
    *,
    method: Method,
    recipe: Recipe,
) -> tuple[State, Array]:
    """Draws a plan by weights `[N]`, and trains on it: `(state, loss of each step)`."""
    num_steps = -(-len(weights) // recipe.batch_size)
    plan = jimb.sampling.epoch_plan(key, weights, num_steps * recipe.batch_size)

    def step(state: State, positions: Array) -> tuple[State, Array]:
        batch = Data(data.inputs[positions], data.labels[positions])
        return train_step(state, batch, tables, method=method, recipe=recipe)

    return jax.lax.scan(step, state, plan.reshape(num_steps, recipe.batch_size))


@partial(jax.jit, static_argnames="recipe")
def score(params: nnx.State, validation: Data, test: Data, *, recipe: Recipe) -> Scores:
    """Of each label by itself; its threshold has the largest F1 on validation data."""
    known, logits = (logits_of(params, x.inputs, recipe=recipe) for x in (validation, test))

    def of_label(
        known: Array, answers: Array, logits: Array, labels: Array
    ) -> tuple[Array, Array, Array]:
        choice = jimb.posthoc.choose_threshold(
            jax.nn.sigmoid(known), answers, criterion=jimb.metrics.f1
        )
        p = jax.nn.sigmoid(logits)
        ranking = jimb.metrics.average_precision(logits, labels)
        return f1(p >= 0.5, labels), f1(p >= choice.value, labels), ranking

    return Scores(
        *jax.vmap(of_label, in_axes=1)(
            known, validation.labels.astype(int), logits, test.labels.astype(int)
        )
    )


def f1(predicted: Array, labels: Array) -> Array:
    """Of one label."""
    state = jimb.metrics.update(jimb.metrics.init(2), predicted.astype(int), labels)
    score: Array = jimb.metrics.f1(state)
    return score
