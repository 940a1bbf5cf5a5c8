"""The figures: critical-difference diagrams of each model, and effects by imbalance and size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.keel.comparison import compare, imbalance, sizes
from examples.keel.diagram import draw_diagrams
from examples.keel.methods import MIDWAY
from examples.keel.outcome import Outcome
from examples.report import files, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 5
TICKS = 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000
# Method, colour and marker.
SHOWN = {
    "inverse frequency": (style.BLUE, "o"),
    "class-balanced sampling": (style.GREEN, "^"),
    MIDWAY: (style.ORANGE, "s"),
    "OHEM": (style.PURPLE, "D"),
    "difficulty": (style.VERMILLION, "v"),
}
NOTE = (
    "MLP, from cross-entropy. A marker is the median of a fifth of the data sets, the bar\n"
    "its quartiles; markers of one fifth stand beside each other."
)


def draw(folder: Path, outcome: Outcome) -> None:
    """Three PNGs."""
    for model, test in outcome.test.items():
        draw_diagrams(folder / f"keel_{model.lower()}.png", compare(test))
    draw_effects(folder / "keel_effects.png", outcome)


def draw_effects(path: Path, outcome: Outcome) -> None:
    """A row for each of two measures, a column for imbalance and one for size."""
    plt = style.pyplot()
    compared = compare(outcome.test["MLP"])
    names = [name for name in SHOWN if name in compared.names]
    figure, axes = plt.subplots(
        2, 2, figsize=(10, 7), layout="constrained", sharex="col", sharey="row"
    )
    columns = {
        "rows of the larger class for each of the smaller": imbalance(outcome),
        "rows": sizes(outcome),
    }
    for row, measure in zip(axes, ("balanced accuracy", "PR-AUC"), strict=True):
        moved = {name: compared.effects(name, measure) for name in names}
        if measure == "PR-AUC":
            moved.pop(MIDWAY, None)  # a threshold ranks nothing
        for each, (title, positions) in zip(row, columns.items(), strict=True):
            draw_medians(each, positions, moved)
            if measure == "PR-AUC":
                each.set_xlabel(title)
        row[0].set_ylabel(f"{measure}, points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(names))
    figure.get_layout_engine().set(wspace=0.06)
    figure.supxlabel(NOTE, fontsize=10, color=style.GREY)
    files.write_figure(path, figure)


def draw_medians(axes: Axes, positions: np.ndarray, moved: dict[str, np.ndarray]) -> None:
    """The median and quartiles of each fifth of the data sets."""
    parts = np.array_split(np.argsort(positions, kind="stable"), min(BINS, len(positions)))
    centres = np.array([np.exp(np.log(positions[part]).mean()) for part in parts])
    axes.axhline(0, color=style.GREY, linewidth=1)
    for k, (name, values) in enumerate(moved.items()):
        color, marker = SHOWN[name]
        low, middle, high = np.array(
            [np.quantile(values[part], (0.25, 0.5, 0.75)) for part in parts]
        ).T
        place = centres * 1.06 ** (k - (len(moved) - 1) / 2)
        bars = middle - low, high - middle
        axes.errorbar(place, middle, bars, color=color, marker=marker, label=name, linestyle="none")
    axes.set_xscale("log")
    axes.minorticks_off()
    ticks = [tick for tick in TICKS if positions.min() < tick < positions.max()]
    axes.set_xticks(ticks, map(str, ticks))
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)
