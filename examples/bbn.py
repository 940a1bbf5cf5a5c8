"""The bilateral-branch network (BBN), on long-tailed images.

Two branches share a trunk. One sees batches drawn uniformly, the other batches in which class c
comes with probability proportional to 1 / n_c. Their features are mixed by α into one classifier,
and so are their losses; α falls as 1 - (t/T)² over the epochs t, so that the network learns to
represent first and turns to the rare classes later. At inference both branches see the same image,
with α = ½.

Cross-entropy (CE) is the same network with one batch for both branches and α = ½: a plain MLP.
So every row of the table has the same parameters, initial weights and images, and all rows with the
same number of epochs share one compiled program; the seeds train together in one `jax.vmap`.

Reference: Zhou et al., BBN: Bilateral-Branch Network with Cumulative Learning for Long-Tailed
Visual Recognition, CVPR 2020.
"""

import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

import datasets
import files
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from bbn_report import Outcome, describe, page, table
from bbn_settings import METHODS, Adaptor, DatasetName, Method, Settings
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from parity import keys_of
from tqdm import tqdm
from training import Data

import jimb

# ----------------------------------------------------------------------------------- schedule


def adaptor_of(name: Adaptor, epochs: int) -> optax.Schedule:
    """The weight α of the uniform branch in each epoch, counted from 0."""
    if name == "cumulative":  # 1 - (t/T)² is the rise 1 - (1 - s)² read backwards
        rise = optax.polynomial_schedule(0.0, 1.0, power=2, transition_steps=epochs)
        return lambda epoch: rise(epochs - epoch)
    if name == "linear":
        return optax.linear_schedule(1.0, 0.0, epochs)
    return optax.constant_schedule(0.5)


# -------------------------------------------------------------------------------------- model


class TwoBranches(nnx.Module):
    """A shared trunk, a last block for each branch, one classifier on both."""

    def __init__(self, features: int, hidden: int, classes: int, *, rngs: nnx.Rngs) -> None:
        self.trunk = nnx.Linear(features, hidden, rngs=rngs)
        self.uniform = nnx.Linear(hidden, hidden, rngs=rngs)
        self.reversed = nnx.Linear(hidden, hidden, rngs=rngs)
        self.output = nnx.Linear(2 * hidden, classes, rngs=rngs)

    def __call__(self, first: Array, second: Array, alpha: ArrayLike) -> Array:
        """Logits `[..., classes]` of the mixed features."""
        f_a = nnx.relu(self.uniform(nnx.relu(self.trunk(first))))
        f_b = nnx.relu(self.reversed(nnx.relu(self.trunk(second))))
        mixed = 2 * jnp.concatenate([alpha * f_a, (1 - alpha) * f_b], axis=-1)
        return self.output(mixed)


class TrainState(NamedTuple):
    """Everything that changes."""

    params: nnx.State
    opt_state: optax.OptState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a training: model, optimiser, shapes. Hashable."""

    features: int
    classes: int
    hidden: int
    batch_size: int
    steps: int  # of one epoch
    epochs: int
    learning_rate: float

    def model(self, key: Array) -> TwoBranches:
        """A freshly initialised model."""
        return TwoBranches(self.features, self.hidden, self.classes, rngs=nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """SGD with momentum and weight decay. Adam would undo the α of a branch's gradients."""
        rate = optax.cosine_decay_schedule(self.learning_rate, self.steps * self.epochs)
        return optax.chain(optax.add_decayed_weights(2e-4), optax.sgd(rate, momentum=0.9))

    def apply(self, params: nnx.State, first: Array, second: Array, alpha: ArrayLike) -> Array:
        """Logits; pure."""
        graphdef = nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))
        logits: Array = nnx.merge(graphdef, params, copy=True)(first, second, alpha)
        return logits

    def predict(self, params: nnx.State, images: Array) -> Array:
        """Logits at inference: both branches see the image, α = ½."""
        return self.apply(params, images, images, 0.5)


# -------------------------------------------------------------------------------- one epoch


def mixed_loss(
    params: nnx.State, images: Array, labels: Array, alpha: Array, *, recipe: Recipe
) -> Array:
    """`α·CE(y_a) + (1 - α)·CE(y_b)`, the mean over a batch `[2, B]` of pairs."""
    logits = recipe.apply(params, images[0], images[1], alpha)
    losses = jimb.softmax_cross_entropy_loss(jnp.stack([logits, logits]), labels)
    return jimb.weighted_mean(losses, jnp.stack([alpha, 1 - alpha]))


def run_epoch(
    state: TrainState, data: Data, plans: Array, alpha: Array, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """Trains on the positions of `plans`, one for each branch: `(state, loss of each step)`."""

    def train_step(state: TrainState, positions: Array) -> tuple[TrainState, Array]:
        loss, gradients = jax.value_and_grad(mixed_loss)(
            state.params, data.inputs[positions], data.labels[positions], alpha, recipe=recipe
        )
        updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
        return TrainState(optax.apply_updates(state.params, updates), opt_state), loss

    batches = plans.reshape(2, -1, recipe.batch_size).swapaxes(0, 1)
    return jax.lax.scan(train_step, state, batches)


def draw_plans(
    key: Array, labels: Array, counts: Array, powers: Array, streams: Array, num: int
) -> Array:
    """A plan of `num` positions for each branch, `[2, num]`; equal streams and powers, one plan."""

    def one(power: Array, stream: Array) -> Array:
        weights = jimb.sampling.class_power(labels, counts, power=power)
        return jimb.sampling.epoch_plan(jax.random.fold_in(key, stream), weights, num)

    return jax.vmap(one)(powers, streams)


# --------------------------------------------------------------------- every trial, compiled


@jax.jit(static_argnames="recipe")
def init_trials(keys: Array, *, recipe: Recipe) -> TrainState:
    """The state of every trial before its first epoch."""

    def one(key: Array) -> TrainState:
        params = nnx.state(recipe.model(key), nnx.Param)
        return TrainState(params, recipe.optimizer.init(params))

    return jax.vmap(one)(keys)


@jax.jit(static_argnames="recipe", donate_argnames="states")
def epoch_of_trials(
    keys: Array,
    epoch: Array,
    states: TrainState,
    data: Data,
    counts: Array,
    powers: Array,
    streams: Array,
    alpha: Array,
    *,
    recipe: Recipe,
) -> tuple[TrainState, Array]:
    """Plans and epoch of every trial; powers, streams and α are traced: methods share it."""

    def one(key: Array, state: TrainState, data: Data) -> tuple[TrainState, Array]:
        key, num = jax.random.fold_in(key, epoch), recipe.steps * recipe.batch_size
        plans = draw_plans(key, data.labels, counts, powers, streams, num)
        return run_epoch(state, data, plans, alpha, recipe=recipe)

    return jax.vmap(one)(keys, states, data)


# --------------------------------------------------------------------------------------- task


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: Data  # leading axis: the trial
    counts: np.ndarray  # [K], the same in every trial
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, features]
    test: Data
    tested: Array  # [S, T]: False where the trial trains on the image


def make_task(name: DatasetName, settings: Settings) -> Task:
    """Draws each trial's long-tailed training set; digits tests on all remaining images."""
    if name == "digits":
        images, labels = test_images, test_labels = datasets.load_digits()
        largest = 120 if settings.largest is None else settings.largest
    else:
        images, labels, test_images, test_labels = datasets.load_idx(name, settings.data_dir)
        largest = 500 if settings.largest is None else settings.largest
    index = np.stack(
        [
            datasets.long_tail(labels, largest, settings.imbalance, np.random.default_rng(trial))
            for trial in range(settings.seed, settings.seed + settings.seeds)
        ]
    )
    tested = np.ones((len(index), len(test_labels)), bool)
    if name == "digits":
        np.put_along_axis(tested, index, False, axis=1)
    mean, deviation = datasets.pixel_statistics(images[index])
    return Task(
        Data(jnp.asarray((images[index] - mean) / deviation), jnp.asarray(labels[index])),
        np.asarray(jimb.class_counts(labels[index[0]], 10)),
        (jnp.asarray(mean[:, 0]), jnp.asarray(deviation[:, 0])),
        Data(jnp.asarray(test_images), jnp.asarray(test_labels)),
        jnp.asarray(tested),
    )


@jax.jit(static_argnames="recipe")
def measure_trials(params: nnx.State, task: Task, *, recipe: Recipe) -> Array:
    """Balanced accuracy, and that of the many-, medium- and few-shot classes, `[S, 4]`."""

    def one(params: nnx.State, mean: Array, deviation: Array, tested: Array) -> Array:
        def predict(image: Array) -> Array:
            return recipe.predict(params, (image - mean) / deviation).argmax(-1)

        predictions = jax.lax.map(predict, task.test.inputs, batch_size=1024)
        confusion = jimb.metrics.init(recipe.classes)
        confusion = jimb.metrics.update(confusion, predictions, task.test.labels, where=tested)
        shots = jimb.metrics.shot_accuracy(confusion, task.counts)
        return jnp.stack([jimb.metrics.balanced_accuracy(confusion), *shots])

    return jax.vmap(one)(params, *task.statistics, task.tested)


# ------------------------------------------------------------------------------ the host's loop


def recipe_of(name: DatasetName, task: Task, settings: Settings) -> Recipe:
    """The recipe of every method on a task."""
    _, num_examples, features = task.train.inputs.shape
    usual = 0.1 if name == "digits" else 0.03
    return Recipe(
        features=features,
        classes=len(task.counts),
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=-(-num_examples // settings.batch_size),
        epochs=settings.epochs,
        learning_rate=usual if settings.learning_rate is None else settings.learning_rate,
    )


def run_method(
    method: Method, task: Task, recipe: Recipe, settings: Settings, bar: tqdm
) -> np.ndarray:
    """Trains all trials of one method at once; its measures after the last epoch, `[S, 4]`."""
    recipe = dataclasses.replace(recipe, epochs=method.times * recipe.epochs)
    adaptor = adaptor_of(method.adaptor, recipe.epochs)
    trials = jnp.arange(settings.seed, settings.seed + settings.seeds)
    init_keys, plan_keys = keys_of(trials)
    counts, powers = jnp.asarray(task.counts), jnp.asarray(method.powers, jnp.float32)
    streams = jnp.array([0, 0] if method.one_batch else [0, 1])
    states = init_trials(init_keys, recipe=recipe)
    for epoch in range(recipe.epochs):
        alpha = jnp.asarray(adaptor(epoch), jnp.float32)
        states, losses = epoch_of_trials(
            plan_keys,
            jnp.int32(epoch),
            states,
            task.train,
            counts,
            powers,
            streams,
            alpha,
            recipe=recipe,
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss of {method.name} is not finite in epoch {epoch}: lower --learning-rate."
            )
        bar.update()
    return np.asarray(measure_trials(states.params, task, recipe=recipe))


def run(name: DatasetName, settings: Settings) -> Outcome:
    """Every method on one data set, in the order of the table."""
    task = make_task(name, settings)
    recipe = recipe_of(name, task, settings)
    total = sum(method.times for method in METHODS) * recipe.epochs
    measures = {}
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for method in METHODS:
            bar.set_description(f"{name}: {method.name}")
            measures[method.name] = run_method(method, task, recipe, settings, bar)
    params = nnx.eval_shape(lambda: nnx.state(recipe.model(jax.random.key(0)), nnx.Param))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    return Outcome(name, task.counts, recipe, parameters, measures)


def main() -> None:
    """Reads the command line, trains, prints the tables, writes the page."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        outcomes = [run(name, settings) for name in settings.dataset]
        for outcome in outcomes:
            print(f"{describe(outcome, settings)}\n\n{table(outcome)}\n")
        if settings.report is not None:
            files.write(Path(settings.report), page(outcomes, settings))
            print(f"page: {settings.report}")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"bbn.py: {error}")


if __name__ == "__main__":
    main()
