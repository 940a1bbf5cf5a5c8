"""The report: the figure of a training, recall by class, confusion, difficulty, reliability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from examples.report import files, style
from examples.train.calibration import Calibration, Measured
from examples.train.recall import groups, mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Look(NamedTuple):
    """Of a group of classes, by size: its colour tells it, and so does its marker."""

    color: str
    marker: str


LOOKS = {
    "many-shot": Look(style.BLUE, "o"),
    "medium-shot": Look(style.ORANGE, "s"),
    "few-shot": Look(style.BLACK, "^"),
}
FEW_CLASSES = 20  # each has a place of its own on the axis, with its number and size


def draw(
    path: Path,
    title: str,
    *,
    counts: np.ndarray,
    recall: np.ndarray,
    confusion: np.ndarray | None,
    calibration: Calibration,
    difficulty: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Recall of each class, difficulty, reliability, and the confusion of few classes.

    Args:
        path: of the PNG.
        title: the recipe, in a line.
        counts: training examples of each class, `[K]`.
        recall: of each class in per cent, `[K]`.
        confusion: test examples by true and predicted class, `[K, K]`; None where K is large.
        calibration: of the probabilities on the test set.
        difficulty: of each training example, `[N]`.
        labels: of each training example, `[N]`.
    """
    plt = style.pyplot()
    figure = plt.figure(figsize=(12.5, 9), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.1, 1))
    above = figure.add_subplot(grid[0, :] if confusion is None else grid[0, 0])
    draw_recall(above, counts, recall)
    draw_difficulty(figure.add_subplot(grid[1, 0]), counts, difficulty, labels)
    draw_reliability(figure.add_subplot(grid[1, 1]), calibration)
    if confusion is not None:
        draw_confusion(figure.add_subplot(grid[0, 1]), confusion)
    figure.suptitle(title, fontsize=12)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    files.write_figure(path, figure)


def draw_recall(axes: Axes, counts: np.ndarray, recall: np.ndarray) -> None:
    """A point per class, and the mean of all."""
    x = class_axis(axes, counts)
    for name, members in groups(counts).items():
        members = members & ~np.isnan(recall)
        if members.any():
            look, size = LOOKS[name], f"{classes_of(members)}, {counts[members].sum()} examples"
            label = f"{name}: {size}, mean recall {recall[members].mean():.0f} %"
            axes.scatter(
                x[members], recall[members], 36 if len(counts) <= FEW_CLASSES else 20,
                c=look.color, marker=look.marker, label=label, clip_on=False, zorder=3,
            )  # fmt: skip
    balanced = mean(recall)
    label = f"balanced accuracy: {balanced:.1f} %, the mean of all classes"
    axes.axhline(balanced, color=style.GREY, linestyle=":", linewidth=1.2, label=label)
    axes.set(ylim=(0, 100), ylabel="recall on the test set, %")
    axes.set_title("Recall of each class", pad=10)


def class_axis(axes: Axes, counts: np.ndarray) -> np.ndarray:
    """Where each class stands on the x axis: few by rank, many by their training examples."""
    if len(counts) <= FEW_CLASSES:
        order = np.argsort(-counts, kind="stable")
        axes.set_xticks(range(len(counts)), [f"{k}\n{counts[k]}" for k in order], fontsize=9)
        axes.set_xlim(-0.5, len(counts) - 0.5)
        axes.set_xlabel("class, and its training examples")
        return np.argsort(order)
    low, high = 0.8 * max(counts.min(), 0.5), 1.25 * max(counts.max(), 1)
    factors = (1, 2, 5) if high / low <= 1000 else (1,)
    ticks = [f * 10**e for e in range(-1, 9) for f in factors if low <= f * 10**e <= high]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlim(low, high)
    axes.set_xlabel("training examples of the class")
    return np.maximum(counts, 0.5)


def classes_of(members: np.ndarray) -> str:
    """`1 class`, `2 classes`."""
    count = int(members.sum())
    return f"{count} class{'es' * (count != 1)}"


def draw_difficulty(
    axes: Axes, counts: np.ndarray, difficulty: np.ndarray, labels: np.ndarray
) -> None:
    """The share of each group's examples that are at most so hard: no bins to choose."""
    finite = np.isfinite(difficulty)
    for name, members in groups(counts).items():
        values = np.sort(difficulty[members[labels] & finite])
        if values.size:
            shares = np.arange(values.size + 1) / values.size
            deciles = np.searchsorted(shares, np.arange(1, 10, 2) / 10)  # that have a marker
            axes.plot(
                np.r_[values[0], values], 100 * shares, drawstyle="steps-post",
                color=LOOKS[name].color, marker=LOOKS[name].marker, markevery=deciles.tolist(),
            )  # fmt: skip
    known = difficulty[finite]
    if known.size and known.min() > 0 and known.max() > 20 * known.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set(ylim=(0, 100), ylabel="share of the group\nthat is at most so hard, %")
    axes.set_xlabel("difficulty of a training example")
    axes.set_title("How hard the training examples were")


def draw_reliability(axes: Axes, calibration: Calibration) -> None:
    """How often predictions of a confidence are right: a point is a fifteenth of the test set."""
    fitted = " and ".join(f"{t:.2f}" for t in calibration.temperatures)
    rows: tuple[tuple[str, Measured, dict[str, Any]], ...] = (
        ("as trained", calibration.before, {"color": style.VERMILLION, "marker": "o", "ls": "--"}),
        (f"at T = {fitted}", calibration.after, {"color": style.BLUE, "marker": "s"}),
    )
    axes.axline((0, 0), slope=1, color=style.GREY, linestyle=":", linewidth=1.2)
    for name, (errors, points), look in rows:
        label = f"{name}: ECE {100 * errors.equal_mass_ece:.1f} %, Brier {errors.brier:.3f}"
        x, y = 100 * points.confidence, 100 * points.accuracy
        axes.plot(x, y, label=label, markersize=5, linewidth=1.2, clip_on=False, **look)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence of predictions, %")
    axes.set_ylabel("share of them that is right, %")
    axes.set_title("Reliability, each half of the test set at the other's T")
    axes.legend()


def draw_confusion(axes: Axes, confusion: np.ndarray) -> None:
    """Rows of true classes in per cent; the numbers are written where they fit."""
    classes = len(confusion)
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The square root shows the small ones too.
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=10, interpolation="nearest")
    if classes <= 12:
        for i, j in np.ndindex(classes, classes):
            if share[i, j] >= 0.5:
                color = "white" if share[i, j] > 40 else style.BLACK
                axes.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", color=color, size=9)
    every = next(n for n in (1, 5, 10, 50, 100, 500, classes) if classes <= 12 * n)
    axes.set_xticks(range(0, classes, every))
    axes.set_yticks(range(0, classes, every))
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title("Confusion: share of each true class")
    ticks = [0, 1, 5, 10, 25, 50, 100]
    bar = axes.figure.colorbar(image, ax=axes, ticks=np.sqrt(ticks), shrink=0.7, pad=0.02)
    bar.ax.set_yticklabels([f"{t} %" for t in ticks])
    bar.outline.set_visible(False)
