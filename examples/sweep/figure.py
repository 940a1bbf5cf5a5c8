"""The grid as a heat map, in the order of the printed table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.report import files, paired, style
from examples.sweep.report import HELD_OUT, SYMBOLS, Grids, as_good, best_cell, measured

SPAN = 5.0  # points that the colours span at least: small differences are to look small


def draw(path: Path, grids: Grids, recalls: np.ndarray, measure: str) -> None:
    """Mean ± standard error of each cell; what is not told apart from the best is framed."""
    plt = style.pyplot()
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    (y, rows), (x, columns) = grids.items()
    held_out = 100 * measured(recalls[..., HELD_OUT, :], measure)
    means, best, good = held_out.mean(-1), best_cell(recalls, measure), as_good(recalls, measure)
    low = min(means.min(), means.max() - SPAN)
    size = (3.0 + 1.35 * len(columns), 2.6 + 0.75 * len(rows))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    colors = LinearSegmentedColormap.from_list("", ["white", style.SKY])
    image = axes.imshow(means, cmap=colors, aspect="auto", vmin=low, vmax=means.max())
    for i, j in np.ndindex(means.shape):
        text = "{:.1f} ± {:.1f}".format(*paired.mean_and_error(held_out[i, j]))
        text += "\nchosen" if (i, j) == best else ""
        axes.text(j, i, text, ha="center", va="center")
        if good[i, j]:
            frame = Rectangle((j - 0.44, i - 0.42), 0.88, 0.84, fill=False, edgecolor=style.BLACK)
            frame.set_linewidth(3.5 if (i, j) == best else 1.2)
            axes.add_patch(frame)
    axes.set_xticks(range(len(columns)), [f"{v:g}" for v in columns])
    axes.set_yticks(range(len(rows)), [f"{v:g}" for v in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel=SYMBOLS[x], ylabel=SYMBOLS[y])
    axes.set_title(f"Recall, {measure}, on held-out images")
    seeds = held_out.shape[-1]
    figure.supxlabel(
        f"per cent ± s.e. over {seeds} seeds; framed: not told apart from the best, paired by seed",
        fontsize=10, color=style.GREY,
    )  # fmt: skip
    figure.colorbar(image, ax=axes, label="mean recall, %")
    files.write_figure(path, figure)
