"""Every method of jimb on every data set, side by side: README's tables of methods.

With no argument: all methods on all tasks whose data are here, five trials of each (twenty on
digits). All methods share a trial's examples, initial weights and number of steps, and the last
epoch counts, never the best one. What is done is kept under `--results`: started again, it goes on
from there. `--page`, `--readme` and `--figure` say where the outcome goes. `--help` lists all.
"""

import dataclasses
import functools
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import benchmark_report
import benchmark_results
import datasets
import files
import jax
import jax.numpy as jnp
import numpy as np
import parity
import training
import tyro
from benchmark_methods import METHODS, Compiled, Method, misfit
from benchmark_report import Outcome
from benchmark_results import Result
from benchmark_tasks import TASKS, Spec, Task
from jax import Array
from tqdm import tqdm
from train_losses import Hyper

import jimb


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare the methods of jimb on every data set."""

    task: str = ""
    """Run only this task; all whose data are here if left out."""
    only: str = ""
    """Run only methods with this in their name, and cross-entropy, which they are compared to."""
    seeds: int | None = None
    """Trials of each method, paired; five, and twenty on digits, if left out."""
    seed: int = 0
    """The first of them."""
    epochs: int | None = None
    """Epochs of as many examples as the training set has; each task's own if left out."""
    data_dir: str | None = None
    """Folder of the data set's files; needs --task."""
    results: str = "out/benchmark"
    """Folder of the results, a small file for each task and method. What is there is not run."""
    page: str = ""
    """File for the tables."""
    readme: str = ""
    """File between whose markers the summary goes, as in README.md."""
    figure: str = ""
    """File for the figure, a PNG."""

    def __post_init__(self) -> None:
        """Numbers that mean nothing are refused."""
        for name, lowest in {"epochs": 1, "seeds": 2, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and not value >= lowest:
                raise ValueError(f"--{name} must be at least {lowest}, got {value}.")
        if self.task and self.task not in TASKS:
            raise ValueError(f"--task {self.task} is none of {', '.join(TASKS)}.")
        if self.data_dir is not None and not self.task:
            raise ValueError("--data-dir is the folder of one data set: add --task.")
        if not methods(self.only):
            raise ValueError(f"no method has {self.only!r} in its name.")
        for name in ("page", "readme", "figure"):
            path = getattr(self, name)
            if path and not Path(path).parent.is_dir():
                raise ValueError(f"--{name} {path} is in no folder; make the folder first.")
        if self.readme and not Path(self.readme).is_file():
            raise ValueError(f"--readme {self.readme} is not there; the markers must be in it.")

    def spec_of(self, name: str) -> Spec:
        """The task with what the command line changes in it."""
        changed = {key: getattr(self, key) for key in ("seeds", "epochs")}
        given = {key: value for key, value in changed.items() if value is not None}
        return dataclasses.replace(TASKS[name], **given)


# ------------------------------------------------------------------------------------ training


def recipe_of(method: Method, task: Task, spec: Spec) -> training.Recipe:
    """What is compiled into a training of this method."""
    _, num_examples, features = task.train.inputs.shape
    num_classes = len(task.counts)
    batch_size = method.batch(num_classes, spec.batch_size)
    return training.Recipe(
        features,
        num_classes,
        method.loss,
        architecture=spec.architecture,
        shape=task.shape,
        vocabulary=task.vocabulary,
        hidden=spec.hidden,
        batch_size=batch_size,
        steps=-(-num_examples // batch_size) * spec.epochs,
        learning_rate=spec.learning_rate,
        rebalance=method.rebalance,
        mining=method.keep is not None,
    )


def run_method(method: Method, task: Task, spec: Spec, seed: int, bar: tqdm) -> np.ndarray:
    """Trains all trials of a method at once: test examples `[S, G, K]` by group and prediction."""
    num_trials, num_examples, _ = task.train.inputs.shape
    recipe = recipe_of(method, task, spec)
    keep = 1.0 if method.keep is None else method.keep
    hyper = training.hyper_of(task.counts, weights=method.weights, gamma=method.gamma, keep=keep)
    init_keys, plan_keys = parity.keys_of(jnp.arange(seed, seed + num_trials))
    state = parity.init_trials(init_keys, recipe, num_examples)
    compiled = Compiled.of(method)
    drawn = init_draws(compiled, num_trials, num_examples, recipe.classes)
    spared = jnp.asarray(task.spared)
    for epoch in range(spec.epochs):
        keys = jax.vmap(jax.random.fold_in, (0, None))(plan_keys, epoch)
        plans = None
        if method.plan is not None:
            num = recipe.steps // spec.epochs * recipe.batch_size
            plans = label_plans(method, keys, task, num, recipe.batch_size)
        state, drawn = epoch_of_trials(
            keys, state, drawn, task.train, task.held_out, spared, plans, hyper, compiled, recipe
        )
        bar.update()
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params)):
        raise FloatingPointError(f"{method.name} has left the finite numbers: lower its rate.")
    prior = hyper.prior if method.adjust else None
    tested = jnp.asarray(task.tested)
    predicted = predictions(state, task.statistics, task.pool, tested, prior, recipe)
    return confusion_of(task, np.asarray(predicted))


def confusion_of(task: Task, predicted: np.ndarray) -> np.ndarray:
    """Test examples of each group that are called each class, `[S, G, K]`."""
    num_groups, num_classes = len(task.class_of_group), len(task.counts)
    cells = task.groups[task.tested] * num_classes + predicted
    size = num_groups * num_classes
    counted = np.stack([np.bincount(trial, minlength=size) for trial in cells])
    return counted.reshape(-1, num_groups, num_classes)


@jax.jit(static_argnums=(0, 1, 2, 3))
def init_draws(method: Compiled, trials: int, num_examples: int, num_classes: int) -> Any:
    """The state of every trial's sampler."""
    one = functools.partial(method.draw.init, num_examples, num_classes)
    return jax.vmap(lambda _: one())(jnp.arange(trials))


def label_plans(method: Method, keys: Array, task: Task, num: int, batch_size: int) -> Array:
    """Plans from labels alone, one after the other until there are `num` positions, `[S, num]`."""
    assert method.plan is not None
    rows = []
    for key, labels in zip(keys, np.asarray(task.train.labels), strict=True):
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < num:
            part = jax.random.fold_in(key, len(parts))
            parts.append(np.asarray(method.plan(part, labels, len(task.counts), batch_size)))
        rows.append(np.concatenate(parts)[:num])
    return jnp.asarray(np.stack(rows))


@jax.jit(static_argnames=("method", "recipe"))
def epoch_of_trials(
    keys: Array,
    states: training.TrainState,
    drawn: Any,
    data: training.Data,
    held_out: training.Data,
    spared: Array,
    plans: Array | None,
    hyper: Hyper,
    method: Compiled,
    recipe: training.Recipe,
) -> tuple[training.TrainState, Any]:
    """Plan, epoch, and the pass after it that the sampler learns from, for every trial."""

    def one(
        key: Array,
        state: training.TrainState,
        drawn: Any,
        data: training.Data,
        held_out: training.Data,
        spared: Array,
        plan: Array | None,
    ) -> tuple[training.TrainState, Any]:
        plan_key, epoch_key = jax.random.split(key)
        now = hyper
        if plan is None:
            weights = method.draw.weights(drawn, data.labels, hyper.counts)
            if method.draw.held_out:
                weights = jnp.where(spared, 0, weights)
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

    in_axes = (0, 0, 0, 0, 0, 0, None if plans is None else 0)
    return jax.vmap(one, in_axes)(keys, states, drawn, data, held_out, spared, plans)


@jax.jit(static_argnames="recipe")
def predictions(
    states: training.TrainState,
    statistics: tuple[Array, Array] | None,
    pool: Array,
    tested: Array,
    prior: Array | None,
    recipe: training.Recipe,
) -> Array:
    """The predicted class of every test example in every trial, `[S, T]`."""

    def one(
        state: training.TrainState, rows: Array, statistics: tuple[Array, Array] | None
    ) -> Array:
        inputs = pool[rows]
        if statistics is not None:
            inputs = (inputs - statistics[0]) / statistics[1]
        logits = training.predict(state, inputs, recipe=recipe)
        if prior is not None:
            logits = jimb.posthoc.adjust_logits(logits, prior)
        classes: Array = logits.argmax(-1)
        return classes

    classes: Array = jax.lax.map(lambda trial: one(*trial), (states, tested, statistics))
    return classes


# ------------------------------------------------------------------------------------- results


def fingerprint(task: Task) -> str:
    """A hash of what is trained on and tested."""
    digest = hashlib.sha256()
    for part in (*task.train, *task.held_out, task.spared, task.pool, task.tested, task.groups):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def settings_of(method: Method, name: str, spec: Spec, seed: int, data: str) -> dict[str, Any]:
    """All that a result depends on."""
    fields = ("loss", "gamma", "weights", "rebalance", "keep", "adjust")
    recipe = ("epochs", "batch_size", "learning_rate", "hidden", "architecture", "seeds")
    return {
        "task": name,
        "method": method.name,
        **{field: getattr(method, field) for field in fields},
        **{field: getattr(spec, field) for field in recipe},
        "seed": seed,
        "data": data,
        "jimb": jimb.__version__,
        "jax": jax.__version__,
        "device": jax.default_backend(),
    }


def run_task(name: str, settings: Settings, bar: tqdm) -> Outcome:
    """Every method on one task; what is kept is not run again."""
    spec = settings.spec_of(name)
    task = spec.make(np.arange(settings.seed, settings.seed + spec.seeds), settings.data_dir)
    data, folder = fingerprint(task), Path(settings.results)
    results: dict[str, Result] = {}
    left_out: dict[str, str] = {}
    for method in methods(settings.only):
        bar.set_description(f"{name}, {method.name}")
        if reason := misfit(method, len(task.counts), task.vocabulary):
            left_out[method.name] = reason
            bar.update(spec.epochs)
            continue
        key = settings_of(method, name, spec, settings.seed, data)
        kept = benchmark_results.read(folder, key)
        if kept is None:
            began = time.perf_counter()
            confusion = run_method(method, task, spec, settings.seed, bar)
            kept = Result(confusion, time.perf_counter() - began)
            benchmark_results.write(folder, key, kept)
        else:
            bar.update(spec.epochs)
        results[method.name] = kept
    return Outcome(name, spec, task.counts, task.class_of_group, results, left_out, settings.seed)


# --------------------------------------------------------------------------------------- main


def methods(only: str) -> tuple[Method, ...]:
    """Cross-entropy, which all are compared to, and the methods with this in their name."""
    chosen = tuple(m for m in METHODS[1:] if only in m.name)
    return METHODS[:1] + chosen if chosen else ()


def run(settings: Settings) -> tuple[list[Outcome], list[str]]:
    """Every task, and a sentence for each whose data are not here."""
    names = [settings.task] if settings.task else list(TASKS)
    outcomes, skipped = [], []
    total = len(methods(settings.only)) * sum(settings.spec_of(name).epochs for name in names)
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for name in names:
            try:
                outcomes.append(run_task(name, settings, bar))
            except datasets.MissingData as missing:
                if settings.task:
                    raise
                skipped.append(f"{name} is skipped: {missing}")
            # All programs of all tasks are more than a process may map.
            jax.clear_caches()
    return outcomes, skipped


def main() -> None:
    """Reads the command line, trains, prints the tables."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        outcomes, skipped = run(settings)
        page = benchmark_report.page(outcomes, settings.figure)
        if settings.readme:
            benchmark_report.update_readme(Path(settings.readme), outcomes)
        print(page)
        for sentence in skipped:
            print(sentence, file=sys.stderr)
        if settings.page:
            files.write(Path(settings.page), page + "\n")
        if settings.figure:
            benchmark_report.draw_figure(outcomes, Path(settings.figure))
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"benchmark.py: {error}")


if __name__ == "__main__":
    main()
