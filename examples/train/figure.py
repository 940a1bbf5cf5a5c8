"""The figure of a training: recall by class size, difficulty, confusion."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.report import files
from examples.train.recall import groups, recalls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {"many-shot": "#4c72b0", "medium-shot": "#2a7f62", "few-shot": "#c44e52"}
GREY = "#555555"
FEWEST = 10  # examples of a group whose difficulty is drawn


def draw_figure(
    path: Path,
    title: str,
    *,
    counts: np.ndarray,
    confusion: np.ndarray,
    difficulty: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Recall against class size, the confusion matrix, and how hard the training examples were.

    Args:
        path: of the PNG.
        title: the recipe, in a line.
        counts: training examples of each class, `[K]`.
        confusion: test examples by true and predicted class, `[K, K]`.
        difficulty: of each training example, `[N]`.
        labels: of each training example, `[N]`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = plt.figure(figsize=(12.5, 6.2), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.15))
    recall, histogram = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    draw_recall(recall, counts, confusion)
    draw_difficulty(histogram, counts, difficulty, labels)
    draw_confusion(figure.add_subplot(grid[:, 1]), confusion)
    for axes in (recall, histogram):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10, color=GREY)
    files.write_figure(path, figure)


def legend(axes: Axes) -> None:
    """A legend, where there is anything."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)


def draw_recall(axes: Axes, counts: np.ndarray, confusion: np.ndarray) -> None:
    """A point per class; few classes are numbered."""
    recall = recalls(confusion)
    for name, members in groups(counts).items():
        members = members & ~np.isnan(recall)
        if members.any():
            count = int(members.sum())
            label = (
                f"{name}: {count} class{'es' * (count > 1)}, mean {recall[members].mean():.0f} %"
            )
            size = 36 if len(counts) <= 20 else 18
            axes.scatter(
                counts[members], recall[members], size, COLORS[name], label=label, clip_on=False
            )
    if len(counts) <= 20:
        for k in np.flatnonzero(~np.isnan(recall)):
            offset = (0, 6) if recall[k] < 90 else (0, -13)
            axes.annotate(
                str(k), (counts[k], recall[k]), offset, textcoords="offset points", ha="center",
                fontsize=8, color=GREY,
            )  # fmt: skip
    mean = float(np.nanmean(recall)) if not np.isnan(recall).all() else math.nan
    axes.axhline(mean, color=GREY, linestyle=":", linewidth=1)
    axes.set_xscale("log")
    ticks = [t * 10**e for e in range(-1, 9) for t in (1, 2, 5)]
    low, high = 0.8 * max(counts.min(), 0.5), 1.25 * max(counts.max(), 1)
    if high / low > 1000:
        ticks = [10**e for e in range(-1, 9)]
    ticks = [t for t in ticks if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set(xlim=(low, high), ylim=(0, 100))
    axes.set_xlabel("training examples of the class")
    axes.set_ylabel("recall on the test set, %")
    legend(axes)
    axes.set_title(
        f"Recall by class size (balanced accuracy {mean:.1f} %)", loc="left", fontsize=11
    )


def draw_confusion(axes: Axes, confusion: np.ndarray) -> None:
    """Rows of true classes in per cent; the numbers are written where they fit."""
    classes = len(confusion)
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The square root shows the small ones too.
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=10, interpolation="nearest")
    if classes <= 12:
        for i, j in np.ndindex(classes, classes):
            if share[i, j] >= 0.5:
                color = "white" if share[i, j] > 40 else "#222222"
                axes.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", color=color, size=9)
    every = next(n for n in (1, 5, 10, 50, 100, 500, classes) if classes <= 12 * n)
    axes.set_xticks(range(0, classes, every))
    axes.set_yticks(range(0, classes, every))
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title("Confusion: share of each true class", loc="left", fontsize=11)
    ticks = [0, 1, 5, 10, 25, 50, 100]
    bar = axes.figure.colorbar(image, ax=axes, ticks=np.sqrt(ticks), shrink=0.8, pad=0.02)
    bar.ax.set_yticklabels([f"{t} %" for t in ticks])
    bar.outline.set_visible(False)


def draw_difficulty(
    axes: Axes, counts: np.ndarray, difficulty: np.ndarray, labels: np.ndarray
) -> None:
    """The share of each group's examples in bins of difficulty."""
    finite = difficulty[np.isfinite(difficulty)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    logarithmic = low > 0 and high > 20 * low
    bins = np.geomspace(low, high, 31) if logarithmic else np.linspace(low, high, 31)
    if high <= low:
        bins = np.linspace(low - 0.5, low + 0.5, 31)
    for name, members in groups(counts).items():
        values = difficulty[members[labels] & np.isfinite(difficulty)]
        if values.size:
            share = 100 * np.histogram(values, bins)[0] / values.size
            label = f"{name}: {values.size} examples"
            if values.size < FEWEST:
                share, label = np.full(len(share), np.nan), f"{label}, too few to draw"
            axes.stairs(share, bins, color=COLORS[name], linewidth=1.5, label=label)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("difficulty of a training example")
    axes.set_ylabel("share of the group, %")
    axes.set_ylim(0, None)
    legend(axes)
    axes.set_title("How hard the training examples were", loc="left", fontsize=11)
