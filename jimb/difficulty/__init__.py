"""Per-example difficulty as a pytree: `init`, `update`, and read-outs."""

from jimb.difficulty import class_wise as class_wise
from jimb.difficulty import data_map as data_map
from jimb.difficulty import forgetting as forgetting
from jimb.difficulty import last_loss as last_loss
from jimb.difficulty._instance import DifficultyState as DifficultyState
from jimb.difficulty._instance import init as init
from jimb.difficulty._instance import update as update
from jimb.difficulty._psi import psi as psi
from jimb.difficulty._read_outs import WeightSummary as WeightSummary
from jimb.difficulty._read_outs import class_prior as class_prior
from jimb.difficulty._read_outs import effective_sample_size as effective_sample_size
from jimb.difficulty._read_outs import sampling_weights as sampling_weights
from jimb.difficulty._read_outs import score as score
from jimb.difficulty._read_outs import summarize_weights as summarize_weights
from jimb.difficulty._sweep import sweep as sweep
