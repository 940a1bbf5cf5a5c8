"""The options."""

import dataclasses
from typing import Literal

from examples.options import at_least


@dataclasses.dataclass(frozen=True)
class Settings:
    """Joint training, and what can be done about rare classes after it."""

    seeds: int = 20
    """Trials, each with its own images, initial weights and order of the classes by size."""
    seed: int = 0
    """The first of them."""
    dataset: Literal["digits", "mnist", "fashion-mnist"] = "digits"
    """digits comes with scikit-learn; the others need their files."""
    data_dir: str | None = None
    """Folder of those files."""
    largest: int | None = None
    """Training images of the largest class; 120 of digits and 1000 of the others if left out."""
    imbalance: float | None = None
    """Images of the largest class per image of the smallest; 50 of digits and 100 of the others if
    left out."""
    validation: int = 10
    """Validation images of each class, none of them trained on."""
    epochs: int = 60
    """Of the joint training."""
    head_epochs: int = 30
    """Of the training of the head (cRT) and of the scales (LWS)."""
    hidden: int = 64
    """Features that the backbone gives."""
    batch_size: int = 64
    """Examples a step."""
    learning_rate: float = 3e-3
    """AdamW's peak in each training; falls to 0 along a cosine."""
    report: str | None = None
    """Markdown file that gets the table too."""

    def __post_init__(self) -> None:
        """Paired standard errors need pairs."""
        if self.seeds < 2:
            raise ValueError(f"--seeds must be at least 2 for a standard error, got {self.seeds}.")
        at_least(
            self,
            seed=0,
            imbalance=1,
            largest=1,
            validation=1,
            epochs=1,
            head_epochs=1,
            hidden=1,
            batch_size=1,
        )
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
