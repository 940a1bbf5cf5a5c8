"""Train a classifier on imbalanced data, with any loss, class weights and sampler of jimb.

With no argument: cross-entropy, then class-balanced focal loss with difficulty sampling, on
long-tailed digits. `--help` lists the options. Read it from top to bottom.

The unit of training is one compiled epoch, `run_epoch` of `training.py`: a pure function that also
runs under `jax.vmap` over seeds and hyper-parameters. The loop over epochs is on the host: it draws
each plan, and prints.
"""

import dataclasses
import sys

import datasets
import jax
import jax.numpy as jnp
import numpy as np
import training
import tyro
from jax.typing import ArrayLike
from tqdm import tqdm
from train_settings import Sampler, Settings, describe

import jimb

# ------------------------------------------------------------------------------- the host's loop


def train(settings: Settings, dataset: datasets.Dataset) -> jimb.metrics.ConfusionState:
    """Trains one recipe and counts the confusion on the test set."""
    data = training.Data(jnp.asarray(dataset.train_inputs), jnp.asarray(dataset.train_labels))
    num_examples, features = data.inputs.shape
    counts = jimb.class_counts(dataset.train_labels, dataset.num_classes)
    chosen = {name: getattr(settings, name) for name in ("gamma", "beta", "keep")}
    given = {name: value for name, value in chosen.items() if value is not None}
    hyper = training.hyper_of(counts, weights=settings.weights or "none", **given)
    steps = -(-num_examples // settings.batch_size)
    recipe = training.Recipe(
        features=features,
        classes=dataset.num_classes,
        loss=settings.loss or "ce",
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=steps * settings.epochs,
        learning_rate=settings.learning_rate,
        rebalance=settings.rebalance or "always",
        mining=settings.keep is not None,
    )
    sampler: Sampler = settings.sampler or "uniform"
    pseudocount = 1.0 if settings.pseudocount is None else settings.pseudocount

    init_key, plan_key = jax.random.split(jax.random.key(settings.seed))
    state = training.init_state(init_key, recipe, num_examples)
    last = training.Pass(jnp.ones(num_examples), jnp.ones(num_examples))  # before: all alike
    epochs = tqdm(range(settings.epochs), desc=describe(settings), disable=None, leave=False)
    for epoch in epochs:
        weights = training.sampling_weights(
            sampler, state.difficulty, last, data, hyper, pseudocount
        )
        weights = jimb.sampling.mix_uniform(weights, amount=1 - recipe.share(state.step))
        # What these weights draw, not the data set, is what logit adjustment corrects for: drawn
        # class-balanced, the prior is uniform and nothing is left to adjust.
        summary = jimb.difficulty.summarize_weights(weights, data.labels, recipe.classes)
        hyper = hyper._replace(prior=summary.class_prior)
        key = jax.random.fold_in(plan_key, epoch)
        plan = jimb.sampling.epoch_plan(key, weights, steps * settings.batch_size)
        state, losses = training.run_epoch(state, data, plan, hyper, recipe=recipe)
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {epoch}: lower --learning-rate."
            )
        state, last = training.end_epoch(state, data, recipe=recipe)
        epochs.set_postfix(
            loss=f"{losses.mean():.4f}",
            effective=f"{summary.effective_share:.0%}",  # of the examples; far below 100 %: few
            largest=f"{summary.largest_share:.2%}",  # share of the draws that one example gets
        )

    predictions = training.predict(state, jnp.asarray(dataset.test_inputs), recipe=recipe).argmax(
        -1
    )
    confusion = jimb.metrics.init(dataset.num_classes)
    return jimb.metrics.update(confusion, predictions, jnp.asarray(dataset.test_labels))


# ------------------------------------------------------------------------------------- printing


def print_table(
    results: list[tuple[Settings, jimb.metrics.ConfusionState]], counts: ArrayLike
) -> None:
    """Recall of each class and their mean, per recipe, in per cent."""
    counts = np.asarray(counts)
    width = max(len(describe(settings)) for settings, _ in results) + 2
    print(f"{'class':<{width}}" + "".join(f"{k:>6}" for k in range(len(counts))) + "   balanced")
    print(f"{'training images':<{width}}" + "".join(f"{n:>6}" for n in counts) + "   accuracy")
    for settings, confusion in results:
        recall = 100 * np.asarray(jimb.metrics.per_class_recall(confusion))
        balanced = 100 * float(jimb.metrics.balanced_accuracy(confusion))
        row = "".join(f"{r:6.1f}" for r in recall)
        print(f"{describe(settings):<{width}}{row}   {balanced:8.1f}")


def main() -> None:
    """Reads the command line, trains, prints."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        recipes = [settings]
        if settings.loss is None and settings.weights is None and settings.sampler is None:
            recipes = [
                dataclasses.replace(settings, loss="ce"),
                dataclasses.replace(settings, loss="cb-focal", sampler="difficulty"),
            ]
        dataset = datasets.load(
            settings.dataset, settings.data_dir, imbalance=settings.imbalance, seed=settings.seed
        )
        results = [(recipe, train(recipe, dataset)) for recipe in recipes]
    except (ValueError, FloatingPointError, datasets.MissingData) as error:
        sys.exit(f"train.py: {error}")
    print(f"Recall on the test images of {settings.dataset}, per class, in per cent:")
    print_table(results, jimb.class_counts(dataset.train_labels, dataset.num_classes))


if __name__ == "__main__":
    main()
