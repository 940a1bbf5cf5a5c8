"""The figure: IoU of each class by its objects in training, and masks of a few test canvases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.dense import CLASSES
from examples.report import files, style
from examples.segmentation.report import mean_of
from examples.segmentation.trials import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of each method that is drawn: colour, marker, dash.
SHOWN: dict[str, tuple[str, str, Any]] = {
    "cross-entropy (CE)": (style.BLACK, "o", "-"),
    "median-frequency CE": (style.ORANGE, "^", "--"),
    "OHEM (¼ of the pixels)": (style.BLUE, "s", "-."),
    "Dice": (style.VERMILLION, "v", (0, (5, 1, 1, 1, 1, 1))),
    "CE + Dice": (style.GREEN, "D", ":"),
}
TRUE = (style.SKY, style.ORANGE, style.GREEN, style.PURPLE)  # the objects of a canvas
OTHER = style.VERMILLION  # a class that the canvas does not have
CANVASES = 3


def draw(path: Path, outcome: Outcome) -> None:
    """Curves above, a row for each canvas below."""
    plt = style.pyplot()
    height = 4.2 + 2.3 * CANVASES
    figure = plt.figure(figsize=(14, height), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(4.2, height - 4.2))
    draw_classes(above.subplots(), outcome)
    grid = below.subplots(CANVASES, 2 + len(SHOWN), squeeze=False)
    for row, canvas in zip(grid, chosen(outcome), strict=False):
        draw_canvas(row, outcome, int(canvas))
    for axes, title in zip(grid[0], ("canvas", "truth", *SHOWN), strict=True):
        axes.set_title(title, fontsize=10)
    below.supxlabel(
        "one colour for each class that a canvas has, vermilion for any other", fontsize=10
    )
    files.write_figure(path, figure)


def draw_classes(axes: Axes, outcome: Outcome) -> None:
    """A line a method."""
    objects = outcome.objects.mean(0)
    order = np.argsort(-objects, kind="stable")
    places = np.arange(len(order))
    for name, (color, marker, dash) in SHOWN.items():
        iou = 100 * mean_of(outcome.scores[name].iou, 0)[order]
        line, *_ = axes.plot(places, iou, color=color, linestyle=dash, label=name)
        line.set(marker=marker, markersize=5)
    names = [f"{CLASSES[k]}\n{objects[k]:.0f}" for k in order]
    axes.set_xticks(places, names, fontsize=8)
    axes.set(xlabel="class, and its objects in training", ylabel="IoU on test canvases, %")
    axes.set_title("IoU of each class")
    axes.legend()


def chosen(outcome: Outcome) -> np.ndarray:
    """The first test canvases of the last seed that have a frequent, a rare and another class."""
    labels, classes = np.asarray(outcome.last.test.labels), len(CLASSES)
    present = np.stack([np.bincount(x.ravel(), minlength=classes + 1)[:-1] > 0 for x in labels])
    third = classes // 3
    fit = (present.sum(1) >= 3) & present[:, :third].any(1) & present[:, -third:].any(1)
    return np.argsort(~fit, kind="stable")[:CANVASES]


def draw_canvas(row: np.ndarray, outcome: Outcome, canvas: int) -> None:
    """The picture, the truth, and what each method makes of it."""
    test = outcome.last.test
    truth = np.asarray(test.labels[canvas])
    present = [k for k in np.unique(truth) if k < len(CLASSES)]
    row[0].imshow(test.pixels[canvas], cmap="gray", vmin=0, vmax=255)
    draw_mask(row[1], truth, present)
    for axes, name in zip(row[2:], SHOWN, strict=True):
        draw_mask(axes, outcome.last.predictions[name][canvas], present)
    for axes in row:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)


def draw_mask(axes: Axes, mask: np.ndarray, present: list[int]) -> None:
    """In the colours of the classes that the canvas has, each named where it is largest."""
    from matplotlib.colors import to_rgb
    from matplotlib.patheffects import withStroke

    image = np.ones((*mask.shape, 3))
    for k in np.unique(mask[mask < len(CLASSES)]):
        color = TRUE[present.index(k)] if k in present else OTHER
        image[mask == k] = to_rgb(color)
    axes.imshow(image)
    for k in np.unique(mask[mask < len(CLASSES)]):
        rows, columns = np.nonzero(mask == k)
        if len(rows) >= mask.size // 100:
            place = np.median(columns), np.median(rows)
            text = axes.text(*place, CLASSES[k], fontsize=8, ha="center", va="center")
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
