"""Curves of the losses and weights, in colours that are read on white and on black."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import jimb

# Four of Okabe and Ito's colours, told apart by the colour-blind; the line's style says it again.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
STYLES = ("-", "--", "-.", ":")
GREY = "#808080"


@contextmanager
def figure(path: Path, xlabel: str, ylabel: str) -> Iterator[Axes]:
    """Axes in grey without a background, written as an SVG that is the same each time."""
    style = {"svg.hashsalt": "jimb", "svg.fonttype": "none", "font.size": 11}
    style |= {f"{part}.color": GREY for part in ("xtick", "ytick", "text", "grid")}
    style |= {"axes.edgecolor": GREY, "axes.labelcolor": GREY, "grid.alpha": 0.3}
    with plt.rc_context(style):
        canvas, axes = plt.subplots(figsize=(5.4, 3.4), layout="constrained")
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(True)
        axes.spines[["top", "right"]].set_visible(False)
        yield axes
        axes.legend(frameon=False, labelcolor=GREY)
        canvas.savefig(path, transparent=True, metadata={"Date": None})
        plt.close(canvas)


def focal(path: Path) -> None:
    """The focal loss over the probability of the true class, for four γ."""
    p = np.linspace(0.01, 0.99, 99)
    logits = jnp.asarray(np.log(p / (1 - p)), jnp.float32)
    with figure(path, "probability of the true class", "loss, nats") as axes:
        for gamma, colour, style in zip((0.0, 0.5, 2.0, 5.0), COLOURS, STYLES, strict=True):
            losses = jimb.sigmoid_focal_loss(logits, jnp.ones(99), gamma=gamma)
            label = f"γ = {gamma:g}" + (", cross-entropy" if gamma == 0 else "")
            axes.plot(p, losses, style, color=colour, label=label)


def effective_number(path: Path) -> None:
    """The weight of a class of n examples beside one of 10 000, for four β."""
    n = np.geomspace(1, 10_000, 200)
    with figure(path, "examples of the class", "weight, times that of 10 000 examples") as axes:
        for beta, colour, style in zip((0.9, 0.99, 0.999, 0.9999), COLOURS, STYLES, strict=True):
            numbers = jimb.effective_number(n, beta=beta)
            axes.loglog(n, numbers[-1] / numbers, style, color=colour, label=f"β = {beta}")
