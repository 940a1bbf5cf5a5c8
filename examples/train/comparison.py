"""The report: two recipes beside each other, class by class and group by group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.report import files, style
from examples.train.figure import class_axis, classes_of
from examples.train.outcome import Outcome
from examples.train.recall import groups, mean
from examples.train.settings import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of each recipe: colour, marker and size; small marks do not hide the large one below them.
LOOKS: list[dict[str, Any]] = [
    {"edgecolors": style.BLACK, "facecolors": "white", "marker": "o", "s": 64},
    {"color": style.VERMILLION, "marker": "D", "s": 26},
]


def draw(path: Path, dataset: str, outcomes: list[Outcome], counts: np.ndarray) -> None:
    """Recall of each class under both recipes, joined by a line, and the means of groups."""
    names = [describe(outcome.settings) for outcome in outcomes]
    recall = np.stack([outcome.recall for outcome in outcomes])  # [2, K]
    plt = style.pyplot()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12.5, 5.2), layout="constrained", width_ratios=(1.9, 1), sharey=True
    )
    draw_classes(left, names, recall, counts)
    draw_groups(right, recall, counts)
    left.set(ylim=(-6, 104), yticks=range(0, 101, 20), ylabel="recall on the test set, %")
    figure.suptitle(f"{dataset}: {' against '.join(names)}", fontsize=12)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    files.write_figure(path, figure)


def draw_classes(axes: Axes, names: list[str], recall: np.ndarray, counts: np.ndarray) -> None:
    """A mark per class and recipe; a line joins the two of a class."""
    x = class_axis(axes, counts)
    known = ~np.isnan(recall).any(0)
    low, high = recall.min(0), recall.max(0)
    axes.vlines(x[known], low[known], high[known], style.GREY, linewidth=1.2, zorder=1)
    for name, row, look in zip(names, recall, LOOKS, strict=True):
        label = f"{name}: balanced accuracy {mean(row):.1f} %"
        axes.scatter(x[known], row[known], label=label, clip_on=False, zorder=3, **look)
    axes.set_title("Each class", pad=10)


def draw_groups(axes: Axes, recall: np.ndarray, counts: np.ndarray) -> None:
    """The mean of each group of classes, and of all."""
    members = {
        name: group for name, group in groups(counts).items() if 0 < group.sum() < len(counts)
    }
    members["all"] = np.ones(len(counts), bool)
    means = np.array([[mean(row[group]) for group in members.values()] for row in recall])
    x = np.arange(len(members))
    axes.vlines(x, means.min(0), means.max(0), style.GREY, linewidth=1.2, zorder=1)
    for row, other, look in zip(means, means[::-1], LOOKS, strict=True):
        axes.scatter(x, row, clip_on=False, zorder=3, **look)
        for at, value, than in zip(x, row, other, strict=True):
            axes.annotate(
                f"{value:.1f}", (at, value), (10, 0), textcoords="offset points", fontsize=9,
                va="bottom" if value > than else "top",
            )  # fmt: skip
    labels = [f"{name}\n{classes_of(group)}" for name, group in members.items()]
    axes.set_xticks(x, labels, fontsize=9)
    axes.set_xlim(-0.5, len(members) - 0.5)
    axes.set_title("Mean of each group", pad=10)
