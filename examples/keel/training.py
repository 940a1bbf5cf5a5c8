"""All trainings on one data set, fold and part, side by side. Pure."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import jimb
from examples.keel import draws, models
from examples.keel.losses import LOSSES, Classes, Margin, class_weights
from examples.keel.methods import OWN, SCHEDULES, Family, Numbers


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a program. Hashable."""

    families: tuple[Family, ...]  # all of SHARED, or all of OWN
    model: models.Model
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
    def has_cross_entropy(self) -> bool:
        """Whether it is there: the first training of the first family."""
        return self.families[0] == "softmax"

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
Params = dict[Family, tuple[models.Params, Margin]]  # `[C, ...]`
Batch = tuple[Array, Array]  # inputs and labels, `[B, ...]` for all or `[C, B, ...]`


class Given(NamedTuple):
    """What does not change along a training."""

    rows: Rows
    counts: Array  # [2], of what is trained on
    numbers: Each


class State(NamedTuple):
    """Of the trainings of each family, `[C, ...]`."""

    params: Params
    opt_state: optax.OptState
    seen: dict[Family, draws.Seen]  # empty where all go over the same batches


def train(key: Array, rows: Rows, numbers: Each, recipe: Recipe) -> Array:
    """Scores `[C, N]` of all rows after training; at 0 and above the rarer class is predicted."""
    init_key, round_key = jax.random.split(key)
    counts = jnp.asarray(jimb.class_counts(rows.labels, 2, where=rows.trained))
    given = Given(rows, counts, numbers)

    def one_round(state: State, number: Array) -> tuple[State, None]:
        return run_round(round_key, number, state, given, recipe), None

    state, _ = jax.lax.scan(one_round, start(init_key, given, recipe), jnp.arange(recipe.rounds))
    logits = jnp.concatenate([predict(state, name, rows.inputs) for name in recipe.families])
    return logits[..., 1] - logits[..., 0]


def start(key: Array, given: Given, recipe: Recipe) -> State:
    """Before the first step all trainings are alike."""
    size, features = given.rows.inputs.shape
    model = models.init(key, recipe.model, features, recipe.hidden, given.rows.fan_in)
    one = model, Margin(*jnp.zeros(3))

    def stacked(numbers: Numbers, tree: Any) -> Any:
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (len(numbers.gamma), *x.shape)), tree)

    params = {name: stacked(each, one) for name, each in given.numbers.items()}
    seen = {}
    if recipe.own_plans:
        seen = {name: stacked(each, draws.init(size)) for name, each in given.numbers.items()}
    return State(params, recipe.optimizer.init(params), seen)


def predict(state: State, family: Family, inputs: Array) -> Array:
    """Logits `[C, N, 2]`."""
    one = partial(models.logits_of, inputs=inputs, cosine=family == "cosine")
    logits: Array = jax.vmap(one)(state.params[family][0])
    return logits


def run_round(key: Array, number: Array, state: State, given: Given, recipe: Recipe) -> State:
    """Draws a plan, or one for each training, and goes over it."""
    (plan_key, key), rows = jax.random.split(jax.random.fold_in(key, number)), given.rows

    def step(state: State, batch: tuple[Array, dict[Family, Array]]) -> tuple[State, None]:
        return train_step(key, state, *batch, given, recipe), None

    plans = plans_of(plan_key, number / recipe.rounds, state, given, recipe)
    positions = number * recipe.steps + jnp.arange(recipe.steps)
    state, _ = jax.lax.scan(step, state, (positions, plans))
    update = jax.vmap(draws.update, (0, 0, None))
    seen = {
        name: update(seen, predict(state, name, rows.inputs), rows.labels)
        for name, seen in state.seen.items()
    }
    return state._replace(seen=seen)


def plans_of(
    key: Array, done: Array, state: State, given: Given, recipe: Recipe
) -> dict[Family, Array]:
    """The rows of each step, `[steps, B]` for all of a family or `[steps, C, B]`."""
    rows, num = given.rows, recipe.steps * recipe.batch_size

    def plan(weights: Array) -> Array:
        drawn = jimb.sampling.epoch_plan(key, weights, num, num_examples=len(rows.labels))
        return drawn.reshape(recipe.steps, recipe.batch_size)

    def own(seen: draws.Seen, numbers: Numbers) -> Array:
        share = share_of(numbers, done)
        weights = draws.weights(seen, rows.labels, rows.trained, given.counts, share, numbers)
        return plan(weights)

    if not recipe.own_plans:
        return dict.fromkeys(recipe.families, plan(rows.trained.astype(jnp.float32)))
    each_own = jax.vmap(own, out_axes=1)
    return {name: each_own(seen, given.numbers[name]) for name, seen in state.seen.items()}


def train_step(
    key: Array,
    state: State,
    number: Array,
    plans: dict[Family, Array],
    given: Given,
    recipe: Recipe,
) -> State:
    """A step of each training on its batch."""
    key, done = jax.random.fold_in(key, number), number / (recipe.rounds * recipe.steps)
    batches = {name: batch_of(key, name, given.rows, plan) for name, plan in plans.items()}
    gradients = jax.grad(total_loss)(state.params, batches, done, given, recipe)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    params = {name: (model, at_least_0(margin)) for name, (model, margin) in params.items()}
    return State(params, opt_state, state.seen)


def batch_of(key: Array, family: Family, rows: Rows, positions: Array) -> Batch:
    """Rows at these positions, moved towards others of their class if the family does that."""
    inputs, labels = rows.inputs[positions], rows.labels[positions]
    if family == "interpolated":
        inputs = jax.vmap(jimb.sampling.interpolate_within_class, (None, 0, 0))(key, inputs, labels)
    return inputs, labels


def total_loss(
    params: Params, batches: dict[Family, Batch], done: Array, given: Given, recipe: Recipe
) -> Array:
    """The sum over all trainings, of which each has its own gradient."""

    def loss(name: Family, own: Any, inputs: Array, labels: Array, numbers: Numbers) -> Array:
        model, margin = own
        share = share_of(numbers, done)
        weights = 1 - share + share * class_weights(given.counts, numbers)
        logits = models.logits_of(model, inputs, cosine=name == "cosine")
        return LOSSES[name](logits, labels, numbers, Classes(given.counts, weights), margin)

    batch = 0 if recipe.own_plans else None
    losses = []
    for name in recipe.families:
        side_by_side = jax.vmap(partial(loss, name), (0, batch, batch, 0))
        losses.append(side_by_side(params[name], *batches[name], given.numbers[name]))
    return jnp.concatenate(losses).sum()


def at_least_0(margin: Margin) -> Margin:
    """With no negative alpha."""
    return margin._replace(alpha=jnp.maximum(margin.alpha, 0))


def share_of(numbers: Numbers, done: Array) -> Array:
    """How far the re-balancing is on, from 0 to 1, when this share of the training is done."""
    each = jnp.stack([jnp.ones_like(done), (done >= 0.8).astype(done.dtype), done])
    assert len(each) == len(SCHEDULES)
    share: Array = each[numbers.schedule.astype(int)]
    return share
