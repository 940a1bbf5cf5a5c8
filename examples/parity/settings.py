"""The options."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Settings:
    """The odd/even task with digit 8 rare, for every method, over paired seeds."""

    seeds: int = 50
    """Trials, each with its own images and initial weights."""
    seed: int = 0
    """The first of them."""
    long: bool = False
    """More images (120 / 20 / 40) and 40 epochs in place of 15: part of an effect is only faster
    convergence."""
    dataset: Literal["digits", "mnist"] = "digits"
    """digits comes with scikit-learn; mnist needs its files."""
    data_dir: str | None = None
    """Folder of the MNIST files."""
    figure: str = "out/parity.png"
    """Where the figure goes."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}.")

    @property
    def epochs(self) -> int:
        """Of every training."""
        return 40 if self.long else 15

    @property
    def title(self) -> str:
        """What was run, in a line."""
        variant = "long variant" if self.long else f"{self.epochs} epochs"
        return f"odd or even on {self.dataset}, {variant}, {self.seeds} paired seeds"
