"""What every example compiles: a state, one step, one epoch, the pass after it. All pure.

In reading order:

- settings: `recipe` (what is compiled in), `hyper` (what is traced)
- data and state: `state`; `trials`, for many trainings in one program
- the compiled epoch: `models`, `losses` and those that learn (`adaptive`), `augment`, `epoch`
- between two epochs: `passes` over the training set, `sampling` weights of the next plan

`run_epoch(state, data, plan, hyper, recipe=…)` also runs under `jax.vmap` over seeds and
hyper-parameters. Other examples use what is named here, as `training.run_epoch`; the program around
it, for one device or many, is `examples/train`.
"""

from examples.training.adaptive import ADAPTIVE as ADAPTIVE
from examples.training.augment import augment as augment
from examples.training.epoch import run_batches as run_batches
from examples.training.epoch import run_epoch as run_epoch
from examples.training.epoch import train_step as train_step
from examples.training.hyper import Hyper as Hyper
from examples.training.hyper import Weights as Weights
from examples.training.hyper import hyper_of as hyper_of
from examples.training.losses import LOSSES as LOSSES
from examples.training.losses import WEIGHTED as WEIGHTED
from examples.training.losses import Loss as Loss
from examples.training.losses import as_logits as as_logits
from examples.training.models import MLP as MLP
from examples.training.models import Architecture as Architecture
from examples.training.models import EmbeddingBag as EmbeddingBag
from examples.training.passes import Pass as Pass
from examples.training.passes import end_chunk as end_chunk
from examples.training.passes import end_epoch as end_epoch
from examples.training.passes import init_pass as init_pass
from examples.training.passes import predict as predict
from examples.training.recipe import Rebalance as Rebalance
from examples.training.recipe import Recipe as Recipe
from examples.training.sampling import Sampler as Sampler
from examples.training.sampling import sampling_weights as sampling_weights
from examples.training.state import Data as Data
from examples.training.state import TrainState as TrainState
from examples.training.state import init_state as init_state
from examples.training.trials import init_trials as init_trials
from examples.training.trials import keys_of as keys_of
