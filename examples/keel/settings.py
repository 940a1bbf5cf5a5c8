"""The options."""

import dataclasses
from pathlib import Path

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare all methods for two classes on the data sets of KEEL."""

    sets: tuple[str, ...] = ()
    """Names of data sets; all hundred if left out."""
    only: str = ""
    """Only methods with this in their name, and cross-entropy, which they are compared to."""
    seeds: int = 1
    """Each divides every data set into five folds anew, and has its own initial weights."""
    seed: int = 0
    """The first of them."""
    steps: int = 300
    """Of every training; a multiple of ten."""
    batch_size: int = 64
    """Rows a step."""
    hidden: int = 16
    """Width of the MLP's hidden layer."""
    learning_rate: float = 1e-2
    """AdamW's at the start; falls to 0 along a cosine."""
    peers: bool = False
    """Also runs scikit-learn's and imbalanced-learn's methods, as a user would call them."""
    race: bool = False
    """Also times trainings one by one, and those of scikit-learn."""
    data_dir: str | None = None
    """Folder of the data sets' files."""
    results: str = "out/keel"
    """Folder of the results, by program and seed. What is there is not run."""
    page: str = ""
    """File for what is printed."""
    figures: str = ""
    """Folder for the figures, three PNGs."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run, and files that could not be written."""
        at_least(self, seeds=1, seed=0, steps=10, batch_size=4, hidden=1)
        if self.steps % 10:
            raise ValueError(f"--steps must be a multiple of 10, got {self.steps}.")
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
        if self.page and not Path(self.page).parent.is_dir():
            raise ValueError(f"--page {self.page} is in no folder; make the folder first.")
        if self.figures and not Path(self.figures).is_dir():
            raise ValueError(f"--figures {self.figures} is no folder; make it first.")
