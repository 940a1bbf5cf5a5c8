"""Train a classifier on imbalanced data, with any loss, class weights and sampler of jimb.

With no argument: cross-entropy, then class-balanced focal loss with difficulty sampling, on
long-tailed digits. `--help` lists the options. Read it from top to bottom.

It runs unchanged on a CPU, on one GPU or TPU and on several, and on several hosts: a mesh of all
devices divides each batch. Killed at any moment, it goes on with `--resume` from its last
checkpoint. The compiled part, one epoch as a pure function, is in `examples/training`; `loop.py`
is what the host does: draw each plan, run it, check, save and print.
"""

import dataclasses
import sys

import numpy as np
import tyro

from examples.data import datasets
from examples.train import folder as train_folder
from examples.train import mesh
from examples.train.job import make_job
from examples.train.loop import train
from examples.train.outcome import leave, print_table
from examples.train.settings import Settings


def run(settings: Settings) -> None:
    """Trains one recipe, or the two that a newcomer compares, and shows what came out."""
    settings.check()
    recipes = [settings]
    if settings.loss is None and settings.weights is None and settings.sampler is None:
        recipes = [
            dataclasses.replace(settings, loss="ce"),
            dataclasses.replace(settings, loss="cb-focal", sampler="difficulty"),
        ]
    with mesh.started(settings):
        dataset = datasets.load(
            settings.dataset, settings.data_dir, imbalance=settings.imbalance, seed=settings.seed
        )
        for recipe in recipes:
            make_job(recipe, dataset)  # what cannot be is told before a folder is made
        folder = train_folder.open_folder(settings)
        outcomes = []
        for recipe in recipes:
            own = folder / train_folder.slug(recipe)
            outcomes.append(train(recipe, dataset, own))
            if mesh.is_lead():
                leave(outcomes[-1], dataset, own)
    if not mesh.is_lead():
        return
    print(f"Recall on the test set of {settings.dataset}, per class, in per cent:")
    print_table(outcomes, np.bincount(dataset.train_labels, minlength=dataset.num_classes))
    print(f"checkpoints, log, figure and results: {folder}")


def main() -> None:
    """Reads the command line; what cannot be done is said in one sentence."""
    try:
        run(tyro.cli(Settings, description=__doc__))
    except (ValueError, FloatingPointError, OSError, ImportError) as error:
        sys.exit(f"examples.train: {error}")


if __name__ == "__main__":
    main()
