"""The options."""

import dataclasses

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every method on WordNet's lemmas, over paired seeds."""

    seeds: int = 5
    """Trials, each with its own split, initial weights and plans."""
    seed: int = 0
    """The first of them."""
    epochs: int = 4
    """Of every training; in each as many lemmas are drawn as there are."""
    batch_size: int = 512
    """Lemmas a step."""
    hidden: int = 96
    """Numbers in a word's vector."""
    learning_rate: float = 5e-2
    """Adam's at the start; falls to 0 along a cosine."""
    threshold: float = 0.02
    """t of the repeat factors: labels of a smaller share of the lemmas are drawn more often."""
    data_dir: str | None = None
    """Folder of WordNet's files."""
    report: str | None = None
    """Also writes what is printed to this Markdown file."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        at_least(self, seeds=2, seed=0, epochs=1, batch_size=1, hidden=1)
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"--threshold must be between 0 and 1, got {self.threshold}.")
