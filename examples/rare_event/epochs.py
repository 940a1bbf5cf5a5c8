"""The training of all trials of one method at once, an epoch a call."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

import jimb
from examples import training
from examples.training import Hyper, Sampler

BATCH = 256
PSEUDOCOUNT = 1.0
KEPT_NEGATIVES = 0.25  # OHEM: of a batch; its positives are all kept


class MLP(training.MLP):
    """Two hidden layers."""

    def __init__(
        self, features: int, hidden: int, classes: int, *, loss: str, rngs: nnx.Rngs
    ) -> None:
        super().__init__(features, hidden, classes, loss=loss, rngs=rngs)
        self.second = nnx.Linear(hidden, hidden, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Logits `[..., 2]`."""
        return self.output(nnx.relu(self.second(nnx.relu(self.hidden(images)))))


@dataclasses.dataclass(frozen=True)
class Recipe(training.Recipe):
    """What is compiled: that of `examples/training`, and the sampler."""

    sampler: Sampler = "uniform"

    def model(self, key: Array) -> MLP:
        """A freshly initialised model."""
        return MLP(self.features, self.hidden, self.classes, loss=self.loss, rngs=nnx.Rngs(key))

    def kept(self, losses: Array, labels: Array, hyper: Hyper) -> Array | None:
        """Weights of a batch's mean, if mined: its hardest negatives and all positives."""
        if not self.mining:
            return None
        keep = jnp.array([KEPT_NEGATIVES, 1.0])  # of group 0 and of group 1
        weights: Array = jimb.mining.hard_example_weights(losses, keep=keep, group=labels)
        return weights


@jax.jit(static_argnames="recipe")
def epoch_of_trials(
    keys: Array,
    epoch: int,
    states: training.TrainState,
    last: training.Pass,
    data: training.Data,
    hyper: Hyper,
    *,
    recipe: Recipe,
) -> tuple[training.TrainState, training.Pass, Array]:
    """Plan, epoch, and the pass after it where the sampler reads it, for every trial."""

    def one(
        key: Array, state: training.TrainState, last: training.Pass, data: training.Data
    ) -> tuple[training.TrainState, training.Pass, Array]:
        weights = training.sampling_weights(
            recipe.sampler, state.difficulty, last, data, hyper, PSEUDOCOUNT
        )
        num = -(-weights.shape[0] // BATCH) * BATCH
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
        state, losses = training.run_epoch(state, data, plan, hyper, recipe=recipe)
        if recipe.sampler in ("difficulty", "loss"):
            state, last = training.end_epoch(state, data, recipe=recipe)
        return state, last, losses.mean()

    return jax.vmap(one)(keys, states, last, data)


@jax.jit(static_argnums=2)
def margins_of_trials(states: training.TrainState, features: Array, recipe: Recipe) -> Array:
    """The log-odds of the event, `[S, N]`; unlike the probability they never saturate."""

    def one(state: training.TrainState, features: Array) -> Array:
        logits = training.predict(state, features, recipe=recipe)
        return logits[:, 1] - logits[:, 0]

    return jax.vmap(one)(states, features)
