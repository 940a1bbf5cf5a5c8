"""The methods that are compared on the odd/even task."""

import dataclasses

from examples.training import Sampler, Weights


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    family: str
    loss: str = "ce"
    weights: Weights = "none"
    sampler: Sampler = "uniform"
    pseudocount: float = 1.0


METHODS = (
    Method("cross-entropy (CE)", "none"),
    Method("inverse-frequency CE", "class weights", weights="inverse"),
    Method("CB-softmax", "class weights", loss="cb-softmax"),
    Method("focal", "focal", loss="focal"),
    Method("CB-focal", "class weights", loss="cb-focal"),
    Method("difficulty, c = 1 (default)", "instance sampling", sampler="difficulty"),
    Method("difficulty, c = 0.1", "instance sampling", sampler="difficulty", pseudocount=0.1),
    Method("sampling by current loss", "baseline sampling", sampler="loss"),
    Method("sampling by du + dl", "baseline sampling", sampler="delta"),
)
BETA, GAMMA = 0.9999, 2.0
