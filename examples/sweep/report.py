"""What was found: a table, the best cell, the times, and a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from examples.report import files
from examples.sweep.timing import Timing

SYMBOLS = {"gamma": "γ", "beta": "β", "power": "power of the class weights", "rate": "rate"}
HELD_OUT, REPORTED = 0, 1


def measured(recalls: np.ndarray, measure: str) -> np.ndarray:
    """From recalls `[..., 10]` of the digits, in per cent."""
    return np.asarray(100 * (recalls[..., 8] if measure == "digit 8" else recalls.mean(-1)))


def best_cell(recalls: np.ndarray, measure: str) -> tuple[int, int]:
    """By the mean over seeds on the held-out images."""
    means = measured(recalls[..., HELD_OUT, :], measure).mean(-1)
    row, column = np.unravel_index(means.argmax(), means.shape)
    return int(row), int(column)


def page(
    grids: Mapping[str, Sequence[float]], recalls: np.ndarray, measure: str, timing: Timing
) -> str:
    """The table of the held-out images, the best cell, and how long it took."""
    (y, rows), (x, columns) = grids.items()
    held_out = measured(recalls[..., HELD_OUT, :], measure)
    seeds = held_out.shape[-1]
    means, errors = held_out.mean(-1), held_out.std(-1, ddof=1) / np.sqrt(seeds)
    lines = [
        f"Recall, {measure}, on held-out images in per cent ± s.e. over {seeds} seeds:",
        "",
        f"| {SYMBOLS[y]} \\ {SYMBOLS[x]} | " + " | ".join(f"{v:g}" for v in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for value, row, error in zip(rows, means, errors, strict=True):
        cells = (f"{m:.1f} ± {e:.1f}" for m, e in zip(row, error, strict=True))
        lines.append(f"| {value:g} | " + " | ".join(cells) + " |")
    best = best_cell(recalls, measure)
    reported = measured(recalls[..., REPORTED, :], measure)[best]
    error = reported.std(ddof=1) / np.sqrt(seeds)
    lines += [
        "",
        f"Best on them: {SYMBOLS[y]} = {rows[best[0]]:g}, {SYMBOLS[x]} = {columns[best[1]]:g}; on "
        f"the other images it has {reported.mean():.1f} ± {error:.1f}.",
        "",
        *times(timing, means.size, seeds),
    ]
    return "\n".join(lines)


def times(timing: Timing, cells: int, seeds: int) -> list[str]:
    """The grid in one program, and what it would take one by one."""
    trainings = cells * seeds
    one, constant = trainings * timing.one, trainings * timing.constant
    return [
        f"{trainings} trainings ({cells} cells, {seeds} seeds) on {jax.device_count()} "
        f"{jax.default_backend()} devices: {timing.grid:.1f} s in one program, and "
        f"{timing.compilation:.1f} s to compile it, once.",
        f"One by one: {one:.1f} s by calls of one compiled training ({1000 * timing.one:.0f} ms "
        f"each, {one / timing.grid:.1f} times as long), {constant:.0f} s with the numbers compiled "
        f"in ({constant:.0f} / {timing.grid + timing.compilation:.1f} = "
        f"{constant / (timing.grid + timing.compilation):.0f} times, with compilation). Medians of "
        "a few cells, times their number.",
    ]


def draw(
    path: Path, grids: Mapping[str, Sequence[float]], recalls: np.ndarray, measure: str
) -> None:
    """The held-out images' means as a heat map, the best cell framed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    (y, rows), (x, columns) = grids.items()
    means = measured(recalls[..., HELD_OUT, :], measure).mean(-1)
    size = (2.6 + 0.9 * len(columns), 1.6 + 0.65 * len(rows))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    image = axes.imshow(means, cmap="viridis", aspect="auto", origin="lower")
    middle = (means.min() + means.max()) / 2
    for (i, j), value in np.ndenumerate(means):
        color = "white" if value < middle else "black"
        axes.text(j, i, f"{value:.1f}", ha="center", va="center", color=color)
    i, j = best_cell(recalls, measure)
    frame = Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="#d62728", linewidth=3)
    axes.add_patch(frame)
    axes.set_xticks(range(len(columns)), [f"{v:g}" for v in columns])
    axes.set_yticks(range(len(rows)), [f"{v:g}" for v in rows])
    axes.set(xlabel=SYMBOLS[x], ylabel=SYMBOLS[y])
    axes.set_title(f"Recall, {measure} (framed: the best)", fontsize=11)
    seeds = recalls.shape[2]
    figure.colorbar(image, ax=axes, label=f"held-out images, mean of {seeds} seeds, %")
    files.write_figure(path, figure)
