"""What was found, as a table and a figure. The first method, CE, is the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.parity.methods import Method
from examples.parity.trials import Result
from examples.report import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = {
    "digit 8": [8],
    "other even": [0, 2, 4, 6],
    "odd": [1, 3, 5, 7, 9],
    "mean of ten": list(range(10)),
}


def recall_of(result: Result, column: str) -> np.ndarray:
    """Mean recall over the column's digits, per trial, in per cent."""
    return 100 * result.recalls[:, COLUMNS[column]].mean(axis=1)


def paired_difference(result: Result, baseline: Result, column: str) -> tuple[float, float]:
    """Mean and standard error of the difference to the baseline, over trials, in points."""
    difference = recall_of(result, column) - recall_of(baseline, column)
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def table(results: dict[str, Result]) -> str:
    """Recalls in per cent, and the paired difference to CE ± its standard error (Markdown)."""
    baseline, *_ = results.values()
    width = max(map(len, results))
    lines = [f"| {'method':<{width}} | " + " | ".join(f"{c:^19}" for c in COLUMNS) + " |"]
    lines.append(f"|{'-' * (width + 2)}|" + "|".join("-" * 21 for _ in COLUMNS) + "|")
    for name, result in results.items():
        cells = []
        for column in COLUMNS:
            cell = f"{recall_of(result, column).mean():5.1f}"
            if result is not baseline:
                mean, error = paired_difference(result, baseline, column)
                cell += f" ({mean:+5.1f} ± {error:3.1f})"
            cells.append(f"{cell:<19}")
        lines.append(f"| {name:<{width}} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


COLORS = {
    "none": "#555555",
    "class weights": "#c44e52",
    "focal": "#937860",
    "instance sampling": "#2a7f62",
    "baseline sampling": "#4c72b0",
}


def draw_figure(
    results: dict[str, Result], methods: Sequence[Method], path: Path, title: str
) -> None:
    """Recall of digit 8 by method; what the samplers drew, and how hard the 8s were."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = plt.figure(figsize=(11, 5), layout=ConstrainedLayoutEngine(w_pad=0.1))
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
    bars = figure.add_subplot(grid[:, 0])
    above, below = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    draw_recalls(bars, results, methods)
    draw_mass(above, results, methods)
    draw_difficulty(below, results["difficulty, c = 0.1"])
    for axes in (bars, above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10, color="#555555")
    files.write_figure(path, figure)


def draw_recalls(axes: Axes, results: dict[str, Result], methods: Sequence[Method]) -> None:
    """A bar per method."""
    baseline, *_ = results.values()
    for row, method in enumerate(reversed(methods)):
        recall = recall_of(results[method.name], "digit 8").mean()
        _, error = paired_difference(results[method.name], baseline, "digit 8")
        color = COLORS[method.family]
        axes.barh(row, recall, xerr=error or None, color=color, height=0.7, capsize=3)
        axes.text(recall + error + 1, row, f"{recall:.1f}", va="center", color=color)
    level = recall_of(baseline, "digit 8").mean()
    axes.axvline(level, color=COLORS["none"], linestyle=":", linewidth=1)
    axes.set_yticks(range(len(methods)), [m.name for m in reversed(methods)])
    axes.set_xlabel("recall of digit 8, % (bar: s.e. of the paired difference to CE)")
    axes.set_xlim(0, 100)
    axes.set_title("The rare 8s of the larger class: who finds them?", loc="left", fontsize=11)


def draw_mass(axes: Axes, results: dict[str, Result], methods: Sequence[Method]) -> None:
    """The share of each epoch's draws that falls on the 8s."""
    samplers = [m for m in methods if m.sampler in ("difficulty", "loss", "delta")]
    for method, style in zip(samplers, ("--", "-", "-", ":"), strict=True):
        mass = 100 * results[method.name].mass_on_eights.mean(axis=1)
        color = COLORS[method.family]
        axes.plot(range(1, len(mass) + 1), mass, style, color=color, label=method.name)
    baseline, *_ = results.values()
    uniform = 100 * baseline.mass_on_eights.mean()
    axes.axhline(uniform, color=COLORS["none"], linewidth=1, label="uniform")
    axes.set_ylabel("draws on the 8s, %")
    axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="upper left")
    axes.set_title("What each sampler draws", loc="left", fontsize=11)


def draw_difficulty(axes: Axes, result: Result) -> None:
    """Mean difficulty of the 8s and of all other images after each epoch."""
    eights, rest = result.difficulty_of_eights.mean(1), result.difficulty_of_rest.mean(1)
    epochs = range(1, len(eights) + 1)
    axes.plot(epochs, eights, color=COLORS["instance sampling"], label="the 8s")
    axes.plot(epochs, rest, color="#aaaaaa", label="all others")
    axes.set_yscale("log", subs=())
    low, high = 0.8 * rest.min(), 1.3 * eights.max()
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(low, high)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean difficulty D")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title("How hard they are (difficulty, c = 0.1)", loc="left", fontsize=11)
