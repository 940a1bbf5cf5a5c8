"""The options."""

import dataclasses
from pathlib import Path

from examples.options import at_least
from examples.report import marked

BEGIN, END = "<!-- results of keel -->", "<!-- end of results -->"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Compare all methods for two classes on the data sets of KEEL."""

    sets: tuple[str, ...] = ()
    """Names of data sets; all hundred if left out."""
    only: str = ""
    """Only methods with this in their name, and cross-entropy, which they are compared to. What
    shares a program with them is trained too, and not shown."""
    seeds: int = 1
    """Each divides every data set into five folds anew, and has its own initial weights."""
    seed: int = 0
    """The first seed."""
    steps: int = 300
    """Steps of every training; a multiple of ten."""
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
    """Folder of the results, by program and seed. What is there is not run again; a group of other
    data sets is."""
    page: str = ""
    """File for what is printed; goes between the markers if the file is there."""
    effects: str = ""
    """File between whose markers a row a method goes, as in docs/results/effects.md."""
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
        if self.page and Path(self.page).is_dir():
            raise ValueError(f"--page {self.page} is a folder; add the name of a file.")
        if Path(self.results).exists() and not Path(self.results).is_dir():
            raise ValueError(f"--results {self.results} is a file; name a folder.")
        if self.effects and not Path(self.effects).is_file():
            raise ValueError(f"--effects {self.effects} is not there; the markers must be in it.")
        for path in (self.page, self.effects):
            if path and Path(path).is_file():
                marked.around(Path(path), BEGIN, END)
        if self.figures and not Path(self.figures).is_dir():
            raise ValueError(f"--figures {self.figures} is no folder; make it first.")
