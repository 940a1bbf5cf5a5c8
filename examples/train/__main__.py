"""Train a classifier on imbalanced data, with any loss, class weights and sampler of jimb.

With no argument: cross-entropy, then class-balanced focal loss with difficulty sampling, on
long-tailed digits. Nothing is downloaded.

It runs unchanged on a CPU, on one GPU or TPU, on several, and on several hosts: a mesh of all
devices divides each batch. Killed at any moment, it goes on with `--resume` from its last
checkpoint, bit by bit.

In its folder it leaves checkpoints, a log as CSV, results as JSON, figures, and TensorBoard's
events where tensorboardX is installed (`pip install -e '.[tensorboard]'`); to watch it run:
`tensorboard --logdir out/train`.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import tyro

from examples.data import datasets
from examples.train import comparison, events, mesh
from examples.train.folder import open_folder, slug
from examples.train.job import make_job
from examples.train.loop import train
from examples.train.outcome import Outcome, leave, print_calibration, print_table
from examples.train.settings import Settings


def main() -> None:
    """Reads the command line; what cannot be done is said in one sentence."""
    try:
        run(tyro.cli(Settings, prog="python -m examples.train", description=__doc__))
    except (ValueError, FloatingPointError, OSError, ImportError) as error:
        sys.exit(f"examples.train: {error}")


def run(settings: Settings) -> None:
    """Trains one recipe, or the two that a newcomer compares, and shows what came out."""
    settings.check()
    recipes = recipes_of(settings)
    with mesh.started(settings):
        dataset = datasets.load(
            settings.dataset, settings.data_dir, imbalance=settings.imbalance, seed=settings.seed
        )
        for recipe in recipes:
            make_job(recipe, dataset)  # what cannot be is told before a folder is made
        folder = open_folder(settings)
        outcomes = []
        for recipe in recipes:
            own = folder / slug(recipe)
            outcomes.append(train(recipe, dataset, own))
            if mesh.is_lead():
                leave(outcomes[-1], dataset, own)
    if mesh.is_lead():
        show(outcomes, dataset, folder)


def recipes_of(settings: Settings) -> list[Settings]:
    """The recipe of the options; without any, the two to compare."""
    if settings.loss or settings.weights or settings.sampler:
        return [settings]
    return [
        dataclasses.replace(settings, loss="ce"),
        dataclasses.replace(settings, loss="cb-focal", sampler="difficulty"),
    ]


def show(outcomes: list[Outcome], dataset: datasets.Dataset, folder: Path) -> None:
    """A table of all recipes, a figure that compares them, and where the rest is."""
    counts = np.bincount(dataset.train_labels, minlength=dataset.num_classes)
    name = outcomes[0].settings.dataset
    if len(outcomes) > 1:
        comparison.draw(folder / "comparison.png", name, outcomes, counts)
    print(f"Recall on the test set of {name}, per class, in per cent:")
    print_table(outcomes, counts)
    print(f"Calibration of the probabilities on the test set of {name}:")
    print_calibration(outcomes)
    print(f"checkpoints, log, figures and results: {folder}")
    watched = events.can_be_written()
    print(f"curves: `tensorboard --logdir {folder}`" if watched else events.HOW_TO_GET)


if __name__ == "__main__":
    main()
