"""The figures: boxes on test canvases, and the cumulative loss of RetinaNet's paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from examples import dense
from examples.detection.easy import Curves
from examples.detection.epochs import Found
from examples.detection.task import Batch
from examples.report import files, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("BCE (π)", "OHEM 1:3", "focal γ=2 (α=0.25)")
CANVASES = 4
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
COLORS = (style.BLACK, style.SKY, style.GREEN, style.BLUE, style.VERMILLION)


def draw_boxes(path: Path, test: Batch, found: dict[str, Found]) -> None:
    """A row for the truth and for each method, a column for each of the busiest test canvases.

    As many boxes are drawn as there are objects, the best first.
    """
    plt = style.pyplot()
    rows = {"truth": truth_of(test)} | {name: found[name] for name in SHOWN}
    size = 2.6 * CANVASES, 2.75 * len(rows)
    figure, grid = plt.subplots(len(rows), CANVASES, figsize=size, layout="constrained")
    objects = (np.asarray(test.labels) >= 0).sum(1)
    busy = np.argsort(-objects, stable=True)[:CANVASES]
    for panels, (name, boxes) in zip(grid, rows.items(), strict=True):
        for axes, canvas in zip(panels, busy, strict=True):
            axes.imshow(test.pixels[canvas], cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            best = np.argsort(-boxes.scores[canvas], stable=True)[: objects[canvas]]
            draw_each(axes, *(np.asarray(x[canvas][best]) for x in boxes))
        panels[0].set_ylabel(name)
    files.write_figure(path, figure)


def truth_of(test: Batch) -> Found:
    """The objects, as if they were found for certain."""
    return Found(test.boxes, test.labels, jnp.where(test.labels < 0, -1.0, 1.0))


def draw_each(axes: Axes, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray) -> None:
    """A rectangle and a name each; a score below 1 too."""
    from matplotlib.patches import Rectangle

    for (left, top, right, bottom), label, score in zip(boxes, classes, scores, strict=True):
        color, width, height = style.ORANGE, right - left, bottom - top
        axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=color))
        name = dense.CLASSES[label] + (f" {score:.2f}" if score < 1 else "")
        plate = {"facecolor": "black", "edgecolor": "none", "pad": 0.5, "alpha": 0.7}
        place = max(left, 0), min(max(top - 1, 9), dense.SIDE)
        axes.text(*place, name, color=color, fontsize=8, va="bottom", bbox=plate, clip_on=True)


def draw_losses(path: Path, curves: Curves) -> None:
    """Of one trained detector: how the loss of each γ adds up over sorted objects and negatives."""
    plt = style.pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    for axes, (title, of_gamma) in zip(panels, curves._asdict().items(), strict=True):
        for (gamma, curve), dash, color in zip(of_gamma.items(), DASHES, COLORS, strict=True):
            shares = np.linspace(0, 1, len(curve))
            axes.plot(shares, curve, linestyle=dash, color=color, label=f"γ = {gamma:g}")
        axes.set(xlabel=f"share of the {title}, the easiest first", title=title)
    panels[0].set_ylabel("share of their loss")
    panels[0].legend()
    files.write_figure(path, figure)
