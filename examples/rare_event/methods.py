"""The methods that are compared, and the numbers that all of them share."""

import dataclasses

from examples.training import Sampler, Weights


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    loss: str = "ce"
    weights: Weights = "none"
    sampler: Sampler = "uniform"
    mined: bool = False


METHODS = (
    Method("cross-entropy (CE)"),
    Method("inverse-frequency weights", weights="inverse"),
    Method("effective-number weights", weights="effective"),
    Method("focal", loss="focal"),
    Method("OHEM", mined=True),
    Method("logit adjustment", loss="logit-adjusted"),
    Method("difficulty sampling", sampler="difficulty"),
    Method("sampling by current loss", sampler="loss"),
    Method("class-balanced sampling", sampler="class-balanced"),
)
BETA, GAMMA = 0.9999, 2.0
# By CE's PR-AUC on the validation part.
EPOCHS = {"shuttle": 30, "caravan": 15}
LONG = 100
LEARNING_RATE = {"shuttle": 3e-3, "caravan": 1e-3}
