"""The rows of the table: what each branch draws, and how they are mixed."""

import dataclasses
from typing import Literal

Adaptor = Literal["cumulative", "linear", "half"]


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    powers: tuple[float, float]  # class c is drawn with probability ∝ n_c^power, per branch
    adaptor: Adaptor = "half"
    one_batch: bool = False  # both branches see the same images
    times: int = 1  # as many epochs


METHODS = (
    Method("CE uniform", (1, 1), one_batch=True),
    Method("CE class-balanced", (0, 0), one_batch=True),
    Method("CE reversed", (-1, -1), one_batch=True),
    Method("CE uniform 2T", (1, 1), one_batch=True, times=2),
    Method("CE reversed 2T", (-1, -1), one_batch=True, times=2),
    Method("BBN", (1, -1), "cumulative"),
    Method("BBN α=1-t/T", (1, -1), "linear"),
    Method("BBN α=½", (1, -1), "half"),
    Method("BBN both uniform", (1, 1), "cumulative"),
)
