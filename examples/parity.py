"""Odd or even? The task in which class weights hurt the rare images and difficulty helps them.

Digits are classed as odd or even. The even class is the larger one, but inside it digit 8 is rare:
120 images each of 0, 2, 4 and 6, ten of 8, and 25 of each odd digit. A class weight sees only that
"even" is frequent, and turns down the 8s with it. Instance difficulty looks at each image.

Every method starts from the same images and the same initial weights in each of `--seeds` trials,
which train together in one `jax.vmap`. Prints a table, writes a figure.
"""

import dataclasses
import functools
import sys
from pathlib import Path
from typing import Literal, NamedTuple

import datasets
import jax
import jax.numpy as jnp
import numpy as np
import training
import tyro
from jax import Array
from parity_report import draw_figure, table
from tqdm import tqdm
from train_losses import Hyper
from train_settings import Sampler, Weights

import jimb

# ----------------------------------------------------------------------------------- settings


@dataclasses.dataclass(frozen=True)
class Settings:
    """The odd/even task with digit 8 rare, for every method, over paired seeds."""

    seeds: int = 50
    """Trials, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    long: bool = False
    """More images (120 / 20 / 40) and 40 epochs in place of 15: part of an effect is only faster
    convergence."""
    dataset: Literal["digits", "mnist"] = "digits"
    """digits comes with scikit-learn; mnist needs its files."""
    data_dir: str | None = None
    """Folder of the MNIST files."""
    figure: str = "out/parity.png"
    """Where the figure goes."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}.")


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    family: str
    loss: str = "ce"
    weights: Weights = "none"
    sampler: Sampler = "uniform"
    pseudocount: float = 1.0


METHODS = (
    Method("cross-entropy (CE)", "none"),
    Method("inverse-frequency CE", "class weights", weights="inverse"),
    Method("CB-softmax", "class weights", loss="cb-softmax"),
    Method("focal", "focal", loss="focal"),
    Method("CB-focal", "class weights", loss="cb-focal"),
    Method("difficulty, c = 1 (default)", "instance sampling", sampler="difficulty"),
    Method("difficulty, c = 0.1", "instance sampling", sampler="difficulty", pseudocount=0.1),
    Method("sampling by current loss", "baseline sampling", sampler="loss"),
    Method("sampling by du + dl", "baseline sampling", sampler="delta"),
)
BETA, GAMMA = 0.9999, 2.0
BATCH = 64

# --------------------------------------------------------------------------------------- task


class Task(NamedTuple):
    """The trials' training sets and the common test images."""

    train: training.Data  # leading axis: the trial
    train_digits: np.ndarray  # [S, N]
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, 1, features]
    test_images: Array  # [T, features], as they are in the file
    test_digits: np.ndarray  # [T]
    tested: np.ndarray  # [S, T]: False where the trial trains on the image
    epochs: int


def make_task(settings: Settings) -> Task:
    """Draws each trial's training images; all remaining images are its test set."""
    if settings.dataset == "digits":
        images, digits = datasets.load_digits()
        test_images, test_digits = images, digits
    else:
        images, digits, test_images, test_digits = datasets.load_idx("mnist", settings.data_dir)
    others, eights, odds, epochs = (120, 20, 40, 40) if settings.long else (120, 10, 25, 15)
    sizes = np.array([others, odds] * 4 + [eights, odds])
    trials = range(settings.seed, settings.seed + settings.seeds)
    rows = [datasets.take_per_class(digits, sizes, np.random.default_rng(s)) for s in trials]
    index = np.stack(rows)
    tested = np.ones((len(index), len(test_digits)), bool)
    if settings.dataset == "digits":
        np.put_along_axis(tested, index, False, axis=1)
    mean, deviation = datasets.pixel_statistics(images[index])
    data = training.Data(
        jnp.asarray((images[index] - mean) / deviation), jnp.asarray(digits[index] % 2)
    )
    statistics = jnp.asarray(mean), jnp.asarray(deviation)
    return Task(
        data, digits[index], statistics, jnp.asarray(test_images), test_digits, tested, epochs
    )


# ------------------------------------------------------------------------------------ training


class Result(NamedTuple):
    """What one method did: recalls, and what its sampler looked at in each epoch."""

    recalls: np.ndarray  # [S, 10]
    mass_on_eights: np.ndarray  # [epochs, S]
    difficulty_of_eights: np.ndarray  # [epochs, S]: mean over the 8s
    difficulty_of_rest: np.ndarray


def run_method(method: Method, task: Task, settings: Settings, bar: tqdm) -> Result:
    """Trains all trials of one method at once."""
    num_trials, num_examples, features = task.train.inputs.shape
    steps = -(-num_examples // BATCH)
    recipe = training.Recipe(features, 2, method.loss, batch_size=BATCH, steps=steps * task.epochs)
    counts = jimb.class_counts(np.asarray(task.train.labels[0]), 2)
    hyper = training.hyper_of(counts, weights=method.weights, gamma=GAMMA, beta=BETA)
    pseudocount = jnp.float32(method.pseudocount)
    trials = jnp.arange(settings.seed, settings.seed + num_trials)
    init_keys, plan_keys = keys_of(trials)
    eights = task.train_digits == 8

    state = init_trials(init_keys, recipe, num_examples)
    last = training.Pass(jnp.ones((num_trials, num_examples)), jnp.ones((num_trials, num_examples)))
    history: list[tuple[np.ndarray, ...]] = []
    for epoch in range(task.epochs):
        draw = sampling_of_trials(
            method.sampler, state.difficulty, last, task.train, hyper, pseudocount
        )
        state, last = epoch_of_trials(
            plan_keys, epoch, state, task.train, draw, hyper, recipe=recipe
        )
        share = np.asarray(draw / draw.sum(1, keepdims=True))
        score = np.asarray(score_of_trials(state.difficulty, pseudocount))
        history.append(
            (
                (share * eights).sum(1),
                np.mean(score, axis=1, where=eights),
                np.mean(score, axis=1, where=~eights),
            )
        )
        bar.update()
    predicted = predictions_of_trials(state, task.statistics, task.test_images, recipe)
    correct = np.asarray(predicted) == task.test_digits % 2
    recalls = [
        np.mean(correct, axis=1, where=task.tested & (task.test_digits == k)) for k in range(10)
    ]
    return Result(np.stack(recalls, axis=1), *(np.stack(h) for h in zip(*history, strict=True)))


@jax.jit
@jax.vmap
def keys_of(trial: Array) -> tuple[Array, Array]:
    """Keys of a trial's initial weights and plans, the same for every method."""
    initial, plans = jax.random.split(jax.random.key(trial))
    return initial, plans


@jax.jit(static_argnums=(1, 2))
def init_trials(keys: Array, recipe: training.Recipe, num_examples: int) -> training.TrainState:
    """`training.init_state` of every trial."""
    return jax.vmap(lambda key: training.init_state(key, recipe, num_examples))(keys)


@jax.jit(static_argnums=0)
def sampling_of_trials(
    sampler: Sampler,
    difficulty: jimb.difficulty.DifficultyState,
    last: training.Pass,
    data: training.Data,
    hyper: Hyper,
    pseudocount: Array,
) -> Array:
    """`training.sampling_weights` of every trial, `[S, N]`."""
    one = functools.partial(training.sampling_weights, sampler)
    vmapped = jax.vmap(one, in_axes=(0, 0, 0, None, None))
    return vmapped(difficulty, last, data, hyper, pseudocount)


@jax.jit
def score_of_trials(difficulty: jimb.difficulty.DifficultyState, pseudocount: Array) -> Array:
    """`jimb.difficulty.score` of every trial, `[S, N]`."""
    return jax.vmap(lambda state: jimb.difficulty.score(state, pseudocount=pseudocount))(difficulty)


@jax.jit(static_argnames="recipe")
def epoch_of_trials(
    keys: Array,
    epoch: int,
    states: training.TrainState,
    data: training.Data,
    weights: Array,
    hyper: Hyper,
    *,
    recipe: training.Recipe,
) -> tuple[training.TrainState, training.Pass]:
    """Plan, epoch and the pass after it, for every trial."""

    def one(
        key: Array, state: training.TrainState, data: training.Data, weights: Array
    ) -> tuple[training.TrainState, training.Pass]:
        num = -(-weights.shape[0] // BATCH) * BATCH
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
        prior = jimb.difficulty.class_prior(weights, data.labels, recipe.classes)
        drawn = hyper._replace(prior=prior)
        state, _ = training.run_epoch(state, data, plan, drawn, recipe=recipe)
        return training.end_epoch(state, data, recipe=recipe)

    return jax.vmap(one)(keys, states, data, weights)


@jax.jit(static_argnums=3)
def predictions_of_trials(
    states: training.TrainState,
    statistics: tuple[Array, Array],
    images: Array,
    recipe: training.Recipe,
) -> Array:
    """The predicted class of every test image in every trial, `[S, T]`."""

    def one(state: training.TrainState, mean: Array, deviation: Array) -> Array:
        return training.predict(state, (images - mean) / deviation, recipe=recipe).argmax(-1)

    return jax.vmap(one)(states, *statistics)


# --------------------------------------------------------------------------------------- main


def run(settings: Settings) -> dict[str, Result]:
    """Every method, in the order of the table."""
    task = make_task(settings)
    total = len(METHODS) * task.epochs
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        results = {}
        for method in METHODS:
            bar.set_description(method.name)
            results[method.name] = run_method(method, task, settings, bar)
    return results


def main() -> None:
    """Reads the command line, trains, prints the table, draws the figure."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        results = run(settings)
        variant = "long variant" if settings.long else "15 epochs"
        title = f"odd or even on {settings.dataset}, {variant}, {settings.seeds} paired seeds"
        print(f"Recall in per cent (paired difference to CE ± its standard error), {title}:\n")
        print(table(results))
        draw_figure(results, METHODS, Path(settings.figure), title)
        print(f"\nfigure: {settings.figure}")
    except (ValueError, OSError) as error:
        sys.exit(f"parity.py: {error}")


if __name__ == "__main__":
    main()
