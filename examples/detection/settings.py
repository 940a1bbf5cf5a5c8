"""The options."""

import dataclasses

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every method on the same canvases, over paired seeds."""

    seeds: int = 5
    """Trials, each with its own canvases, initial weights and order of batches."""
    seed: int = 0
    """The first of them."""
    canvases: int = 2400
    """Trained on in each trial."""
    tested: int = 400
    """Canvases of the test."""
    imbalance: float = 50.0
    """Objects of the most frequent class for one of the rarest, in training."""
    steps: int = 600
    """Of every training."""
    batch_size: int = 8
    """Canvases a step."""
    width: int = 32
    """Features of a location."""
    learning_rate: float = 6e-3
    """AdamW's largest."""
    prior: float = 0.01
    """π: the probability of each class at the start, where a method sets it."""
    devices: int = 1
    """Divide each batch; on a CPU they share its cores."""
    data_dir: str | None = None
    """Folder of Fashion-MNIST."""
    report: str | None = None
    """Also writes what is printed to this Markdown file, and the figures beside it."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        at_least(self, seeds=2, seed=0, canvases=1, tested=1, imbalance=1, steps=1, batch_size=1)
        if self.width < 8 or self.width % 8:
            raise ValueError(f"--width must be a multiple of 8, got {self.width}.")
        if self.devices < 1 or self.batch_size % self.devices:
            raise ValueError(
                f"--devices must divide --batch-size, {self.batch_size}, got {self.devices}."
            )
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
        if not 0 < self.prior < 1:
            raise ValueError(f"--prior must be between 0 and 1, got {self.prior}.")
