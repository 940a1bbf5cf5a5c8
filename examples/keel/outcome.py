"""What all programs found, put together: choices, and measures of the test folds."""

from typing import NamedTuple

import numpy as np

from examples.data.keel import Table
from examples.keel import choice
from examples.keel.choice import Chosen
from examples.keel.folds import FOLDS
from examples.keel.jobs import MODELS, Job, trained_by
from examples.keel.methods import Method
from examples.keel.models import Model
from examples.keel.results import Result

ByMethod = dict[str, np.ndarray]


class Spent(NamedTuple):
    """Of the programs of one kind, without compilation."""

    trainings: int
    seconds: float


class Outcome(NamedTuple):
    """What was found on `T` data sets with `S` seeds."""

    tables: dict[str, Table]
    chosen: dict[Model, dict[str, Chosen]]  # by method, [S, T, FOLDS, ...]
    spent: dict[str, Spent]  # by model and kind of epoch
    programs: int
    compiled: float | None  # seconds; None where an earlier run left results

    @property
    def test(self) -> dict[Model, ByMethod]:
        """Measures of the test folds, `[S, T, FOLDS, M]`."""
        return {
            model: {name: each.test for name, each in methods.items()}
            for model, methods in self.chosen.items()
        }


def join(
    tables: dict[str, Table], methods: tuple[Method, ...], jobs: list[Job], compiled: float | None
) -> Outcome:
    """Chooses in every fold of every group, after all trials have their results."""
    chosen = {}
    for model in MODELS:
        groups = [split(job) for job in jobs if job.recipe.model == model]
        chosen[model] = {
            method.name: joined([group[method.name] for group in groups if method.name in group])
            for method in methods
        }
    return Outcome(tables, chosen, spent_by(jobs), len(jobs), compiled)


def split(job: Job) -> dict[str, Chosen]:
    """What each method of a program chose, `[S, T, FOLDS, ...]`."""
    methods = trained_by(job.recipe)
    seeds = [choice.split(each.measures, methods) for each in results_of(job)]
    return {
        method.name: Chosen(
            *map(np.stack, zip(*(seed[method.name] for seed in seeds), strict=True))
        )
        for method in methods
    }


def joined(groups: list[Chosen]) -> Chosen:
    """The data sets of all groups, one behind the other."""
    return Chosen(*(np.concatenate(part, 1) for part in zip(*groups, strict=True)))


def results_of(job: Job) -> list[Result]:
    """Of all seeds."""
    return [trial.result for trial in job.trials if trial.result is not None]


def spent_by(jobs: list[Job]) -> dict[str, Spent]:
    """Of each model and kind of epoch."""
    found: dict[str, Spent] = {}
    for job in jobs:
        kind = "own batches" if job.recipe.own_plans else "shared batches"
        name = f"{job.recipe.model}, {kind}"
        before = found.get(name, Spent(0, 0.0))
        seconds = sum(each.seconds for each in results_of(job))
        found[name] = Spent(before.trainings + trainings(job), before.seconds + seconds)
    return found


def trainings(job: Job) -> int:
    """How many a program ran with all seeds; the methods after training need none."""
    methods = (each for each in trained_by(job.recipe) if each.family != "post hoc")
    numbers = sum(len(method.grid) for method in methods)
    return len(job.trials) * len(job.tables) * FOLDS * 2 * numbers
