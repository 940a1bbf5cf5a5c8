"""All trainings on one data set, fold and part, side by side. Pure."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import jimb
from examples.keel import draws
from examples.keel.losses import LOSSES, Classes, Margin, class_weights
from examples.keel.methods import OWN, SCHEDULES, Family, Numbers
from examples.keel.models import Model, Params, init, logits_of


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a program. Hashable."""

    families: tuple[Family, ...]  # all of SHARED, or all of OWN
    model: Model
    hidden: int
    batch_size: int
    rounds: int  # between two of which a plan is drawn
    steps: int  # of a round
    learning_rate: float

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a cosine to 0; elementwise, so that stacked weights need no `vmap`."""
        schedule = optax.cosine_decay_schedule(self.learning_rate, self.rounds * self.steps)
        return optax.adamw(schedule)

    @property
    def own_plans(self) -> bool:
        """Whether each training draws its own rows; otherwise all go over the same batches."""
        return self.families[0] in OWN


class Rows(NamedTuple):
    """One data set, fold and part."""

    inputs: Array  # [N, F], standardised
    labels: Array  # [N]
    trained: Array  # [N]
    fan_in: Array  # features that are no padding


Each = dict[Family, Numbers]  # the numbers of each family's trainings, `[C]` each


class State(NamedTuple):
    """Of the trainings of each family, `[C, ...]`."""

    params: dict[Family, tuple[Params, Margin]]
    opt_state: optax.OptState
    seen: dict[Family, draws.Seen]  # empty where all go over the same batches


def train(key: Array, rows: Rows, numbers: Each, recipe: Recipe) -> Array:
    """Scores `[C, N]` of all rows after training; at 0 and above the rarer class is predicted."""
    init_key, plan_key = jax.random.split(key)
    size, features = rows.inputs.shape
    model = init(init_key, recipe.model, features, recipe.hidden, rows.fan_in)
    one = model, Margin(*jnp.zeros(3))

    def stacked(numbers: Numbers, tree: Any) -> Any:
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (len(numbers.gamma), *x.shape)), tree)

    params = {name: stacked(each, one) for name, each in numbers.items()}
    seen = {}
    if recipe.own_plans:
        seen = {name: stacked(each, draws.init(size)) for name, each in numbers.items()}
    state = State(params, recipe.optimizer.init(params), seen)

    def one_round(state: State, number: Array) -> tuple[State, None]:
        return run_round(plan_key, number, state, rows, numbers, recipe), None

    state, _ = jax.lax.scan(one_round, state, jnp.arange(recipe.rounds))
    logits = jnp.concatenate([predict(state, name, rows.inputs) for name in recipe.families])
    return logits[..., 1] - logits[..., 0]


def predict(state: State, family: Family, inputs: Array) -> Array:
    """Logits `[C, N, 2]`."""
    one = partial(logits_of, inputs=inputs, cosine=family == "cosine")
    logits: Array = jax.vmap(one)(state.params[family][0])
    return logits


def run_round(
    key: Array, number: Array, state: State, rows: Rows, numbers: Each, recipe: Recipe
) -> State:
    """Draws a plan, or one for each training, and goes over it."""
    counts = jnp.asarray(jimb.class_counts(rows.labels, 2, where=rows.trained))
    key = jax.random.fold_in(key, number)
    size, num = len(rows.labels), recipe.steps * recipe.batch_size
    done = number / recipe.rounds

    def plan(weights: Array) -> Array:
        drawn = jimb.sampling.epoch_plan(key, weights, num, num_examples=size)
        return drawn.reshape(recipe.steps, recipe.batch_size)

    def own(seen: draws.Seen, numbers: Numbers) -> Array:
        share = share_of(numbers, done)
        return plan(draws.weights(seen, rows.labels, rows.trained, counts, share, numbers))

    each_own = jax.vmap(own, out_axes=1)
    plans = {name: each_own(seen, numbers[name]) for name, seen in state.seen.items()}
    if not recipe.own_plans:
        plans = dict.fromkeys(recipe.families, plan(rows.trained.astype(jnp.float32)))

    def step(state: State, batch: tuple[Array, dict[Family, Array]]) -> tuple[State, None]:
        return train_step(key, state, *batch, rows, counts, numbers, recipe), None

    positions = number * recipe.steps + jnp.arange(recipe.steps)
    state, _ = jax.lax.scan(step, state, (positions, plans))
    update = jax.vmap(draws.update, (0, 0, None))
    seen = {
        name: update(seen, predict(state, name, rows.inputs), rows.labels)
        for name, seen in state.seen.items()
    }
    return state._replace(seen=seen)


def train_step(
    key: Array,
    state: State,
    number: Array,
    plans: dict[Family, Array],
    rows: Rows,
    counts: Array,
    numbers: Each,
    recipe: Recipe,
) -> State:
    """A step of each training on its batch: `[B]` for all of a family, or `[C, B]`."""
    done = number / (recipe.rounds * recipe.steps)
    batches = {name: (rows.inputs[plan], rows.labels[plan]) for name, plan in plans.items()}
    if "interpolated" in batches:
        moved = jax.vmap(jimb.sampling.interpolate_within_class, (None, 0, 0))
        inputs, labels = batches["interpolated"]
        batches["interpolated"] = moved(jax.random.fold_in(key, number), inputs, labels), labels

    def loss(
        name: Family, params: tuple[Params, Margin], inputs: Array, labels: Array, own: Numbers
    ) -> Array:
        model, margin = params
        share = share_of(own, done)
        weights = 1 - share + share * class_weights(counts, own)
        logits = logits_of(model, inputs, cosine=name == "cosine")
        return LOSSES[name](logits, labels, own, Classes(counts, weights), margin)

    def total(params: dict[Family, tuple[Params, Margin]]) -> Array:
        batch = 0 if recipe.own_plans else None
        losses = [
            jax.vmap(partial(loss, name), (0, batch, batch, 0))(
                params[name], *batches[name], numbers[name]
            )
            for name in recipe.families
        ]
        return jnp.concatenate(losses).sum()

    gradients = jax.grad(total)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    params = {name: (model, at_least_0(margin)) for name, (model, margin) in params.items()}
    return State(params, opt_state, state.seen)


def at_least_0(margin: Margin) -> Margin:
    """With no negative alpha."""
    return margin._replace(alpha=jnp.maximum(margin.alpha, 0))


def share_of(numbers: Numbers, done: Array) -> Array:
    """How far the re-balancing is on, from 0 to 1, when this share of the training is done."""
    each = jnp.stack([jnp.ones_like(done), (done >= 0.8).astype(done.dtype), done])
    assert len(each) == len(SCHEDULES)
    share: Array = each[numbers.schedule.astype(int)]
    return share
