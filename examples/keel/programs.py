"""One compiled program for a group of data sets and some families of methods, on all cores.

The divisions of all data sets, five folds and in each an inner and an outer part, are trained one
after the other on each core, all numbers of all methods side by side: what shares its batches is
one product of some size instead of a hundred small ones.
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
from examples.keel.methods import TAU, numbers_of
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


class Compiled(NamedTuple):
    """Of groups of one shape."""

    trains: Callable[..., tuple[Array, Array]]
    after: Callable[..., Array] | None  # the methods after training, where cross-entropy is there


def build(group: Group, recipe: Recipe) -> Compiled:
    """Compiles a program for groups of this shape."""
    arguments = arguments_of(group, 0, recipe)
    mesh = mesh_of(len(arguments[1].table))
    trains = program.lower(*arguments, recipe=recipe, mesh=mesh)
    after = None
    if recipe.has_cross_entropy:
        scores = jax.ShapeDtypeStruct(group.trained.shape, jnp.float32)
        after = after_training.lower(scores, *after_arguments_of(group)).compile()
    return Compiled(trains.compile(), after)


def run(compiled: Compiled, group: Group, seed: int, recipe: Recipe) -> np.ndarray:
    """Trains and judges all of the recipe's families: measures `[T, FOLDS, 2, C, M]`.

    Behind those of the families are those of the methods after training, if cross-entropy is there.
    """
    measures, first = compiled.trains(*arguments_of(group, seed, recipe))
    shape = group.trained.shape[:3]
    found = np.asarray(measures).reshape(*shape, *measures.shape[1:])
    if compiled.after is not None:
        scores = jnp.asarray(np.asarray(first).reshape(group.trained.shape))
        after = compiled.after(scores, *after_arguments_of(group))
        found = np.concatenate([found, after], -2)
    return found


def after_arguments_of(group: Group) -> tuple[Array, ...]:
    """Of `after_training`, behind the scores."""
    tables = map(jnp.asarray, (group.labels, group.trained, group.judged))
    return *tables, jnp.asarray(TAU, jnp.float32)


def arguments_of(group: Group, seed: int, recipe: Recipe) -> tuple[Tables, Division, Each]:
    """What a program is called with: all numbers of the recipe's families."""
    tables = Tables(*map(jnp.asarray, (group.features, group.labels, group.num_features)))
    numbers = {family: numbers_of(family) for family in recipe.families}
    return tables, divisions_of(group, seed), numbers


def mesh_of(divisions: int) -> Mesh:
    """The most devices that divide them evenly."""
    number = max(n for n in range(1, jax.device_count() + 1) if divisions % n == 0)
    return Mesh(np.array(jax.devices()[:number]), "cores")


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
        check_vma=False,  # loops in the plans start from what is the same on all cores
    )
    found: tuple[Array, Array] = on_all(tables, divisions, numbers)
    return found


@jax.jit
def after_training(first: Array, labels: Array, trained: Array, judged: Array, tau: Array) -> Array:
    """The methods after training, `[T, FOLDS, 2, C + 2, M]`; the last two choose a threshold.

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
        moved += [past_threshold(scores, on, labels, inner, midway=each) for each in (False, True)]
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
