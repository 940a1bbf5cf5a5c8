"""What is to be run: a program for each group of data sets, model and kind of epoch."""

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
from examples.keel.groups import Group
from examples.keel.methods import METHODS, OWN, SHARED, Family, Method, of_family
from examples.keel.models import Model
from examples.keel.results import Result
from examples.keel.settings import Settings
from examples.keel.training import Recipe

MODELS: tuple[Model, ...] = ("MLP", "linear")
ROUNDS = 10
FASTER = {"MLP": 1.0, "linear": 3.0}  # times the learning rate


class Job(NamedTuple):
    """One program, and the groups of all seeds that it is to be run on."""

    tables: dict[str, Table]
    recipe: Recipe
    settings: list[dict[str, Any]]  # of each seed
    groups: list[Group]
    kept: list[Result | None]


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
    chosen = tuple(method for method in METHODS[1:] if settings.only in method.name)
    if not chosen:
        raise ValueError(f"no method has {settings.only!r} in its name.")
    return METHODS[:1] + chosen


def jobs_of(
    settings: Settings, tables: dict[str, Table], methods: tuple[Method, ...]
) -> Iterator[Job]:
    """All programs, with what is kept of each seed."""
    families = {"softmax" if each.family == "post hoc" else each.family for each in methods}
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for group in groups.grouped(tables):
        padded = [groups.pad(group, seed) for seed in seeds]
        data = fingerprint(padded[0])
        for model in MODELS:
            for kind in (SHARED, OWN):
                chosen = tuple(family for family in kind if family in families)
                if chosen:
                    recipe = recipe_of(settings, chosen, model)
                    keys = [key_of(recipe, group, seed, data) for seed in seeds]
                    kept = [results.read(Path(settings.results), key) for key in keys]
                    yield Job(group, recipe, keys, padded, kept)


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
        "jimb": jimb.__version__,
        "jax": jax.__version__,
        "device": jax.default_backend(),
    }


def trained_by(recipe: Recipe) -> tuple[Method, ...]:
    """The methods of a program's measures, in their order."""
    families = (*recipe.families, *(("post hoc",) if recipe.families[0] == "softmax" else ()))
    return tuple(method for family in families for method in of_family(family))


def fingerprint(group: Group) -> str:
    """A hash of what is trained on and judged."""
    digest = hashlib.sha256()
    for part in group[1:]:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
