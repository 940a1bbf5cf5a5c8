"""The options."""

import dataclasses
from typing import Literal

from examples.options import at_least

DatasetName = Literal["digits", "mnist", "fashion-mnist"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Cross-entropy with three samplers, and BBN, over paired seeds."""

    dataset: tuple[DatasetName, ...] = ("digits",)
    """Data sets, one table each; their training parts are made long-tailed. digits comes with
    scikit-learn; the others need their files."""
    data_dir: str | None = None
    """Folder of the files of mnist or fashion-mnist."""
    largest: int | None = None
    """Training images of class 0; if left out, 120 of digits and 500 of the others."""
    imbalance: float = 40.0
    """Training images of class 0 per image of class 9."""
    seeds: int = 20
    """Trials, each with its own images, initial weights and plans."""
    seed: int = 0
    """The first of them."""
    epochs: int = 60
    """T; in each epoch a branch sees as many images as the training set has."""
    batch_size: int = 64
    """Images a step, for each branch."""
    hidden: int = 64
    """Units of the trunk, and of each branch."""
    learning_rate: float | None = None
    """Peak of SGD's, the same for every row; falls to 0 along a cosine. If left out, 0.1 for digits
    and 0.03 for the others."""
    report: str | None = None
    """Also writes the tables, with what they show, to this Markdown file."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        at_least(self, largest=1, seeds=2, seed=0, epochs=1, batch_size=1, hidden=1)
        if not self.imbalance >= 1:
            raise ValueError(f"--imbalance must be at least 1 (balanced), got {self.imbalance}.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
        if self.data_dir is not None and len(set(self.dataset) - {"digits"}) != 1:
            raise ValueError("--data-dir is the folder of one data set: name it with --dataset.")
