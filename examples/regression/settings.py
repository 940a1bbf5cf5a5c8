"""The options."""

import dataclasses

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every method on the prices of diamonds, over paired seeds."""

    seeds: int = 5
    """Trials, each with its own split, initial weights and order of the rows."""
    seed: int = 0
    """The first of them."""
    epochs: int = 20
    """Of every training; a quarter as many in a second run, for comparison."""
    batch_size: int = 256
    """Rows a step."""
    hidden: int = 64
    """Units in each of the two hidden layers."""
    learning_rate: float = 1e-2
    """AdamW's at the start; falls to 0 along a cosine."""
    bins: int = 5000
    """In which the density of the prices is counted; the wide ones are a tenth as many."""
    data_dir: str | None = None
    """Folder of diamonds.csv."""
    report: str | None = None
    """Also writes what is printed to this Markdown file, and a figure beside it."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        at_least(self, seeds=2, seed=0, epochs=1, batch_size=1, hidden=1, bins=10)
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
