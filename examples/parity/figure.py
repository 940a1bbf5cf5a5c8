"""The figure: who finds the rare 8s, what each sampler draws, and how hard the 8s are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.parity.methods import METHODS
from examples.parity.report import recall_of
from examples.parity.trials import Result
from examples.report import files, paired, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A colour and a hatch for each family; lines have their own dashes.
FAMILIES = {
    "none": (style.GREY, ""),
    "class weights": (style.VERMILLION, "//"),
    "focal": (style.PURPLE, ".."),
    "instance sampling": (style.BLUE, ""),
    "baseline sampling": (style.SKY, "\\\\"),
}
NAMES = {
    "none": "cross-entropy, the baseline",
    "class weights": "class weights",
    "focal": "focal loss",
    "instance sampling": "sampling by difficulty",
    "baseline sampling": "sampling by something simpler",
}
DASHES = {
    "difficulty, c = 1 (default)": "--",
    "sampling by current loss": "-.",
    "sampling by du + dl": ":",
}


def draw(path: Path, results: dict[str, Result], title: str) -> None:
    """Recall of digit 8 by method; what the samplers drew, and how hard the 8s were."""
    plt = style.pyplot()
    figure = plt.figure(figsize=(12, 6.2), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.2, 1))
    draw_recalls(figure.add_subplot(grid[:, 0]), results)
    draw_mass(figure.add_subplot(grid[0, 1]), results)
    draw_difficulty(figure.add_subplot(grid[1, 1]), results["difficulty, c = 0.1"])
    figure.suptitle(title, fontsize=11, color=style.GREY)
    files.write_figure(path, figure)


def draw_recalls(axes: Axes, results: dict[str, Result]) -> None:
    """A bar per method, from the top down in the order of the table."""
    baseline = recall_of(next(iter(results.values())), "digit 8")
    named = set()
    for row, method in enumerate(METHODS):
        ours = recall_of(results[method.name], "digit 8")
        color, hatch = FAMILIES[method.family]
        label = None if method.family in named else NAMES[method.family]
        named.add(method.family)
        mean, (moved, error) = 100 * ours.mean(), paired.difference(ours, baseline)
        axes.barh(row, mean, 0.72, color=color, hatch=hatch, edgecolor="white", label=label)
        if row:
            axes.errorbar(mean, row, xerr=error, color=style.BLACK, capsize=3)
        text = f"{mean:.1f} ({moved:+.1f})" if row else f"{mean:.1f}"
        label_box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(mean + error + 1.5, row, text, va="center", bbox=label_box)
    level, ends = 100 * baseline.mean(), (-0.5, len(METHODS) - 0.5)
    axes.plot((level, level), ends, ":", color=style.BLACK, linewidth=1)
    axes.set_yticks(range(len(METHODS)), [method.name for method in METHODS])
    axes.set(xlim=(0, 100), ylim=(len(METHODS) + 1.9, -0.6))
    axes.set_xlabel("recall of digit 8, % (± s.e. of the difference to CE)")
    axes.set_title("The rare 8s of the larger class: who finds them?")
    axes.legend(loc="lower left", ncols=2, bbox_to_anchor=(-0.02, -0.01))


def draw_mass(axes: Axes, results: dict[str, Result]) -> None:
    """The share of each epoch's draws that falls on the 8s."""
    for method in METHODS:
        if method.sampler in ("difficulty", "loss", "delta"):
            mass = 100 * results[method.name].mass_on_eights.mean(axis=1)
            dash, color = DASHES.get(method.name, "-"), FAMILIES[method.family][0]
            axes.plot(range(1, len(mass) + 1), mass, dash, color=color, label=method.name, lw=2)
    baseline, *_ = results.values()
    uniform = 100 * baseline.mass_on_eights.mean()
    axes.axhline(uniform, color=style.GREY, linewidth=1.5, label="each image alike")
    axes.set(ylim=(0, 1.5 * axes.get_ylim()[1]), ylabel="draws on the 8s, %")
    axes.set_xticks(ticks_of(len(mass)))
    axes.legend(fontsize=9, ncols=2, loc="upper left")
    axes.set_title("What each sampler draws")


def ticks_of(epochs: int) -> list[int]:
    """The first epoch, and every fifth of the training."""
    return [1, *(epochs * k // 5 for k in range(1, 6))]


def draw_difficulty(axes: Axes, result: Result) -> None:
    """Mean difficulty of the 8s and of all other images after each epoch."""
    eights, rest = result.difficulty_of_eights.mean(1), result.difficulty_of_rest.mean(1)
    epochs = np.arange(1, len(eights) + 1)
    axes.plot(epochs, eights, color=style.BLUE, lw=2)
    axes.plot(epochs, rest, "--", color=style.GREY, lw=2)
    for values, name in ((eights, "the 8s"), (rest, "all others")):
        axes.annotate(name, (epochs[-1], values[-1]), (6, 0), textcoords="offset points")
    axes.set_yscale("log", subs=())
    low, high = 0.8 * rest.min(), 1.3 * eights.max()
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set(ylim=(low, high), xlim=(None, 1.18 * epochs[-1]))
    axes.set(xlabel="epoch", ylabel="mean difficulty D", xticks=ticks_of(len(epochs)))
    axes.set_title("How hard they are (difficulty, c = 0.1)")
