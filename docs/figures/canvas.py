"""Axes that are read on white and on black, in colours that the colour-blind tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from examples.report.style import BLUE, GREEN, ORANGE, PURPLE

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
STYLES = ("-", "--", "-.", ":")  # each line says by its style what it says by its colour
GREY = "#808080"


@contextmanager
def canvas(path: Path, size: tuple[float, float]) -> Iterator[Axes]:
    """Axes in grey without a background, written as an SVG that is the same each time."""
    style = {"svg.hashsalt": "jimb", "svg.fonttype": "none", "font.size": 11}
    style |= {f"{part}.color": GREY for part in ("xtick", "ytick", "text", "grid")}
    style |= {"axes.edgecolor": GREY, "axes.labelcolor": GREY, "grid.alpha": 0.3}
    style |= {"legend.frameon": False, "legend.labelcolor": GREY}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        axes.spines[["top", "right"]].set_visible(False)
        yield axes
        figure.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(figure)
