"""The options."""

import dataclasses
from typing import Literal

from examples.options import at_least

Head = Literal["stored", "unstored"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every method on 16 897 classes, over paired seeds; and what a step costs."""

    seeds: int = 5
    """Trials, each with its own split, initial weights and plans."""
    seed: int = 0
    """The first of them."""
    epochs: int = 3
    """Of every training; in each as many glosses are drawn as there are."""
    batch_size: int = 512
    """Glosses a step."""
    hidden: int = 96
    """Numbers in a word's vector."""
    learning_rate: float = 3.5e-2
    """Adam's at the start; falls to 0 along a cosine."""
    head: Head = "unstored"
    """Whether the trainings store their logits."""
    block_size: int = 1024
    """Classes whose logits are computed together, where they are not stored."""
    timed_batches: tuple[int, ...] = (512, 4096)
    """Glosses a step where its time and memory are measured."""
    rounds: int = 9
    """Of one timed step of each kind; the median is reported."""
    data_dir: str | None = None
    """Folder of WordNet's data.noun."""
    report: str | None = None
    """Also writes what is printed to this Markdown file."""

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        at_least(self, seeds=2, seed=0, epochs=1, batch_size=1, hidden=1, block_size=1, rounds=1)
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate must be above 0, got {self.learning_rate}.")
        for size in self.timed_batches:
            if size < 1 or size % 2:
                raise ValueError(f"--timed-batches must be even, for two devices; got {size}.")
