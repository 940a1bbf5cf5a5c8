"""Per-example difficulty as a pytree: `init`, `update`, and read-outs."""

from jimb.difficulty._instance import DifficultyState as DifficultyState
from jimb.difficulty._instance import init as init
from jimb.difficulty._instance import sampling_weights as sampling_weights
from jimb.difficulty._instance import score as score
from jimb.difficulty._instance import update as update
from jimb.difficulty._psi import psi as psi
