"""The report: what is left of a training, as JSON, as a figure and as a row of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from examples.data import datasets
from examples.report import prose
from examples.train import calibration, figure, log
from examples.train.calibration import CROSS_FITTED, Tested, notes
from examples.train.log import Epoch
from examples.train.recall import mean, recalls
from examples.train.settings import Settings, describe
from jimb import counting, metrics


class Outcome(NamedTuple):
    """What is left of a training."""

    settings: Settings
    recall: np.ndarray  # [K], in per cent, NaN for a class that the test set lacks
    confusion: np.ndarray | None  # [K, K], of few classes
    calibration: Tested
    difficulty: np.ndarray  # of each training example
    losses: np.ndarray  # of each step
    epochs: list[Epoch]
    digest: str  # of every bit of the last state


def read(
    tested: metrics.ConfusionState | metrics.TallyState,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Recall and confusion from the counts on the test set."""
    if isinstance(tested, metrics.TallyState):
        return recalls(counting.to_numpy(tested.hits), counting.to_numpy(tested.examples)), None
    confusion = counting.to_numpy(tested)
    return recalls(np.diagonal(confusion), confusion.sum(axis=1)), confusion


def leave(outcome: Outcome, dataset: datasets.Dataset, folder: Path) -> None:
    """Every setting and number as JSON, and the figure."""
    settings = outcome.settings
    counts = np.bincount(dataset.train_labels, minlength=dataset.num_classes)
    recall = outcome.recall / 100
    calibrated = calibration.read(outcome.calibration)
    numbers = {
        "settings": settings,
        "balanced_accuracy": mean(recall),
        "recall": recall,
        "train_counts": counts,
        "confusion": outcome.confusion,
        "calibration": {**calibrated._asdict(), "notes": notes(settings)},
        "epochs": outcome.epochs,
        "losses": outcome.losses,
        "difficulty": outcome.difficulty,
        "state_sha256": outcome.digest,
    }
    log.write_json(folder / "results.json", numbers)
    figure.draw(
        folder / "figure.png",
        f"{settings.dataset}: {describe(settings)}, {settings.epochs} epochs",
        counts=counts,
        recall=outcome.recall,
        confusion=outcome.confusion,
        calibration=calibrated,
        difficulty=outcome.difficulty,
        labels=dataset.train_labels,
    )


def print_table(outcomes: Sequence[Outcome], counts: np.ndarray) -> None:
    """Recall of each class and their mean, per recipe, in per cent; of many classes the mean."""
    names = [describe(outcome.settings) for outcome in outcomes]
    width = max(map(len, [*names, "training examples"])) + 2
    shown = len(counts) if len(counts) <= 20 else 0
    print(f"{'class':<{width}}" + "".join(f"{k:>6}" for k in range(shown)) + "   balanced")
    sizes = "".join(f"{n:>6}" for n in counts[:shown])
    print(f"{'training examples':<{width}}{sizes}   accuracy")
    for name, outcome in zip(names, outcomes, strict=True):
        row = "".join(f"{r:6.1f}" for r in outcome.recall[:shown])
        print(f"{name:<{width}}{row}   {mean(outcome.recall):8.1f}")


def print_calibration(outcomes: Sequence[Outcome]) -> None:
    """Calibration errors and Brier score of each recipe, as trained and at a temperature."""
    names = [describe(outcome.settings) for outcome in outcomes]
    width = max(map(len, names)) + 2
    print(f"{'':<{width}}{'temperature':>12}{'ECE, %':>9}{'of equal mass':>15}{'Brier':>8}")
    for name, outcome in zip(names, outcomes, strict=True):
        temperatures, before, after = calibration.read(outcome.calibration)
        fitted = ", ".join(f"{t:.2f}" for t in temperatures)
        for row, temperature, (errors, _) in ((name, "1", before), ("", fitted, after)):
            shown = f"{100 * errors.ece:9.1f}{100 * errors.equal_mass_ece:15.1f}{errors.brier:8.3f}"
            print(f"{row:<{width}}{temperature:>12}{shown}")
    print(prose.filled(CROSS_FITTED))
    for name, outcome in zip(names, outcomes, strict=True):
        for note in notes(outcome.settings)[1:]:
            print(prose.filled(f"{name}: {note}"))
