"""Train a classifier on imbalanced data, with any loss, class weights and sampler of jimb.

With no argument: cross-entropy, then class-balanced focal loss with difficulty sampling, on
long-tailed digits. `--help` lists the options. Read it from top to bottom.

The unit of training is one compiled epoch, `run_epoch(state, data, plan, hyper)`, a pure function
that also runs under `jax.vmap` over seeds and hyper-parameters. The loop over epochs is on the
host: it draws each plan, and prints.
"""

import dataclasses
import sys
from typing import NamedTuple

import datasets
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from tqdm import tqdm
from train_losses import COSINE, LOSSES, ONE_VS_ALL, Hyper
from train_settings import Rebalance, Sampler, Settings, Weights, describe

import jimb

# -------------------------------------------------------------------------------------- model


class MLP(nnx.Module):
    """One hidden layer, and the output that its loss asks for."""

    def __init__(
        self, features: int, hidden: int, classes: int, *, loss: str, rngs: nnx.Rngs
    ) -> None:
        self.hidden = nnx.Linear(features, hidden, rngs=rngs)
        bias_init = jimb.one_vs_all_bias_init if loss in ONE_VS_ALL else nnx.initializers.zeros
        self.output = nnx.Linear(hidden, classes, bias_init=bias_init, rngs=rngs)
        self.cosine = loss in COSINE

    def __call__(self, images: Array) -> Array:
        """Logits `[..., classes]`, cosines for LDAM."""
        features = nnx.relu(self.hidden(images))
        if self.cosine:
            return jimb.cosine_logits(features, self.output.kernel[...])
        return self.output(features)


# -------------------------------------------------------------------------------------- state


class Data(NamedTuple):
    """A training set on the device."""

    images: Array  # [N, features]
    labels: Array  # [N]


class TrainState(NamedTuple):
    """Everything that changes; a checkpoint of it resumes the training."""

    step: Array
    params: nnx.State
    opt_state: optax.OptState
    difficulty: jimb.difficulty.DifficultyState


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is compiled into a training: model, loss, optimiser, shapes. Hashable."""

    features: int
    classes: int
    loss: str
    hidden: int = 64
    batch_size: int = 64
    steps: int = 300  # of the whole training, for the learning rate's cosine
    learning_rate: float = 3e-3
    rebalance: Rebalance = "always"
    mining: bool = False  # train on the hardest of each batch only

    def model(self, key: Array) -> MLP:
        """A freshly initialised model."""
        return MLP(self.features, self.hidden, self.classes, loss=self.loss, rngs=nnx.Rngs(key))

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

    def apply(self, params: nnx.State, images: Array) -> Array:
        """Logits; pure."""
        graphdef = nnx.graphdef(nnx.eval_shape(lambda: self.model(jax.random.key(0))))
        logits: Array = nnx.merge(graphdef, params, copy=True)(images)
        return logits


def init_state(key: Array, recipe: Recipe, num_examples: int) -> TrainState:
    """The state before the first epoch."""
    params = nnx.state(recipe.model(key), nnx.Param)
    difficulty = jimb.difficulty.init(num_examples, recipe.classes, dtype=jnp.float32)
    return TrainState(jnp.int32(0), params, recipe.optimizer.init(params), difficulty)


# -------------------------------------------------------------------------- one epoch, compiled


def train_step(
    state: TrainState, images: Array, labels: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array, Array]:
    """One step of the optimiser on a batch: `(state, mean loss, loss of each example)`."""
    share = recipe.share(state.step)
    now = hyper._replace(class_weights=(1 - share) + share * hyper.class_weights)

    def mean_loss(params: nnx.State) -> tuple[Array, Array]:
        losses = LOSSES[recipe.loss](recipe.apply(params, images), labels, now)
        return jimb.weighted_mean(losses, recipe.kept(losses, labels, hyper)), losses

    (loss, losses), gradients = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state), loss, losses


@jax.jit(static_argnames="recipe")
def run_epoch(
    state: TrainState, data: Data, plan: Array, hyper: Hyper, *, recipe: Recipe
) -> tuple[TrainState, Array]:
    """Trains on the positions of `plan`, a batch a step: `(state, loss of each step)`."""

    def step(state: TrainState, positions: Array) -> tuple[TrainState, Array]:
        images, labels = data.images[positions], data.labels[positions]
        state, loss, _ = train_step(state, images, labels, hyper, recipe=recipe)
        return state, loss

    return jax.lax.scan(step, state, plan.reshape(-1, recipe.batch_size))


class Pass(NamedTuple):
    """What the pass over the training set at the end of an epoch saw, `[N]` each."""

    losses: Array
    deltas: Array  # du + dl of this epoch


@jax.jit(static_argnames="recipe")
def end_epoch(state: TrainState, data: Data, *, recipe: Recipe) -> tuple[TrainState, Pass]:
    """One deterministic pass over the training set, which updates the difficulty."""
    logits = predict(state, data.images, recipe=recipe)
    difficulty = jimb.difficulty.update(state.difficulty, logits, data.labels)
    moved = jax.tree.map(jnp.subtract, difficulty, state.difficulty)
    losses = jimb.softmax_cross_entropy_loss(logits, data.labels)
    return state._replace(difficulty=difficulty), Pass(losses, moved.unlearned + moved.learned)


@jax.jit(static_argnames="recipe")
def predict(state: TrainState, images: Array, *, recipe: Recipe) -> Array:
    """Logits of all images, in chunks that fit in memory."""
    return jax.lax.map(lambda x: recipe.apply(state.params, x), images, batch_size=4096)


# ------------------------------------------------------------------------------ plans and weights


def hyper_of(
    counts: np.ndarray | Array,
    *,
    weights: Weights = "none",
    gamma: float = 2.0,
    beta: float = 0.9999,
    keep: float = 1.0,
) -> Hyper:
    """The numbers of a training on these class counts, drawn uniformly."""
    return Hyper(
        counts=jnp.asarray(counts),
        prior=jnp.asarray(counts / counts.sum()),
        class_weights=class_weights(weights, counts, beta),
        gamma=jnp.float32(gamma),
        beta=jnp.float32(beta),
        keep=jnp.float32(keep),
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


# ------------------------------------------------------------------------------- the host's loop


def train(settings: Settings, dataset: datasets.Dataset) -> jimb.metrics.ConfusionState:
    """Trains one recipe and counts the confusion on the test set."""
    data = Data(jnp.asarray(dataset.train_images), jnp.asarray(dataset.train_labels))
    num_examples, features = data.images.shape
    counts = jimb.class_counts(dataset.train_labels, dataset.num_classes)
    chosen = {name: getattr(settings, name) for name in ("gamma", "beta", "keep")}
    given = {name: value for name, value in chosen.items() if value is not None}
    hyper = hyper_of(counts, weights=settings.weights or "none", **given)
    steps = -(-num_examples // settings.batch_size)
    recipe = Recipe(
        features=features,
        classes=dataset.num_classes,
        loss=settings.loss or "ce",
        hidden=settings.hidden,
        batch_size=settings.batch_size,
        steps=steps * settings.epochs,
        learning_rate=settings.learning_rate,
        rebalance=settings.rebalance or "always",
        mining=settings.keep is not None,
    )
    sampler: Sampler = settings.sampler or "uniform"
    pseudocount = 1.0 if settings.pseudocount is None else settings.pseudocount

    init_key, plan_key = jax.random.split(jax.random.key(settings.seed))
    state = init_state(init_key, recipe, num_examples)
    last = Pass(jnp.ones(num_examples), jnp.ones(num_examples))  # before: all alike
    epochs = tqdm(range(settings.epochs), desc=describe(settings), disable=None, leave=False)
    for epoch in epochs:
        weights = sampling_weights(sampler, state.difficulty, last, data, hyper, pseudocount)
        weights = jimb.sampling.mix_uniform(weights, amount=1 - recipe.share(state.step))
        # What these weights draw, not the data set, is what logit adjustment corrects for: drawn
        # class-balanced, the prior is uniform and nothing is left to adjust.
        summary = jimb.difficulty.summarize_weights(weights, data.labels, recipe.classes)
        hyper = hyper._replace(prior=summary.class_prior)
        key = jax.random.fold_in(plan_key, epoch)
        plan = jimb.sampling.epoch_plan(key, weights, steps * settings.batch_size)
        state, losses = run_epoch(state, data, plan, hyper, recipe=recipe)
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {epoch}: lower --learning-rate."
            )
        state, last = end_epoch(state, data, recipe=recipe)
        epochs.set_postfix(
            loss=f"{losses.mean():.4f}",
            effective=f"{summary.effective_share:.0%}",  # of the examples; far below 100 %: few
            largest=f"{summary.largest_share:.2%}",  # share of the draws that one example gets
        )

    predictions = predict(state, jnp.asarray(dataset.test_images), recipe=recipe).argmax(-1)
    confusion = jimb.metrics.init(dataset.num_classes)
    return jimb.metrics.update(confusion, predictions, jnp.asarray(dataset.test_labels))


# ------------------------------------------------------------------------------------- printing


def print_table(
    results: list[tuple[Settings, jimb.metrics.ConfusionState]], counts: ArrayLike
) -> None:
    """Recall of each class and their mean, per recipe, in per cent."""
    counts = np.asarray(counts)
    width = max(len(describe(settings)) for settings, _ in results) + 2
    print(f"{'class':<{width}}" + "".join(f"{k:>6}" for k in range(len(counts))) + "   balanced")
    print(f"{'training images':<{width}}" + "".join(f"{n:>6}" for n in counts) + "   accuracy")
    for settings, confusion in results:
        recall = 100 * np.asarray(jimb.metrics.per_class_recall(confusion))
        balanced = 100 * float(jimb.metrics.balanced_accuracy(confusion))
        row = "".join(f"{r:6.1f}" for r in recall)
        print(f"{describe(settings):<{width}}{row}   {balanced:8.1f}")


def main() -> None:
    """Reads the command line, trains, prints."""
    try:
        settings = tyro.cli(Settings, description=__doc__)
        recipes = [settings]
        if settings.loss is None and settings.weights is None and settings.sampler is None:
            recipes = [
                dataclasses.replace(settings, loss="ce"),
                dataclasses.replace(settings, loss="cb-focal", sampler="difficulty"),
            ]
        dataset = datasets.load(
            settings.dataset, settings.data_dir, imbalance=settings.imbalance, seed=settings.seed
        )
        results = [(recipe, train(recipe, dataset)) for recipe in recipes]
    except (ValueError, FloatingPointError, datasets.MissingData) as error:
        sys.exit(f"train.py: {error}")
    print(f"Recall on the test images of {settings.dataset}, per class, in per cent:")
    print_table(results, jimb.class_counts(dataset.train_labels, dataset.num_classes))


if __name__ == "__main__":
    main()
