"""The figure of the benchmark: a panel for each task, a dot for each method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.benchmark.measures import Outcome, differences
from examples.benchmark.methods import METHODS
from examples.report import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETTER, WORSE, ALIKE = "#2a7f62", "#c44e52", "#888888"


def draw_figure(outcomes: list[Outcome], path: Path) -> None:
    """Paired differences to CE with bars of two standard errors."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = [differences(outcome) for outcome in outcomes]
    names = [m.name for m in METHODS[1:] if any(m.name in each for each in found)]
    columns = min(4, len(outcomes))
    rows = -(-len(outcomes) // columns)
    figure, panels = plt.subplots(
        rows,
        columns,
        figsize=(2.2 + 2.6 * columns, rows * (1.0 + 0.19 * len(names))),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for panel in panels.flat[len(outcomes) :]:
        panel.set_visible(False)
    for panel, outcome, moved in zip(panels.flat, outcomes, found, strict=False):
        draw_panel(panel, moved, names)
        panel.set_title(outcome.spec.title.replace(", ", ",\n", 1), fontsize=9)
    figure.supxlabel(
        "balanced accuracy, points from cross-entropy; bars: ± 2 standard errors, paired",
        fontsize=9,
    )
    files.write_figure(path, figure)


def draw_panel(axes: Axes, moved: dict[str, tuple[float, float, float]], names: list[str]) -> None:
    """A dot for each method; one beyond the axis is an arrow with its number."""
    means = {name: mean for name, (_, mean, _) in moved.items() if np.isfinite(mean)}
    reach = 1.5 * float(np.quantile(np.abs(list(means.values())), 0.9)) + 0.5
    for row, name in enumerate(names):
        if name not in means:
            continue
        _, mean, error = moved[name]
        color = ALIKE if abs(mean) <= 2 * error else BETTER if mean > 0 else WORSE
        if abs(mean) <= reach:
            axes.errorbar(mean, row, xerr=2 * error, fmt="o", color=color, markersize=3.5, lw=1.2)
            continue
        side = np.sign(mean)
        axes.plot(0.97 * side * reach, row, ">" if side > 0 else "<", color=color, markersize=4)
        label = axes.text(0.9 * side * reach, row, f"{mean:+.1f}", color=color, fontsize=6.5)
        label.set(ha="right" if side > 0 else "left", va="center")
    axes.axvline(0, color="#333333", lw=0.8)
    axes.set_xlim(-reach, reach)
    axes.set_yticks(range(len(names)), names, fontsize=7.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#eeeeee", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
