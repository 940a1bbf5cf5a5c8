"""The figure: by price, how much weights change the error, and which way predictions err."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.regression.report import BIN, counted, mean_by_bin
from examples.regression.trials import Outcome
from examples.report import files, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of each method that is drawn: colour, marker, dash.
SHOWN: dict[str, tuple[str, str, Any]] = {
    "plain": (style.BLACK, "o", "-"),
    "inverse": (style.ORANGE, "^", "--"),
    "smoothed inverse (LDS)": (style.BLUE, "s", "-."),
    "smoothed root (LDS)": (style.GREEN, "D", ":"),
}


def draw(path: Path, outcome: Outcome) -> None:
    """Training rows, absolute errors less plain's, and mean errors, each by price."""
    plt = style.pyplot()
    figure, (rows, absolute, signed) = plt.subplots(
        3, 1, figsize=(9, 10), sharex=True, layout="constrained", height_ratios=(1, 2, 2)
    )
    counts = counted(outcome.train_prices.ravel())
    rows.bar(
        middles(len(counts)),
        counts / len(outcome.train_prices),
        width=0.8 * BIN / 1000,
        color=style.GREY,
    )
    rows.set(yscale="log", ylabel="training rows")
    rows.set_title(f"How many stones have a price, in bins of {BIN} dollars")
    plain = by_price(np.abs(outcome.errors["plain"]), outcome)
    for name in SHOWN:
        errors = outcome.errors[name]
        line(absolute, by_price(np.abs(errors), outcome) - plain, name)
        line(signed, by_price(errors, outcome), name)
    absolute.set(ylabel="dollars")
    absolute.set_title("Absolute error less that of the plain mean: below 0 is better")
    absolute.legend()
    signed.set(ylabel="dollars", xlabel="true price, thousands of dollars")
    signed.set_title("Mean error: above 0 the prediction is too high")
    signed.axhline(0, color=style.GREY, linewidth=0.8)
    files.write_figure(path, figure)


def by_price(values: np.ndarray, outcome: Outcome) -> np.ndarray:
    """Means of each bin over the rows of all seeds."""
    return mean_by_bin(values.ravel(), outcome.test_prices.ravel())


def middles(bins: int) -> np.ndarray:
    """Of the bins, in thousands of dollars."""
    return (np.arange(bins) + 0.5) * BIN / 1000


def line(axes: Axes, values: np.ndarray, name: str) -> None:
    """A method's curve."""
    color, marker, dash = SHOWN[name]
    axes.plot(
        *(middles(len(values)), values),
        color=color,
        linestyle=dash,
        marker=marker,
        markersize=4,
        label=name,
    )
