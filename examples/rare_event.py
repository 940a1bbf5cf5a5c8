"""A rare event: what does each remedy do to the ranking, and what only to the threshold?

Two tables: the Shuttle's valve faults, an event of 0.42 %, and Caravan policies, 6 % and noisy, as
the control (`tabular.py` says where they come from). For each seed a stratified 60/20/20 split into
training, validation and test. Every method starts from the same split and initial weights, and all
that do not draw differently see the same batches; the seeds train together in one `jax.vmap`.

PR-AUC judges the ranking, which no threshold changes. Recall and precision are reported at three
thresholds: 0.5, the prior of the event, and the one with the best F1 on the validation part.
Prints a table for each data set and what can be said from its numbers.
"""

import dataclasses
import functools
import sys
from pathlib import Path
from typing import Literal, NamedTuple

import files
import jax
import jax.numpy as jnp
import numpy as np
import tabular
import training
import tyro
from datasets import pixel_statistics
from jax import Array
from rare_event_report import Outcome, Result, page
from rare_event_train import BATCH, Recipe, epoch_of_trials, init_trials, margins_of_trials
from sklearn.metrics import average_precision_score
from tqdm import tqdm
from train_settings import Sampler, Weights

import jimb

# ----------------------------------------------------------------------------------- settings


@dataclasses.dataclass(frozen=True)
class Settings:
    """Rare events in two tables, for every method, over paired seeds."""

    dataset: Literal["shuttle", "caravan", "both"] = "both"
    """Valve faults of the Shuttle, caravan policies, or one after the other."""
    seeds: int = 5
    """Trials, each with its own split and initial weights."""
    seed: int = 0
    """The first of them."""
    epochs: int | None = None
    """Epochs; 30 on shuttle and 15 on caravan if left out."""
    long: bool = False
    """Also train 100 epochs on shuttle: part of a difference is only faster convergence."""
    source: tabular.Route = "rda"
    """Files of two R packages, or a download from OpenML by scikit-learn."""
    data_dir: str | None = None
    """Folder of the files."""
    report: str | None = None
    """Where the tables also go, as a page in Markdown."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}.")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"--epochs must be at least 1, got {self.epochs}.")


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    loss: str = "ce"
    weights: Weights = "none"
    sampler: Sampler = "uniform"
    mined: bool = False


METHODS = (
    Method("cross-entropy (CE)"),
    Method("inverse-frequency weights", weights="inverse"),
    Method("effective-number weights", weights="effective"),
    Method("focal", loss="focal"),
    Method("OHEM", mined=True),
    Method("logit adjustment", loss="logit-adjusted"),
    Method("difficulty sampling", sampler="difficulty"),
    Method("sampling by current loss", sampler="loss"),
    Method("class-balanced sampling", sampler="class-balanced"),
)
BETA, GAMMA = 0.9999, 2.0
# By CE's PR-AUC on the validation part.
EPOCHS = {"shuttle": 30, "caravan": 15}
LONG = 100
LEARNING_RATE = {"shuttle": 3e-3, "caravan": 1e-3}

# --------------------------------------------------------------------------------------- task


class Part(NamedTuple):
    """Rows of each trial; every trial has as many events."""

    features: Array  # [S, N, F]
    labels: np.ndarray  # [S, N]


class Task(NamedTuple):
    """The three parts of a table in every trial."""

    train: Part
    validation: Part
    test: Part
    trials: Array  # [S], their seeds


def split(labels: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Positions of a stratified 60/20/20 split."""
    parts = []
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        parts.append(np.split(rows, [round(0.6 * len(rows)), round(0.8 * len(rows))]))
    return [np.concatenate(pair) for pair in zip(*parts, strict=True)]


def make_task(table: tabular.Table, settings: Settings) -> Task:
    """Splits the table for each trial and standardises it by the statistics of its training part.

    The signed logarithm comes first, because the Shuttle's columns have long tails: its sixth
    reaches from -26 739 to 15 164, and all but 2 % of it lie within ±31.
    """
    trials = range(settings.seed, settings.seed + settings.seeds)
    splits = [split(table.labels, np.random.default_rng(trial)) for trial in trials]
    features = np.sign(table.features) * np.log1p(np.abs(table.features))
    index = [np.stack(rows) for rows in zip(*splits, strict=True)]
    mean, deviation = pixel_statistics(features[index[0]])
    train_part, validation, test = (
        Part(jnp.asarray((features[rows] - mean) / deviation), table.labels[rows]) for rows in index
    )
    return Task(train_part, validation, test, jnp.array(trials))


# -------------------------------------------------------------------------- training and judging


def run_method(method: Method, name: tabular.Name, task: Task, epochs: int, bar: tqdm) -> Result:
    """Trains all trials of one method at once, and judges them on the test part."""
    num_trials, num_rows, num_features = task.train.features.shape
    model = Recipe(
        features=num_features,
        classes=2,
        loss="ce",
        batch_size=BATCH,
        steps=-(-num_rows // BATCH) * epochs,
        learning_rate=LEARNING_RATE[name],
    )
    recipe = dataclasses.replace(
        model, loss=method.loss, sampler=method.sampler, mining=method.mined
    )
    counts = jimb.class_counts(task.train.labels[0], 2)
    hyper = training.hyper_of(counts, weights=method.weights, gamma=GAMMA, beta=BETA)
    hyper = hyper._replace(class_weights=jimb.mean_one(hyper.class_weights, counts))
    data = training.Data(task.train.features, jnp.asarray(task.train.labels))
    states, plan_keys = init_trials(task.trials, model, num_rows)  # compiled once for all
    last = training.Pass(jnp.ones((num_trials, num_rows)), jnp.ones((num_trials, num_rows)))
    for epoch in range(epochs):
        states, last, losses = epoch_of_trials(
            plan_keys, epoch, states, last, data, hyper, recipe=recipe
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss of {method.name} is not finite in epoch {epoch} on {name}: lower its "
                f"LEARNING_RATE."
            )
        bar.update()
    validation, test = (
        margins_of_trials(states, part.features, model) for part in (task.validation, task.test)
    )
    return judge(task, hyper.counts, validation, test)


def judge(task: Task, counts: Array, validation: Array, test: Array) -> Result:
    """PR-AUC, and recall and precision at the three thresholds, of every trial on the test part."""
    labels = task.validation.labels
    thresholds, confusions = confusions_of_trials(
        validation, jnp.asarray(labels), test, jnp.asarray(task.test.labels), counts
    )
    cells = np.asarray(confusions.counts)  # [S, 3, 2, 2]
    alarms, hits = cells[..., 1].sum(-1), cells[..., 1, 1]
    return Result(
        pr_auc=pr_auc(task.test.labels, test),
        validation_pr_auc=pr_auc(labels, validation),
        recall=hits / cells[..., 1, :].sum(-1),
        precision=np.where(alarms > 0, hits / np.maximum(alarms, 1), np.nan),
        threshold=np.asarray(thresholds),
    )


def pr_auc(labels: np.ndarray, margins: Array) -> np.ndarray:
    """Average precision of each trial."""
    pairs = zip(labels, np.asarray(margins), strict=True)
    return np.array([average_precision_score(label, margin) for label, margin in pairs])


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def confusions_of_trials(
    validation: Array, labels: Array, test: Array, test_labels: Array, counts: Array
) -> tuple[Array, jimb.metrics.ConfusionState]:
    """The chosen threshold, and the test part's confusion at 0.5, at the prior, and at it."""
    chosen = jimb.posthoc.choose_threshold(
        jax.nn.sigmoid(validation), labels, criterion=jimb.metrics.f1
    )
    probabilities = jax.nn.sigmoid(test)
    moved = jimb.posthoc.move_threshold(probabilities, counts)
    alarms = jnp.stack([probabilities >= 0.5, moved, probabilities >= chosen.value])
    empty = jimb.metrics.init(2)
    confuse = functools.partial(jimb.metrics.update, empty, labels=test_labels)
    return chosen.value, jax.vmap(confuse)(alarms.astype(jnp.int32))


# --------------------------------------------------------------------------------------- main


def run(settings: Settings) -> list[Outcome]:
    """Every method on every data set, in the order of the tables."""
    both: tuple[tabular.Name, ...] = ("shuttle", "caravan")
    names = both if settings.dataset == "both" else (settings.dataset,)
    tables = {name: tabular.load(name, settings.source, settings.data_dir) for name in names}
    runs = [(name, settings.epochs or EPOCHS[name]) for name in names]
    if settings.long and "shuttle" in names:
        runs.append(("shuttle", LONG))
    outcomes = []
    total = len(METHODS) * sum(epochs for _, epochs in runs)
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:
        for name, epochs in runs:
            task = make_task(tables[name], settings)
            results = {}
            for method in METHODS:
                bar.set_description(f"{name}, {method.name}")
                results[method.name] = run_method(method, name, task, epochs, bar)
            counts = jimb.class_counts(task.train.labels[0], 2)
            outcomes.append(Outcome(name, np.asarray(counts), epochs, results))
    return outcomes


def main() -> None:
    """Reads the command line, trains, prints the tables, writes the page."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        outcomes = run(settings)
        text = page(outcomes)
        print(text)
        if settings.report is not None:
            files.write(Path(settings.report), text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"rare_event.py: {error}")


if __name__ == "__main__":
    main()
