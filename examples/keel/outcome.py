"""What all programs found, put together: choices, and measures of the test folds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from examples.data.keel import Table
from examples.keel import choice
from examples.keel.jobs import MODELS, Job, trained_by
from examples.keel.methods import Method, of_family
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
    test: dict[Model, ByMethod]  # [S, T, FOLDS, M]
    chosen: dict[Model, ByMethod]  # [S, T, FOLDS], positions in the method's grid
    spent: dict[str, Spent]  # by model and kind of epoch
    programs: int
    kept: int  # results of a program and a seed that an earlier run left


def join(
    tables: dict[str, Table], methods: tuple[Method, ...], jobs: list[Job], kept: int
) -> Outcome:
    """Chooses in every fold of every group."""
    of_model = {model: [job for job in jobs if job.recipe.model == model] for model in MODELS}
    chosen, test = (
        {model: by_method(methods, own, part) for model, own in of_model.items()} for part in (0, 1)
    )
    return Outcome(
        tables,
        test,
        chosen,
        spent_by(jobs),
        len(jobs),
        kept,
    )


def spent_by(jobs: list[Job]) -> dict[str, Spent]:
    """Of each model and kind of epoch."""
    found: dict[str, Spent] = {}
    for job in jobs:
        kind = "own batches" if job.recipe.own_plans else "shared batches"
        name = f"{job.recipe.model}, {kind}"
        before = found.get(name, Spent(0, 0.0))
        seconds = sum(each.seconds for each in kept([job]))
        found[name] = Spent(before.trainings + trainings(job), before.seconds + seconds)
    return found


def by_method(methods: tuple[Method, ...], jobs: list[Job], part: int) -> ByMethod:
    """Of each method what `joined` finds."""
    return {method.name: joined(method, jobs, part) for method in methods}


def joined(method: Method, jobs: list[Job], part: int) -> np.ndarray:
    """Of one method, `[S, T, ...]`: of the first part what it chose, of the second its measures."""
    groups = []
    for job in jobs:
        names = trained_by(job.recipe)
        if method in names:
            seeds = [choice.split(each.measures, names)[method.name] for each in kept([job])]
            groups.append(np.stack([each[part] for each in seeds]))
    return np.concatenate(groups, 1)


def kept(jobs: Iterable[Job]) -> list[Result]:
    """All that is there."""
    return [each for job in jobs for each in job.kept if each is not None]


def trainings(job: Job) -> int:
    """How many a program ran with all seeds; the methods after training need none."""
    after = sum(len(method.grid) for method in of_family("post hoc"))
    both = trained_by(job.recipe)[-1].family == "post hoc"
    each = (x.measures[..., 0].size for x in kept([job]))
    number = kept([job])[0].measures.shape[-2]
    return sum(each) // number * (number - (after if both else 0))
