"""What is to be run: a program for each group of data sets, model and kind of epoch."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jimb
from examples.data import keel
from examples.data.keel import Table
from examples.keel import groups, results
from examples.keel.folds import FOLDS
from examples.keel.groups import Group
from examples.keel.measures import MEASURES, RATES
from examples.keel.methods import METHODS, OWN, SHARED, Family, Method, of_family
from examples.keel.models import Model
from examples.keel.results import Result
from examples.keel.settings import Settings
from examples.keel.training import Recipe

MODELS: tuple[Model, ...] = ("MLP", "linear")
ROUNDS = 10  # what draws by the training so far draws anew this often
FASTER = {"MLP": 1.0, "linear": 3.0}  # times the learning rate
# Raise it when trainings or measures change and no setting does: what is kept is of this code.
CODE = 2


@dataclasses.dataclass
class Trial:
    """One program with one seed: what it is given, what names its result, and that."""

    seed: int
    group: Group
    key: dict[str, Any]
    result: Result | None


class Job(NamedTuple):
    """One program, and the trials that it is to be run on."""

    tables: dict[str, Table]
    recipe: Recipe
    trials: list[Trial]


def load(settings: Settings) -> dict[str, Table]:
    """The data sets that are asked for, in the order of the groups.

    Raises:
      MissingData: they are not here.
      ValueError: there is none of a name.
    """
    chosen = dict.fromkeys(settings.sets or keel.names(settings.data_dir))
    tables = {name: keel.load(name, settings.data_dir) for name in chosen}
    return {name: table for group in groups.grouped(tables) for name, table in group.items()}


def methods_of(settings: Settings) -> tuple[Method, ...]:
    """Cross-entropy, which all are compared to, and the methods that were asked for."""
    only = settings.only.lower()
    chosen = tuple(method for method in METHODS[1:] if only in method.name.lower())
    if not chosen:
        names = ", ".join(method.name for method in METHODS[1:])
        raise ValueError(f"--only {settings.only} is in no method's name; there are: {names}.")
    return METHODS[:1] + chosen


def jobs_of(
    settings: Settings, tables: dict[str, Table], methods: tuple[Method, ...]
) -> Iterator[Job]:
    """All programs, with what is kept of each seed."""
    families = {"softmax" if each.family == "post hoc" else each.family for each in methods}
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for own in groups.grouped(tables):
        padded = {seed: groups.pad(own, seed) for seed in seeds}
        data = {seed: fingerprint(group) for seed, group in padded.items()}
        for model in MODELS:
            for kind in (SHARED, OWN):
                chosen = tuple(family for family in kind if family in families)
                if chosen:
                    recipe = recipe_of(settings, chosen, model)
                    keys = {seed: key_of(recipe, own, seed, data[seed]) for seed in seeds}
                    trials = [
                        Trial(seed, padded[seed], keys[seed], kept_of(settings, own, recipe, key))
                        for seed, key in keys.items()
                    ]
                    yield Job(own, recipe, trials)


def kept_of(
    settings: Settings, tables: dict[str, Table], recipe: Recipe, key: dict[str, Any]
) -> Result | None:
    """What an earlier run left."""
    number = sum(len(method.grid) for method in trained_by(recipe))
    shape = len(tables), FOLDS, 2, number, len(MEASURES + RATES)
    return results.read(Path(settings.results), key, shape)


def recipe_of(settings: Settings, families: tuple[Family, ...], model: Model) -> Recipe:
    """What is compiled."""
    return Recipe(
        families,
        model,
        settings.hidden,
        settings.batch_size,
        ROUNDS,
        settings.steps // ROUNDS,
        settings.learning_rate * FASTER[model],
    )


def key_of(recipe: Recipe, tables: dict[str, Table], seed: int, data: str) -> dict[str, Any]:
    """All that a result depends on."""
    kind = "own" if recipe.own_plans else "shared"
    return {
        "name": f"{recipe.model}-{kind}-{len(tables)}-sets".lower(),
        "seed": seed,
        "data": data,
        "sets": list(tables),
        "methods": [(each.name, each.grid) for each in trained_by(recipe)],
        "recipe": [getattr(recipe, field) for field in recipe.__dataclass_fields__],
        "code": CODE,
        "jimb": jimb.__version__,
        "jax": jax.__version__,
        "device": jax.default_backend(),
    }


def trained_by(recipe: Recipe) -> tuple[Method, ...]:
    """The methods of a program's measures, in their order; those after training come last."""
    families = (*recipe.families, *(("post hoc",) if recipe.has_cross_entropy else ()))
    return tuple(method for family in families for method in of_family(family))


def fingerprint(group: Group) -> str:
    """A hash of what is trained on and judged."""
    digest = hashlib.sha256()
    for part in group[1:]:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
