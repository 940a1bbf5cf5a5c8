"""The figure of the benchmark: methods × tasks, each cell a difference to cross-entropy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.benchmark.measures import Outcome, differences, measures
from examples.benchmark.methods import METHODS
from examples.report import files, paired, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Moved = dict[str, tuple[float, float]]  # difference and standard error, by method
CLIP = 10.0  # points, where the colours end
HEADINGS = {  # of a family, by its first method
    "label smoothing": "another loss",
    "inverse frequency": "class weights",
    "balanced softmax": "class sizes in the logits",
    "Seesaw": "losses that learn from what was seen",
    "class-balanced sampling": "sampling by class",
    "OHEM, hardest half": "the hardest of a batch",
    "difficulty, c = 1": "sampling by what is learnt",
}
NOTE = (
    "Balanced accuracy, points from cross-entropy (CE), paired by trial; blue is better, orange\n"
    f"worse, and the colours end at ±{CLIP:.0f}. Grey: within two standard errors of 0. A dash:\n"
    "the method has no meaning there."
)


def draw(path: Path, outcomes: list[Outcome]) -> None:
    """A coloured table, in the order of the page's tables."""
    tasks = []
    for outcome in outcomes:
        measure = next(iter(measures(outcome).values()))
        level = 100 * measure(outcome.results[METHODS[0].name].confusion).mean()
        name = outcome.task.replace("-", "-\n", 1)
        tasks.append(f"{name}\nCE {level:.1f} %")
    draw_table(path, tasks, [differences(outcome) for outcome in outcomes])


def draw_table(path: Path, tasks: list[str], found: list[Moved]) -> None:
    """A row for each method that any task has, a heading above each family."""
    plt = style.pyplot()
    rows: list[str] = []
    heading = ""
    for method in METHODS[1:]:
        heading = HEADINGS.get(method.name, heading)
        if any(method.name in moved for moved in found):
            rows += [method.name] if heading in rows else [heading, method.name]
    size = (max(9, 3.6 + 1.05 * len(tasks)), 1.9 + 0.27 * len(rows))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    draw_cells(axes, rows, found)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(tasks)), tasks, fontsize=10)
    axes.set_yticks(range(len(rows)), rows)
    for label in axes.get_yticklabels():
        if label.get_text() in HEADINGS.values():
            label.set(fontweight="bold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.supxlabel(NOTE, fontsize=10, color=style.GREY)
    files.write_figure(path, figure)


def draw_cells(axes: Axes, rows: list[str], found: list[Moved]) -> None:
    """The numbers; those that are told apart from 0 on their colour."""
    from matplotlib.colors import LinearSegmentedColormap

    shown = np.full((len(rows), len(found)), np.nan)
    for (i, j), _ in np.ndenumerate(shown):
        moved = found[j].get(rows[i], (np.nan, np.nan))
        told = paired.told_apart(*moved)
        shown[i, j] = moved[0] if told else np.nan
        if rows[i] in HEADINGS.values():
            continue
        text = "–" if np.isnan(moved[1]) else f"{moved[0]:+.1f}"
        color = style.GREY if not told else "white" if moved[0] > 0.75 * CLIP else style.BLACK
        axes.text(j, i, text, ha="center", va="center", color=color, fontsize=10)
    colors = LinearSegmentedColormap.from_list("", style.DIVERGING)
    axes.imshow(shown, cmap=colors, vmin=-CLIP, vmax=CLIP, aspect="auto")
    axes.hlines(np.arange(len(rows)) + 0.5, -0.5, len(found) - 0.5, color="white", linewidth=1)
