"""Every method of jimb on one long-tailed data set, side by side: README's table of methods.

With no argument: 20 trials of each method on long-tailed digits, five minutes on two cores. All
methods share a trial's images, initial weights and number of steps, and the last epoch counts. The
table is Markdown; `--report` keeps it, with all settings. `--help` lists the options.
"""

import dataclasses
import functools
import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

import benchmark_report
import datasets
import jax
import jax.numpy as jnp
import numpy as np
import parity
import training
import tyro
from benchmark_methods import METHODS, Method
from jax import Array
from tqdm import tqdm
from train_losses import Hyper

import jimb


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare the methods of jimb on one long-tailed data set."""

    dataset: Literal["digits", "mnist", "fashion-mnist"] = "digits"
    """Data set; its training part is made long-tailed."""
    data_dir: str | None = None
    """Folder of the data set's files."""
    largest: int = 120
    """Training images of class 0; those of class k are largest · imbalance^(-k/9)."""
    imbalance: float = 20.0
    """Images of the largest class per image of the smallest."""
    epochs: int = 30
    """Epochs of as many examples as the training set has."""
    seeds: int = 20
    """Trials of each method, paired."""
    seed: int = 0
    """The first of them."""
    only: str = ""
    """Compare only methods with this in their name."""
    report: str = ""
    """File for the table."""

    def __post_init__(self) -> None:
        """Numbers that mean nothing are refused."""
        lowest_of = {"largest": 1, "imbalance": 1, "epochs": 1, "seeds": 2, "seed": 0}
        for name, lowest in lowest_of.items():
            if not getattr(self, name) >= lowest:
                raise ValueError(f"--{name} must be at least {lowest}, got {getattr(self, name)}.")
        if not methods(self.only):
            raise ValueError(f"no method has {self.only!r} in its name.")
        if self.report and not Path(self.report).parent.is_dir():
            raise ValueError(f"--report {self.report} is in no folder; make the folder first.")


BATCH = 64
HELD_OUT = 10  # images of each class, for what must be measured on held-out data

# --------------------------------------------------------------------------------------- task


class Task(NamedTuple):
    """The trials' training sets and their common pool of test images. `S` trials."""

    train: training.Data  # [S, N, ...]
    held_out: training.Data  # [S, 10 K, ...]
    counts: np.ndarray  # [K], of every training set
    statistics: tuple[Array, Array]  # mean and deviation of the training pixels, [S, 1, features]
    test_images: Array  # [T, features], as they are in the file
    test_labels: np.ndarray  # [T]
    tested: np.ndarray  # [S, T]: False where the trial trains on the image or holds it out


def make_task(settings: Settings) -> Task:
    """Draws each trial's training and held-out images."""
    if settings.dataset == "digits":
        images, labels = datasets.load_digits()
        test_images, test_labels = images, labels
    else:
        loaded = datasets.load_idx(settings.dataset, settings.data_dir)
        images, labels, test_images, test_labels = loaded
    sizes = np.round(settings.largest * settings.imbalance ** (-np.arange(10) / 9)).astype(int)
    sizes = np.maximum(1, sizes)
    train_rows, held_out = [], []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        rng = np.random.default_rng(seed)
        both = datasets.take_per_class(labels, sizes + HELD_OUT, rng)
        first = np.concatenate([np.arange(n + HELD_OUT) < n for n in sizes])
        train_rows.append(both[first])
        held_out.append(both[~first])
    index, other = np.stack(train_rows), np.stack(held_out)
    tested = np.ones((settings.seeds, len(test_labels)), bool)
    if settings.dataset == "digits":
        np.put_along_axis(tested, np.concatenate([index, other], axis=1), False, axis=1)
    mean, deviation = datasets.pixel_statistics(images[index])
    return Task(
        training.Data(jnp.asarray((images[index] - mean) / deviation), jnp.asarray(labels[index])),
        training.Data(jnp.asarray((images[other] - mean) / deviation), jnp.asarray(labels[other])),
        np.bincount(labels[index[0]], minlength=10),
        (jnp.asarray(mean), jnp.asarray(deviation)),
        jnp.asarray(test_images),
        test_labels,
        tested,
    )


# ------------------------------------------------------------------------------------ training


def run_method(method: Method, task: Task, settings: Settings, bar: tqdm) -> np.ndarray:
    """Trains all trials of a method at once: recalls on the test images `[S, K]`."""
    _, num_examples, features = task.train.inputs.shape
    num_classes = len(task.counts)
    steps = -(-num_examples // BATCH)
    recipe = training.Recipe(
        features,
        num_classes,
        method.loss,
        batch_size=BATCH,
        steps=steps * settings.epochs,
        rebalance=method.rebalance,
        mining=method.keep is not None,
    )
    keep = 1.0 if method.keep is None else method.keep
    hyper = training.hyper_of(task.counts, weights=method.weights, gamma=method.gamma, keep=keep)
    trials = jnp.arange(settings.seed, settings.seed + settings.seeds)
    init_keys, plan_keys = parity.keys_of(trials)
    state = parity.init_trials(init_keys, recipe, num_examples)
    drawn = init_draws(method, settings.seeds, num_examples, num_classes)
    for epoch in range(settings.epochs):
        keys = jax.vmap(jax.random.fold_in, (0, None))(plan_keys, epoch)
        plans = None
        if method.plan is not None:
            plans = label_plans(method, keys, task, steps * BATCH)
        state, drawn = epoch_of_trials(
            keys, state, drawn, task.train, task.held_out, plans, hyper, method, recipe
        )
        bar.update()
    prior = hyper.prior if method.adjust else None
    predicted = np.asarray(predictions(state, task.statistics, task.test_images, prior, recipe))
    correct = predicted == task.test_labels
    recalls = [
        np.mean(correct, axis=1, where=task.tested & (task.test_labels == k))
        for k in range(num_classes)
    ]
    return np.stack(recalls, axis=1)


@jax.jit(static_argnums=(0, 1, 2, 3))
def init_draws(method: Method, trials: int, num_examples: int, num_classes: int) -> Any:
    """The state of every trial's sampler."""
    one = functools.partial(method.draw.init, num_examples, num_classes)
    return jax.vmap(lambda _: one())(jnp.arange(trials))


def label_plans(method: Method, keys: Array, task: Task, num: int) -> Array:
    """Plans from labels alone, one after the other until there are `num` positions, `[S, num]`."""
    assert method.plan is not None
    rows = []
    for key, labels in zip(keys, np.asarray(task.train.labels), strict=True):
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < num:
            part = jax.random.fold_in(key, len(parts))
            parts.append(np.asarray(method.plan(part, labels, len(task.counts), BATCH)))
        rows.append(np.concatenate(parts)[:num])
    return jnp.asarray(np.stack(rows))


@jax.jit(static_argnames=("method", "recipe"))
def epoch_of_trials(
    keys: Array,
    states: training.TrainState,
    drawn: Any,
    data: training.Data,
    held_out: training.Data,
    plans: Array | None,
    hyper: Hyper,
    method: Method,
    recipe: training.Recipe,
) -> tuple[training.TrainState, Any]:
    """Plan, epoch, and the pass after it that the sampler learns from, for every trial."""

    def one(
        key: Array,
        state: training.TrainState,
        drawn: Any,
        data: training.Data,
        held_out: training.Data,
        plan: Array | None,
    ) -> tuple[training.TrainState, Any]:
        plan_key, epoch_key = jax.random.split(key)
        now = hyper
        if plan is None:
            weights = method.draw.weights(drawn, data.labels, hyper.counts)
            amount = 1 - recipe.share(state.step)
            weights = jimb.sampling.mix_uniform(weights, amount=amount)
            prior = jimb.difficulty.class_prior(weights, data.labels, recipe.classes)
            now = hyper._replace(prior=prior)
            num = -(-data.labels.shape[0] // recipe.batch_size) * recipe.batch_size
            plan = jimb.sampling.epoch_plan(plan_key, weights, num)
        state = method.epoch(epoch_key, state, data, plan, now, recipe)
        seen = held_out if method.draw.held_out else data
        logits = training.predict(state, seen.inputs, recipe=recipe)
        return state, method.draw.update(drawn, logits, seen.labels)

    in_axes = (0, 0, 0, 0, 0, None if plans is None else 0)
    return jax.vmap(one, in_axes)(keys, states, drawn, data, held_out, plans)


@jax.jit(static_argnames="recipe")
def predictions(
    states: training.TrainState,
    statistics: tuple[Array, Array],
    images: Array,
    prior: Array | None,
    recipe: training.Recipe,
) -> Array:
    """The predicted class of every test image in every trial, `[S, T]`."""

    def one(state: training.TrainState, mean: Array, deviation: Array) -> Array:
        logits = training.predict(state, (images - mean) / deviation, recipe=recipe)
        if prior is not None:
            logits = jimb.posthoc.adjust_logits(logits, prior)
        classes: Array = logits.argmax(-1)
        return classes

    classes: Array = jax.lax.map(lambda trial: one(*trial), (states, *statistics))
    return classes


# --------------------------------------------------------------------------------------- main


def methods(only: str) -> tuple[Method, ...]:
    """Cross-entropy, which all are compared to, and the methods with this in their name."""
    chosen = tuple(m for m in METHODS[1:] if only in m.name)
    return METHODS[:1] + chosen if chosen else ()


def run(settings: Settings) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Recalls `[S, K]` of each method, and the training counts `[K]`."""
    task = make_task(settings)
    chosen = methods(settings.only)
    results = {}
    with tqdm(total=len(chosen) * settings.epochs, unit="epoch", disable=None, leave=False) as bar:
        for method in chosen:
            bar.set_description(method.name)
            results[method.name] = run_method(method, task, settings, bar)
    return results, task.counts


def main() -> None:
    """Reads the command line, trains, prints the table."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        results, counts = run(settings)
    except (ValueError, datasets.MissingData) as error:
        sys.exit(f"benchmark.py: {error}")
    page = benchmark_report.page(results, counts, settings)
    print(page)
    if settings.report:
        Path(settings.report).write_text(page + "\n")


if __name__ == "__main__":
    main()
