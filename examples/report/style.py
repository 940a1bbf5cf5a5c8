"""How figures look: dark ink and colour-blind safe colours on an opaque white card.

The card is white on a light page and on a dark one, so a figure is read alike on both. Colours are
those of Okabe and Ito; what they tell apart, markers or line styles tell apart too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

INK, GREY = "#222222", "#5a5a5a"  # of what matters, and of what helps to read it
COLORS = {
    "blue": "#0072b2",
    "orange": "#e69f00",
    "green": "#009e73",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
    "sky": "#56b4e9",
    "black": "#000000",
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")


@contextlib.contextmanager
def card() -> Iterator[None]:
    """Figures made inside it need no screen and have this style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from cycler import cycler

    chosen: Any = {  # a dict of names that Matplotlib lists
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.transparent": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.prop_cycle": cycler(color=list(COLORS.values())),
        "legend.frameon": False,
        "legend.fontsize": 9,
        **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
        **{f"axes.{part}": INK for part in ("labelcolor", "titlecolor", "edgecolor")},
    }
    with plt.rc_context(chosen):
        yield
