"""The options."""

import dataclasses
from typing import Literal

from examples.data import tabular


@dataclasses.dataclass(frozen=True)
class Settings:
    """Rare events in two tables, for every method, over paired seeds."""

    dataset: Literal["shuttle", "caravan", "both"] = "both"
    """Valve faults of the Shuttle, caravan policies, or one after the other."""
    seeds: int = 5
    """Trials, each with its own split and initial weights."""
    seed: int = 0
    """The first of them."""
    epochs: int | None = None
    """Epochs; 30 on shuttle and 15 on caravan if left out."""
    long: bool = False
    """Also train 100 epochs on shuttle: part of a difference is only faster convergence."""
    source: tabular.Route = "rda"
    """Files of two R packages, or a download from OpenML by scikit-learn."""
    data_dir: str | None = None
    """Folder of the files."""
    report: str | None = None
    """Where the tables also go, as a page in Markdown."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}.")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"--epochs must be at least 1, got {self.epochs}.")
