"""Critical-difference diagrams (Demšar 2006): mean ranks, and bars over what is not told apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.keel.comparison import Compared
from examples.keel.measures import MEASURES
from examples.keel.statistics import Ranking, cliques
from examples.report import files, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 0.04  # between the axis and the names, as a share of the axis
SIDE = 0.8  # for the names on each side
NOTE = (
    "Mean ranks over the data sets, the best on the left. Blue bars: methods that Nemenyi's test\n"
    "does not tell apart at 0.05; CD: the difference that it tells apart. Bold: cross-entropy."
)


def draw_diagrams(path: Path, compared: Compared) -> None:
    """One for each measure, in two columns."""
    plt = style.pyplot()
    half = -(-len(compared.names) // 2)
    figure, axes = plt.subplots(
        3, 2, figsize=(15, 3 * (1.1 + 0.22 * (half + 4))), layout="constrained"
    )
    for each, measure in zip(axes.flat, MEASURES, strict=True):
        draw_diagram(each, compared.names, compared.rankings[measure])
        each.set_title(measure, pad=2)
    figure.supxlabel(NOTE, fontsize=10, color=style.GREY)
    files.write_figure(path, figure)


def draw_diagram(axes: Axes, names: tuple[str, ...], ranking: Ranking) -> None:
    """Names left and right of an axis of ranks, a line from each to its rank."""
    order = np.argsort(ranking.ranks, kind="stable")
    ranks = ranking.ranks[order]
    low, high = np.floor(ranks[0]), np.ceil(ranks[-1])
    found = cliques(ranks, ranking.difference)
    draw_scale(axes, low, high, ranking.difference)
    top, half = -0.5 * len(found) - 1, -(-len(order) // 2)
    for k, (rank, method) in enumerate(zip(ranks, order, strict=True)):
        left = k < half
        row = top - (k if left else len(order) - 1 - k)
        end = low - ROOM * (high - low) if left else high + ROOM * (high - low)
        axes.plot([rank, rank, end], [0, row, row], color=style.GREY, linewidth=0.7)
        text = f"{names[method]}  {rank:.1f} " if left else f" {rank:.1f}  {names[method]}"
        side, weight = "right" if left else "left", "bold" if method == 0 else "normal"
        axes.text(end, row, text, ha=side, va="center", fontsize=10, fontweight=weight)
    for k, (first, last) in enumerate(found):
        axes.hlines(-0.5 * (k + 1), ranks[first], ranks[last], color=style.BLUE, linewidth=3)
    axes.set(xlim=(low - SIDE * (high - low), high + SIDE * (high - low)))
    axes.set(ylim=(top - half, 5.5))
    axes.axis("off")


def draw_scale(axes: Axes, low: float, high: float, difference: float) -> None:
    """The axis of ranks, and the critical difference above it."""
    axes.hlines(0, low, high, color=style.BLACK, linewidth=1)
    ticks = np.arange(low, high + 1, 2)
    axes.vlines(ticks, 0, 0.4, color=style.BLACK, linewidth=1)
    for tick in ticks:
        axes.text(tick, 0.6, f"{tick:.0f}", ha="center", va="bottom", fontsize=9)
    axes.hlines(3, low, low + difference, color=style.BLACK, linewidth=2)
    axes.text(low, 3.4, f"CD {difference:.1f}", fontsize=9, va="bottom")
