"""The compiled part of `train.py`: a state, one step, one epoch, the pass after it. All pure.

`run_epoch(state, data, plan, hyper)` also runs under `jax.vmap` over seeds and hyper-parameters,
as in `parity.py`, `benchmark.py` and `sweep.py`. On a mesh, the arrays' shardings say what runs
where: with a plan of sharding `P(None, "data")` each device gathers its share of every batch, and
JAX adds the gradients. No line here asks how many devices there are.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import train_augment
import train_models
from flax import nnx
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec
from jax.typing import ArrayLike
from train_losses import LOSSES, Hyper
from train_settings import Architecture, Rebalance, Sampler, Weights

import jimb

CHUNK = 4096  # inputs at a time, where nothing is learnt

# -------------------------------------------------------------------------------------- state


class Data(NamedTuple):
    """A training set on the device."""

    inputs: Array  # [N, features]
    labels: Array  # [N]


class TrainState(NamedTuple):
    """Everything that changes; a checkpoint of it resumes the training."""

    step: Array
    params: nnx.State
    batch_stats: nnx.State  # running means of batch normalisation, where the model has it
    opt_state: optax.OptState
    difficulty: jimb.difficulty.DifficultyState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a training: model, loss, optimiser, shapes. Hashable."""

    features: int
    classes: int
    loss: str
    architecture: Architecture = "mlp"
    shape: tuple[int, ...] = ()  # of one input as an image, [height, width, channels]
    vocabulary: int = 0  # of an input of words: a word is below it
    hidden: int = 64
    dtype: str = "float32"  # of the model's computation; parameters and logits are float32
    augmented: bool = False  # flip and shift each training image
    batch_size: int = 64
    steps: int = 300  # of the whole training, for the learning rate's cosine
    learning_rate: float = 3e-3
    rebalance: Rebalance = "always"
    mining: bool = False  # train on the hardest of each batch only

    def model(self, key: Array) -> nnx.Module:
        """A freshly initialised model."""
        return train_models.build(self, nnx.Rngs(key))

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW along a cosine to 0."""
        return optax.adamw(optax.cosine_decay_schedule(self.learning_rate, self.steps))

    @property
    def share(self) -> optax.Schedule:
        """How far the re-balancing is on at a step, from 0 to 1."""
        if self.rebalance == "deferred":
            off, on = optax.constant_schedule(0.0), optax.constant_schedule(1.0)
            return optax.join_schedules([off, on], [self.steps * 4 // 5])
        if self.rebalance == "progressive":
            return optax.linear_schedule(0.0, 1.0, self.steps)
        return optax.constant_schedule(1.0)

    def kept(self, losses: Array, labels: Array, hyper: Hyper) -> Array | None:
        """Weights of a batch's mean: its hardest examples, or None for all."""
        if not self.mining:
            return None
        weights: Array = jimb.mining.hard_example_weights(losses, keep=hyper.keep)
        return weights

    @property
    def graphdef(self) -> nnx.GraphDef:
        """The model without its arrays."""
        return nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))

    def apply(
        self, params: nnx.State, inputs: Array, batch_stats: nnx.State | None = None
    ) -> Array:
        """Logits, each input by itself; pure."""
        stats = nnx.State({}) if batch_stats is None else batch_stats
        model = nnx.merge(self.graphdef, params, stats, copy=True)
        model = nnx.view(model, use_running_average=True, raise_if_not_found=False)
        logits: Array = model(inputs)
        return logits

    def apply_to_batch(
        self, params: nnx.State, batch_stats: nnx.State, inputs: Array
    ) -> tuple[Array, nnx.State]:
        """Logits as in training, normalised over the batch, and the new running means."""
        model = nnx.merge(self.graphdef, params, batch_stats, copy=True)
        return model(inputs), nnx.state(model, nnx.BatchStat)


def init_state(key: Array, recipe: Recipe, num_examples: int) -> TrainState:
    """The state before the first epoch."""
    model = recipe.model(key)
    params, batch_stats = nnx.state(model, nnx.Param), nnx.state(model, nnx.BatchStat)
    difficulty = jimb.difficulty.init(num_examples, recipe.classes, dtype=jnp.float32)
    opt_state = recipe.optimizer.init(params)
    return TrainState(jnp.int32(0), params, batch_stats, opt_state, difficulty)


# -------------------------------------------------------------------------------------- epoch


def rows(table: Array, positions: Array) -> Array:
    """`table[positions]`, each device the rows of its own positions."""
    sharding = jax.typeof(positions).sharding
    spec = PartitionSpec(*sharding.spec, *[None] * (table.ndim - 1))
    return table.at[positions].get(out_sharding=NamedSharding(sharding.mesh, spec))


def train_step(
    state: TrainState, inputs: Array, labels: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array, Array]:
    """One step of the optimiser on a batch: `(state, mean loss, loss of each example)`."""
    share = recipe.share(state.step)
    now = hyper._replace(class_weights=(1 - share) + share * hyper.class_weights)
    if recipe.augmented:
        keys = slot_keys(jax.random.fold_in(hyper.key, state.step), labels)
        inputs = train_augment.augment(keys, inputs, recipe.shape)

    def mean_loss(params: nnx.State) -> tuple[Array, tuple[Array, nnx.State]]:
        logits, batch_stats = recipe.apply_to_batch(params, state.batch_stats, inputs)
        losses = LOSSES[recipe.loss](logits, labels, now)
        mean = jimb.weighted_mean(losses, recipe.kept(losses, labels, hyper))
        return mean, (losses, batch_stats)

    (loss, aux), gradients = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    losses, batch_stats = aux
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    # What AdamW adds is proportional to its learning rate.
    updates = jax.tree.map(lambda update: hyper.rate * update, updates)
    params = optax.apply_updates(state.params, updates)
    stepped = TrainState(state.step + 1, params, batch_stats, opt_state, state.difficulty)
    return stepped, loss, losses


def slot_keys(key: Array, labels: Array) -> Array:
    """A key for each slot of a batch, the same on any number of devices."""
    sharding = jax.typeof(labels).sharding
    slots = jax.lax.broadcasted_iota(jnp.uint32, labels.shape, 0, out_sharding=sharding)
    keys: Array = jax.vmap(jax.random.fold_in, (None, 0))(key, slots)
    return keys


@jax.jit(static_argnames="recipe")
def run_epoch(
    state: TrainState, data: Data, plan: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """Trains on the positions of `plan`, a batch a step: `(state, loss of each step)`."""

    def step(state: TrainState, positions: Array) -> tuple[TrainState, Array]:
        inputs, labels = rows(data.inputs, positions), rows(data.labels, positions)
        state, loss, _ = train_step(state, inputs, labels, hyper, recipe=recipe)
        return state, loss

    batches = plan.reshape(-1, recipe.batch_size)
    return jax.lax.scan(step, state, batches, unroll=is_no_loop(len(batches)))


@jax.jit(static_argnames="recipe")
def run_batches(
    state: TrainState, batches: Data, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """As `run_epoch`, on batches `[steps, batch, ...]` that were read elsewhere."""

    def step(state: TrainState, batch: Data) -> tuple[TrainState, Array]:
        state, loss, _ = train_step(state, batch.inputs, batch.labels, hyper, recipe=recipe)
        return state, loss

    return jax.lax.scan(step, state, batches, unroll=is_no_loop(len(batches.labels)))


def is_no_loop(steps: int) -> bool:
    """One step is unrolled: a convolution's gradient in a loop is five times slower on a CPU."""
    return steps == 1


class Pass(NamedTuple):
    """What the pass over the training set at the end of an epoch saw, `[N]` each."""

    losses: Array
    deltas: Array  # du + dl of this epoch


def init_pass(num_examples: int) -> Pass:
    """Before the first: all examples alike."""
    return Pass(jnp.ones(num_examples), jnp.ones(num_examples))


@jax.jit(static_argnames="recipe")
def end_epoch(state: TrainState, data: Data, *, recipe: Recipe) -> tuple[TrainState, Pass]:
    """One deterministic pass over the training set, which updates the difficulty."""
    before = state.difficulty
    after = jimb.difficulty.sweep(
        before,
        lambda models, x: recipe.apply(models[0], x, models[1]),
        (state.params, state.batch_stats),
        examples=data.inputs,
        labels=data.labels,
        chunk_size=CHUNK,
        mesh_axis=axis_of(before.unlearned),
    )
    return state._replace(difficulty=after), what_moved(before, after, data.labels)


def what_moved(
    before: jimb.difficulty.DifficultyState, after: jimb.difficulty.DifficultyState, labels: Array
) -> Pass:
    """What a pass over these examples saw."""
    assert after.log_probs is not None
    # Logarithms of probabilities are logits as good as any.
    losses = jimb.softmax_cross_entropy_loss(after.log_probs.astype(jnp.float32), labels)
    deltas = (after.unlearned - before.unlearned) + (after.learned - before.learned)
    return Pass(losses, deltas)


@jax.jit(static_argnames="recipe")
def end_chunk(
    state: TrainState, last: Pass, chunk: Data, start: Array, *, recipe: Recipe
) -> tuple[TrainState, Pass]:
    """A part of `end_epoch`: on each device, the rows of its share from `start` on.

    `chunk` has the rows of all devices, one device after the other.
    """
    Seen = tuple[jimb.difficulty.DifficultyState, Pass]

    def of_share(seen: Seen, model: Any, chunk: Data, start: Array) -> Seen:
        def part(x: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(x, start, len(chunk.labels))

        def written(x: Array, new: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(x, new, start, 0)

        before: jimb.difficulty.DifficultyState = jax.tree.map(part, seen[0])
        logits = recipe.apply(model[0], chunk.inputs, model[1])
        after = jimb.difficulty.update(before, logits, chunk.labels)
        new: Seen = jax.tree.map(written, seen, (after, what_moved(before, after, chunk.labels)))
        return new

    shares, everywhere = PartitionSpec(axis_of(chunk.labels)), PartitionSpec()
    difficulty, last = jax.shard_map(
        of_share, in_specs=(shares, everywhere, shares, everywhere), out_specs=shares
    )((state.difficulty, last), (state.params, state.batch_stats), chunk, start)
    return state._replace(difficulty=difficulty), last


@jax.jit(static_argnames="recipe")
def predict(state: TrainState, inputs: Array, *, recipe: Recipe) -> Array:
    """Logits of all inputs, in chunks that fit in memory; each device predicts its own share."""

    def logits(model: Any, inputs: Array) -> Array:
        def of_one(x: Array) -> Array:
            return recipe.apply(model[0], x[None], model[1])[0]

        return jax.lax.map(of_one, inputs, batch_size=CHUNK)

    model, axis = (state.params, state.batch_stats), axis_of(inputs)
    if axis is None:
        return logits(model, inputs)
    shares = PartitionSpec(axis)
    predicted: Array = jax.shard_map(logits, in_specs=(PartitionSpec(), shares), out_specs=shares)(
        model, inputs
    )
    return predicted


def axis_of(x: Array) -> Any:
    """The axis of the mesh that divides the rows; None if they are not divided."""
    spec = jax.typeof(x).sharding.spec
    return spec[0] if spec else None


# ------------------------------------------------------------------------------ plans and weights


def hyper_of(
    counts: np.ndarray | Array,
    *,
    weights: Weights = "none",
    gamma: float = 2.0,
    beta: float = 0.9999,
    keep: float = 1.0,
    rate: float = 1.0,
    key: Array | None = None,
) -> Hyper:
    """The numbers of a training on these class counts, drawn uniformly."""
    return Hyper(
        counts=jnp.asarray(counts),
        prior=jnp.asarray(counts / counts.sum()),
        class_weights=class_weights(weights, counts, beta),
        gamma=jnp.float32(gamma),
        beta=jnp.float32(beta),
        keep=jnp.float32(keep),
        rate=jnp.float32(rate),
        key=jax.random.key(0) if key is None else key,
    )


def class_weights(name: Weights, counts: ArrayLike, beta: float) -> Array:
    """The class table `[K]` that multiplies the loss."""
    if name == "effective":
        return jimb.effective_number_weights(counts, beta=beta)
    power = {"none": 0.0, "inverse": 1.0, "sqrt-inverse": 0.5}[name]
    return jimb.inverse_frequency_weights(counts, power=power)


def sampling_weights(
    sampler: Sampler,
    difficulty: jimb.difficulty.DifficultyState,
    last: Pass,
    data: Data,
    hyper: Hyper,
    pseudocount: ArrayLike,
) -> Array:
    """The weight `[N]` with which the next plan draws each example."""
    if sampler == "difficulty":
        return jimb.difficulty.sampling_weights(difficulty, pseudocount=pseudocount)
    if sampler == "loss":
        return last.losses
    if sampler == "delta":
        return last.deltas
    power = {"uniform": 0.0, "sqrt": 0.5, "class-balanced": 1.0}[sampler]
    return jimb.take_class(jimb.inverse_frequency_weights(hyper.counts, power=power), data.labels)
