"""The two hyper-parameters of the grid, and their values."""

import dataclasses
from typing import Literal

import numpy as np

Name = Literal["gamma", "beta", "power", "rate"]
VALUES: dict[Name, tuple[float, ...]] = {
    "gamma": (0.0, 0.5, 1.0, 2.0, 3.0),
    "beta": (0.0, 0.9, 0.99, 0.999, 0.9999),
    "power": (0.0, 0.25, 0.5, 0.75, 1.0),
    "rate": (0.1, 0.3, 1.0, 3.0, 10.0),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Train a grid of two hyper-parameters at once."""

    x: Name = "gamma"
    """Along the columns: gamma, the focal loss's exponent; beta, of the effective number; power,
    the class weights n^-power; rate, a factor of the learning rate."""
    y: Name = "beta"
    """Along the rows. With beta the loss is class-balanced focal, otherwise focal."""
    x_values: tuple[float, ...] = ()
    """Values of x; five usual ones if left out."""
    y_values: tuple[float, ...] = ()
    """Values of y."""
    measure: Literal["mean of ten", "digit 8"] = "mean of ten"
    """Recall to choose by: the mean of the ten digits', or that of the rare 8."""
    seeds: int = 8
    """Trials of each cell, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    calls: int = 10
    """Trainings that are run one by one, to time them."""
    figure: str = "out/sweep.png"
    """Where the heat map goes."""
    report: str | None = None
    """Where the table and the sentences also go, as a page in Markdown."""

    def check(self) -> None:
        """What means nothing is refused: a ValueError of one sentence."""
        if self.x == self.y:
            raise ValueError(f"--x and --y are both {self.x}: choose two.")
        if {self.x, self.y} == {"beta", "power"}:
            raise ValueError("beta and power are both class weights: choose one of them.")
        for name, lowest in {"seeds": 2, "seed": 0, "calls": 1}.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"--{name} must be at least {lowest}, got {getattr(self, name)}.")
        for name, values in self.grids.items():
            low, high = (0, 1) if name == "beta" else (0, np.inf)
            if not all(low <= value <= high and np.isfinite(value) for value in values):
                raise ValueError(f"values of {name} must lie in [{low}, {high}], got {values}.")

    @property
    def grids(self) -> dict[str, tuple[float, ...]]:
        """Rows, then columns."""
        return {
            self.y: self.y_values or VALUES[self.y],
            self.x: self.x_values or VALUES[self.x],
        }
