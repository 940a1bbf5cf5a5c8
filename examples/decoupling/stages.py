"""The trainings of all trials: the whole network, its head alone, its scales alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from tqdm import tqdm

import jimb
from examples import training
from examples.decoupling.heads import Classifier
from examples.decoupling.settings import Settings
from examples.decoupling.task import CLASSES, Task
from examples.training import Hyper


@dataclasses.dataclass(frozen=True)
class Stage(training.Recipe):
    """A training in which some parts of the classifier learn and the others stay as they are."""

    learns: tuple[str, ...] = ("hidden", "output")
    power: float = 1.0  # a class of n images is drawn in proportion to n^power

    def model(self, key: Array) -> Classifier:
        """A freshly initialised classifier."""
        return Classifier(self.features, self.hidden, self.classes, rngs=nnx.Rngs(key))

    def restore(self, params: nnx.State) -> Classifier:
        """The classifier with these parameters."""
        graphdef = nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))
        return nnx.merge(graphdef, params, copy=True)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW for what learns; no update, nor decay, for what does not."""

        def group(path: tuple[jax.tree_util.DictKey, ...], _: Array) -> str:
            return "learns" if path[0].key in self.learns else "stays"

        groups = {"learns": super().optimizer, "stays": optax.set_to_zero()}
        return optax.multi_transform(groups, functools.partial(jax.tree.map_with_path, group))


def train_all(settings: Settings, task: Task) -> tuple[Stage, dict[str, nnx.State]]:
    """The joint network of each trial, and cRT and LWS from it."""
    data = task.train_data()
    steps = -(-data.labels.shape[1] // settings.batch_size)
    joint = Stage(
        data.inputs.shape[2],
        CLASSES,
        "ce",
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=steps * settings.epochs,
        learning_rate=settings.learning_rate,
    )
    head = dataclasses.replace(
        joint, steps=steps * settings.head_epochs, learns=("output",), power=0.0
    )
    scales = dataclasses.replace(head, learns=("scales",))

    initial, anew, plans = keys_of(jnp.arange(settings.seed, settings.seed + settings.seeds))
    params = {}
    total = settings.epochs + 2 * settings.head_epochs
    with tqdm(total=total, unit="epoch", disable=None, leave=False) as bar:

        def run(name: str, start: nnx.State, stage: Stage) -> nnx.State:
            bar.set_description(name)
            return train_stage(plans, start, data, task.counts, stage, bar)

        params["joint"] = run("joint", init_trials(initial, joint), joint)
        fresh = init_trials(anew, joint)
        params["cRT"] = run("cRT", with_head_of(params["joint"], fresh, joint), head)
        params["LWS"] = run("LWS", params["joint"], scales)
    return joint, params


def train_stage(
    keys: Array, params: nnx.State, data: training.Data, counts: Array, stage: Stage, bar: tqdm
) -> nnx.State:
    """Trains what the stage lets learn, in every trial: the parameters after the last epoch."""
    hyper = training.hyper_of(counts)
    num_examples = data.labels.shape[1]
    steps = -(-num_examples // stage.batch_size)
    states = begin_trials(params, stage, num_examples)
    for epoch in range(stage.steps // steps):
        states, losses = epoch_of_trials(keys, epoch, states, data, hyper, stage=stage)
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {epoch}: lower --learning-rate."
            )
        bar.update()
    return states.params


@jax.jit
@jax.vmap
def keys_of(trial: Array) -> tuple[Array, Array, Array]:
    """A trial's keys: of the initial weights, of the head that starts anew, of the plans."""
    initial, anew, plans = jax.random.split(jax.random.key(trial), 3)
    return initial, anew, plans


@jax.jit(static_argnums=1)
def init_trials(keys: Array, stage: Stage) -> nnx.State:
    """Parameters of a fresh classifier per trial."""
    return jax.vmap(lambda key: nnx.state(stage.model(key), nnx.Param))(keys)


@jax.jit(static_argnums=2)
def with_head_of(params: nnx.State, fresh: nnx.State, stage: Stage) -> nnx.State:
    """The parameters, but with the other's head, per trial."""

    def one(params: nnx.State, fresh: nnx.State) -> nnx.State:
        classifier = stage.restore(params)
        classifier.output = stage.restore(fresh).output
        return nnx.state(classifier, nnx.Param)

    return jax.vmap(one)(params, fresh)


@jax.jit(static_argnums=(1, 2))
def begin_trials(params: nnx.State, stage: Stage, num_examples: int) -> training.TrainState:
    """The state before a stage's first epoch, with these parameters."""

    def one(params: nnx.State) -> training.TrainState:
        fresh = training.init_state(jax.random.key(0), stage, num_examples)
        return fresh._replace(params=params)

    return jax.vmap(one)(params)


@jax.jit(static_argnames="stage")
def epoch_of_trials(
    keys: Array,
    epoch: int,
    states: training.TrainState,
    data: training.Data,
    hyper: Hyper,
    *,
    stage: Stage,
) -> tuple[training.TrainState, Array]:
    """Plan and epoch of every trial: the states and the loss of each step."""

    def one(
        key: Array, state: training.TrainState, data: training.Data
    ) -> tuple[training.TrainState, Array]:
        weights = jimb.sampling.class_power(data.labels, hyper.counts, power=stage.power)
        num = -(-len(data.labels) // stage.batch_size) * stage.batch_size
        plan = jimb.sampling.epoch_plan(jax.random.fold_in(key, epoch), weights, num)
        return training.run_epoch(state, data, plan, hyper, recipe=stage)

    return jax.vmap(one)(keys, states, data)
