"""The options."""

import dataclasses
from pathlib import Path

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare the methods of jimb on every data set."""

    task: str = ""
    """Run only this task; all whose data are here if left out."""
    only: str = ""
    """Run only methods with this in their name, and cross-entropy, which they are compared to."""
    seeds: int | None = None
    """Trials of each method, paired; five, and twenty on digits, if left out."""
    seed: int = 0
    """The first of them."""
    epochs: int | None = None
    """Epochs of as many examples as the training set has; each task's own if left out."""
    data_dir: str | None = None
    """Folder of the data set's files; needs --task."""
    results: str = "out/benchmark"
    """Folder of the results, a small file for each task and method. What is there is not run."""
    page: str = ""
    """File for the tables."""
    effects: str = ""
    """File between whose markers the summary goes, as in docs/results/effects.md."""
    calibration: str = ""
    """File for the page on calibration."""
    figure: str = ""
    """File for the figure, a PNG."""

    def __post_init__(self) -> None:
        """Numbers that mean nothing are refused, and files that could not be written."""
        at_least(self, epochs=1, seeds=2, seed=0)
        if self.data_dir is not None and not self.task:
            raise ValueError("--data-dir is the folder of one data set: add --task.")
        for name in ("page", "effects", "calibration", "figure"):
            path = getattr(self, name)
            if path and not Path(path).parent.is_dir():
                raise ValueError(f"--{name} {path} is in no folder; make the folder first.")
        if self.effects and not Path(self.effects).is_file():
            raise ValueError(f"--effects {self.effects} is not there; the markers must be in it.")
