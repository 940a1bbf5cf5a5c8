"""How figures look: an opaque light card, readable on a dark page too, and colours for all eyes.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart. No figure relies
on colour alone: a marker, a dash, a place or a word says the same.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

BLACK, GREY = "#222222", "#6b6b6b"
BLUE, SKY, ORANGE = "#0072b2", "#56b4e9", "#e69f00"
VERMILLION, GREEN, PURPLE = "#d55e00", "#009e73", "#cc79a7"
DIVERGING = VERMILLION, "white", BLUE  # below 0, at it, above

SETTINGS: dict[str, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": BLACK,
    "axes.labelcolor": BLACK,
    "axes.edgecolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "font.size": 11,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


def pyplot() -> ModuleType:
    """Matplotlib without a window, in this style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(SETTINGS)
    return plt
