"""The host's loop over methods and seeds; every method's measures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tqdm import tqdm

import jimb
from examples.data import wordnet
from examples.multi_label.epochs import Scores, run_epoch, score, start
from examples.multi_label.methods import METHODS, Method, Tables, tables_of
from examples.multi_label.network import Recipe
from examples.multi_label.settings import Settings
from examples.multi_label.task import Split, read, split
from examples.training import keys_of


class Outcome(NamedTuple):
    """All methods."""

    counts: np.ndarray  # [S, K] training lemmas with each label
    sizes: tuple[int, ...]  # lemmas to train on, to choose thresholds by, to test
    labels: float  # of a lemma, on average
    several: float  # share of the lemmas with more than one
    epochs: int
    recipe: Recipe
    scores: dict[str, Scores]  # [S, K] each


def run(settings: Settings) -> Outcome:
    """Trains every method once for each seed.

    Raises:
      MissingData: WordNet is not there.
      ValueError: its files are damaged.
      FloatingPointError: a loss is not finite.
    """
    words, labels = read(settings.data_dir)
    recipe = recipe_of(len(words) * 3 // 5, labels.shape[1], settings)
    scores: dict[str, list[Scores]] = {name: [] for name in METHODS}
    counts: list[np.ndarray] = []
    sizes: tuple[int, ...] = ()
    with tqdm(total=len(METHODS) * settings.seeds, disable=None, leave=False) as bar:
        for seed in range(settings.seed, settings.seed + settings.seeds):
            parts = split(words, labels, seed)
            tables = tables_of(parts.train.labels)
            counts.append(np.asarray(tables.counts))
            sizes = tuple(len(part.labels) for part in parts)
            for name, method in METHODS.items():
                bar.set_description(f"seed {seed}: {name}")
                params = train(method, seed, parts, tables, recipe, settings)
                found = score(params, parts.validation, parts.test, recipe=recipe)
                scores[name].append(jax.tree.map(np.asarray, found))
                bar.update()
    stacked = {name: jax.tree.map(lambda *x: np.stack(x), *of) for name, of in scores.items()}
    several = labels.sum(1)
    return Outcome(
        np.stack(counts),
        sizes,
        float(several.mean()),
        float((several > 1).mean()),
        settings.epochs,
        recipe,
        stacked,
    )


def recipe_of(lemmas: int, labels: int, settings: Settings) -> Recipe:
    """The recipe of every training."""
    return Recipe(
        vocabulary=wordnet.VOCABULARY,
        labels=labels,
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=-(-lemmas // settings.batch_size) * settings.epochs,
        learning_rate=settings.learning_rate,
    )


def train(
    method: Method, seed: int, parts: Split, tables: Tables, recipe: Recipe, settings: Settings
) -> nnx.State:
    """One training; the initial weights, and plans of equal weights, are those of the seed."""
    init_key, plan_key = (keys[0] for keys in keys_of(jnp.array([seed])))
    state = start(init_key, tables, method=method, recipe=recipe)
    weights = jnp.ones(len(parts.train.labels))
    if method.repeats:
        threshold = settings.threshold
        weights = jimb.sampling.repeat_factors(parts.train.labels, threshold=threshold)
    for epoch in range(settings.epochs):
        key = jax.random.fold_in(plan_key, epoch)
        state, losses = run_epoch(
            key, state, parts.train, weights, tables, method=method, recipe=recipe
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {epoch} of seed {seed}: lower --learning-rate."
            )
    return state.params
