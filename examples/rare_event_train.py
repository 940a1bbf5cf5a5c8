"""The training of `rare_event.py`: all trials of one method at once, an epoch a call."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
import train
from flax import nnx
from jax import Array
from train_settings import Sampler

import jimb

BATCH = 256
PSEUDOCOUNT = 1.0
KEPT_NEGATIVES = 0.25  # OHEM: of a batch; its positives are all kept


class MLP(train.MLP):
    """Two hidden layers."""

    def __init__(
        self, features: int, hidden: int, classes: int, *, one_vs_all: bool, rngs: nnx.Rngs
    ) -> None:
        super().__init__(features, hidden, classes, one_vs_all=one_vs_all, rngs=rngs)
        self.second = nnx.Linear(hidden, hidden, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Logits `[..., 2]`."""
        return self.output(nnx.relu(self.second(nnx.relu(self.hidden(images)))))


@dataclasses.dataclass(frozen=True)
class Recipe(train.Recipe):
    """What is compiled: that of `train.py`, the sampler, and whether hard examples are mined."""

    sampler: Sampler = "uniform"
    mined: bool = False

    def model(self, key: Array) -> MLP:
        """A freshly initialised model."""
        sizes = self.features, self.hidden, self.classes
        return MLP(*sizes, one_vs_all=False, rngs=nnx.Rngs(key))


def run_epoch(
    state: train.TrainState, data: train.Data, plan: Array, hyper: train.Hyper, *, recipe: Recipe
) -> tuple[train.TrainState, Array]:
    """`train.run_epoch`, with the mean over the hardest negatives and all positives if mined."""

    def train_step(state: train.TrainState, rows: Array) -> tuple[train.TrainState, Array]:
        features, labels = data.images[rows], data.labels[rows]

        def mean_loss(params: nnx.State) -> Array:
            losses = train.LOSSES[recipe.loss](recipe.apply(params, features), labels, hyper)
            if not recipe.mined:
                return jimb.weighted_mean(losses)
            keep = jnp.array([KEPT_NEGATIVES, 1.0])  # of group 0 and of group 1
            kept = jimb.mining.hard_example_weights(losses, keep=keep, group=labels)
            return jimb.weighted_mean(losses, kept)

        loss, gradients = jax.value_and_grad(mean_loss)(state.params)
        updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return state._replace(step=state.step + 1, params=params, opt_state=opt_state), loss

    return jax.lax.scan(train_step, state, plan.reshape(-1, recipe.batch_size))


@jax.jit(static_argnums=(1, 2))
def init_trials(trials: Array, recipe: Recipe, num_rows: int) -> tuple[train.TrainState, Array]:
    """Initial state and key of the plans of each trial, the same for every method."""

    def one(trial: Array) -> tuple[train.TrainState, Array]:
        initial, plans = jax.random.split(jax.random.key(trial))
        return train.init_state(initial, recipe, num_rows), plans

    return jax.vmap(one)(trials)


@jax.jit(static_argnames="recipe")
def epoch_of_trials(
    keys: Array,
    epoch: int,
    states: train.TrainState,
    last: train.Pass,
    data: train.Data,
    hyper: train.Hyper,
    *,
    recipe: Recipe,
) -> tuple[train.TrainState, train.Pass, Array]:
    """Plan, epoch, and the pass after it where the sampler reads it, for every trial."""

    def one(
        key: Array, state: train.TrainState, last: train.Pass, data: train.Data
    ) -> tuple[train.TrainState, train.Pass, Array]:
        weights = train.sampling_weights(
            recipe.sampler, state.difficulty, last, data, hyper, PSEUDOCOUNT
        )
        num = -(-weights.shape[0] // BATCH) * BATCH
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
        state, losses = run_epoch(state, data, plan, hyper, recipe=recipe)
        if recipe.sampler in ("difficulty", "loss"):
            state, last = train.end_epoch(state, data, recipe=recipe)
        return state, last, losses.mean()

    return jax.vmap(one)(keys, states, last, data)


@jax.jit(static_argnums=2)
def margins_of_trials(states: train.TrainState, features: Array, recipe: Recipe) -> Array:
    """The log-odds of the event, `[S, N]`; unlike the probability they never saturate."""

    def one(state: train.TrainState, features: Array) -> Array:
        logits = train.predict(state, features, recipe=recipe)
        return logits[:, 1] - logits[:, 0]

    return jax.vmap(one)(states, features)
