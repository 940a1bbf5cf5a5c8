"""What was found, in words: a table, the cell that is chosen, and the times."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from examples.report import paired, tables
from examples.report.prose import filled
from examples.sweep.timing import Timing

SYMBOLS = {"gamma": "γ", "beta": "β", "power": "power of the class weights", "rate": "rate"}
HELD_OUT, REPORTED = 0, 1
Grids = Mapping[str, Sequence[float]]  # rows, then columns


INTRODUCTION = """\
# Two hyper-parameters at once

A training with a traced loss is a function of its hyper-parameters, so that a whole grid of them is
one program: `jimb.sweep` over γ and β, `jax.lax.map` over the seeds. The task is that of
`examples/parity`: is a digit odd or even, with digit 8 rare in the larger class. Half of the images
that a trial does not train on are held out, to choose the cell by; the others say what it is worth.
"""


def page(said: str, command: str, figure: str) -> str:
    """The page in Markdown: what was printed, and the figure."""
    return (
        f"{INTRODUCTION}\nThis page was written by\n\n```sh\n{command}\n```\n\n{said}\n\n"
        f"![The grid as a heat map]({figure})\n"
    )


def text(grids: Grids, recalls: np.ndarray, measure: str, timing: Timing) -> str:
    """The table of the held-out images, the chosen cell, and how long it took."""
    (y, rows), (x, columns) = grids.items()
    held_out = 100 * measured(recalls[..., HELD_OUT, :], measure)
    seeds = held_out.shape[-1]
    lines = [
        [f"{value:g}", *("{:.1f} ± {:.1f}".format(*paired.mean_and_error(c)) for c in row)]
        for value, row in zip(rows, held_out, strict=True)
    ]
    paragraphs = [
        f"Recall, {measure}, on held-out images in per cent ± s.e. over {seeds} seeds:",
        tables.markdown([f"{SYMBOLS[y]} \\ {SYMBOLS[x]}", *(f"{v:g}" for v in columns)], lines),
        chosen_sentence(grids, recalls, measure),
        times(timing, len(rows) * len(columns), seeds),
    ]
    return "\n\n".join(paragraphs)


def measured(recalls: np.ndarray, measure: str) -> np.ndarray:
    """From recalls `[..., 10]` of the digits, a share of 1."""
    return np.asarray(recalls[..., 8] if measure == "digit 8" else recalls.mean(-1))


def best_cell(recalls: np.ndarray, measure: str) -> tuple[int, int]:
    """By the mean over seeds on the held-out images; the first of equal ones."""
    means = measured(recalls[..., HELD_OUT, :], measure).mean(-1)
    row, column = np.unravel_index(means.argmax(), means.shape)
    return int(row), int(column)


def as_good(recalls: np.ndarray, measure: str) -> np.ndarray:
    """Where a cell is not told apart from the best, by two standard errors, paired by seed."""
    held_out = measured(recalls[..., HELD_OUT, :], measure)
    best = held_out[best_cell(recalls, measure)]
    return np.array(
        [[not paired.told_apart(*paired.difference(c, best)) for c in row] for row in held_out]
    )


def chosen_sentence(grids: Grids, recalls: np.ndarray, measure: str) -> str:
    """The best cell, what it gives on the other images, and how many are no worse."""
    (y, rows), (x, columns) = grids.items()
    row, column = best_cell(recalls, measure)
    reported = 100 * measured(recalls[row, column, :, REPORTED], measure)
    mean, error = paired.mean_and_error(reported)
    others = int(as_good(recalls, measure).sum()) - 1
    return filled(
        f"Best on them: {SYMBOLS[y]} = {rows[row]:g}, {SYMBOLS[x]} = {columns[column]:g}; on the "
        f"other images it has {mean:.1f} ± {error:.1f}. Not told apart from it by two standard "
        f"errors of the paired difference: {others} of the {len(rows) * len(columns) - 1} other "
        "cells."
    )


def times(timing: Timing, cells: int, seeds: int) -> str:
    """The grid in one program, and what it would take one by one."""
    trainings = cells * seeds
    one, constant = trainings * timing.one, trainings * timing.constant
    whole = timing.grid + timing.compilation
    measured_times = (
        f"{trainings} trainings ({cells} cells, {seeds} seeds) on {jax.device_count()} "
        f"{jax.default_backend()} devices took {timing.grid:.1f} s in one program, and "
        f"{timing.compilation:.1f} s to compile it, once. One call of a compiled training took "
        f"{1000 * timing.one:.0f} ms, one with its numbers compiled in {timing.constant:.1f} s "
        "(medians of a few cells)."
    )
    estimate = (
        f"So one by one the {trainings} would take an estimated {one:.1f} s, "
        f"{one / timing.grid:.1f} times as long as in one program; with the numbers compiled in "
        f"{constant:.0f} s, {constant / whole:.0f} times as long, with compilation."
    )
    return f"{filled(measured_times)}\n\n{filled(estimate)}"
