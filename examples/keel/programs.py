"""One compiled program for a group of data sets and a family of methods, on all cores.

The divisions of all data sets, five folds and in each an inner and an outer part, are trained one
after the other on each core, all trainings of the family side by side: they share batches, so that
the products of a hundred small trainings are one of some size.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, PartitionSpec

import jimb
from examples.keel.folds import FOLDS, INNER, OUTER
from examples.keel.groups import Group
from examples.keel.measures import adjusted, measure, past_threshold
from examples.keel.methods import numbers_of
from examples.keel.training import Each, Recipe, Rows, train


class Tables(NamedTuple):
    """The data sets themselves; divisions name them by position."""

    features: Array  # [T, N, F]
    labels: Array  # [T, N]
    num_features: Array  # [T]


class Division(NamedTuple):
    """What is trained on and judged; `[D, ...]` of all of them."""

    key: Array
    table: Array  # its position
    trained: Array  # [N]
    judged: Array  # [N]
    mean: Array  # [F]
    scale: Array  # [F]


Compiled = Callable[[Tables, Division, Each], tuple[Array, Array]]


def build(group: Group, recipe: Recipe) -> Compiled:
    """Compiles a program for groups of this shape."""
    arguments = arguments_of(group, 0, recipe)
    devices = jax.devices()[: most(len(arguments[1].table), jax.device_count())]
    mesh = Mesh(np.array(devices), "cores")
    compiled: Compiled = program.lower(*arguments, recipe=recipe, mesh=mesh).compile()
    return compiled


def run(compiled: Compiled, group: Group, seed: int, recipe: Recipe) -> np.ndarray:
    """Trains and judges all of the recipe's families: measures `[T, FOLDS, 2, C, M]`.

    Behind those of the families are those of the methods after training, if cross-entropy is there.
    """
    measures, first = compiled(*arguments_of(group, seed, recipe))
    shape = group.trained.shape[:3]
    found = measures.reshape(*shape, *measures.shape[1:])
    if recipe.families[0] == "softmax":
        tables = map(jnp.asarray, (group.labels, group.trained, group.judged))
        after = after_training(first.reshape(*shape, -1), *tables, numbers_of("post hoc").tau[:-1])
        found = jnp.concatenate([found, after], -2)
    return np.asarray(found)


def arguments_of(group: Group, seed: int, recipe: Recipe) -> tuple[Tables, Division, Each]:
    """What a program is called with."""
    tables = Tables(*map(jnp.asarray, (group.features, group.labels, group.num_features)))
    numbers = {family: numbers_of(family) for family in recipe.families}
    return tables, divisions_of(group, seed), numbers


def most(work: int, workers: int) -> int:
    """The most workers, up to so many, that divide the work evenly."""
    return max(n for n in range(1, workers + 1) if work % n == 0)


def divisions_of(group: Group, seed: int) -> Division:
    """Of all data sets, folds and parts, in this order; both parts of a fold have its key."""
    shape = group.trained.shape[:3]
    table, fold, _ = (x.reshape(-1) for x in np.indices(shape))

    def key(name: Array, fold: Array) -> Array:
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), name), fold)

    keys = jax.vmap(key)(jnp.asarray(group.identity[table]), jnp.asarray(fold))
    parts = group.trained, group.judged, group.mean, group.scale
    flat = (jnp.asarray(part.reshape(-1, part.shape[-1])) for part in parts)
    return Division(keys, jnp.asarray(table), *flat)


@jax.jit(static_argnames=("recipe", "mesh"))
def program(
    tables: Tables, divisions: Division, numbers: Each, *, recipe: Recipe, mesh: Mesh
) -> tuple[Array, Array]:
    """Measures `[D, C, M]`, and scores `[D, N]` of the first training."""

    def one(tables: Tables, division: Division, numbers: Each) -> tuple[Array, Array]:
        features, labels, fan_in = (x[division.table] for x in tables)
        inputs = (features - division.mean) * division.scale
        rows = Rows(inputs, labels, division.trained, fan_in)
        scores = train(division.key, rows, numbers, recipe)
        measures = jax.vmap(measure, (0, None, None))(scores, labels, division.judged)
        return measures, scores[0]

    def share(tables: Tables, divisions: Division, numbers: Each) -> tuple[Array, Array]:
        return jax.lax.map(lambda division: one(tables, division, numbers), divisions)

    everywhere, cores = PartitionSpec(), PartitionSpec("cores")
    on_all = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(everywhere, cores, everywhere),
        out_specs=cores,
        check_vma=False,
    )
    found: tuple[Array, Array] = on_all(tables, divisions, numbers)
    return found


@jax.jit
def after_training(first: Array, labels: Array, trained: Array, judged: Array, tau: Array) -> Array:
    """The methods after training, `[T, FOLDS, 2, C + 1, M]`; the last is the threshold.

    Args:
      first: scores of cross-entropy, `[T, FOLDS, 2, N]`.
      labels: `[T, N]`.
      trained: `[T, FOLDS, 2, N]`.
      judged: `[T, FOLDS, 2, N]`.
      tau: `[C]`.
    """

    def of_part(scores: Array, on: Array, labels: Array, rows: Array, judged: Array) -> Array:
        counts = jnp.asarray(jimb.class_counts(labels, 2, where=rows), jnp.float32)
        inner = judged[INNER]
        moved = [adjusted(scores, counts, strength) for strength in tau]
        moved.append(past_threshold(scores, on, labels, inner))
        return jnp.stack(moved)

    def of_fold(fold: tuple[Array, ...]) -> Array:
        scores, labels, trained, judged = fold
        parts = []
        for part in (INNER, OUTER):
            moved = of_part(scores[part], scores[INNER], labels, trained[part], judged)
            parts.append(jax.vmap(measure, (0, None, None))(moved, labels, judged[part]))
        return jnp.stack(parts)

    def of_table(table: tuple[Array, ...]) -> Array:
        first, labels, trained, judged = table
        every = jnp.broadcast_to(labels, (FOLDS, *labels.shape))
        return jax.lax.map(of_fold, (first, every, trained, judged))

    found: Array = jax.lax.map(of_table, (first, labels, trained, judged))
    return found
