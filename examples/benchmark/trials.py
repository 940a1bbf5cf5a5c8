"""All trials of a method trained at once, and how they are tested."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

import jimb
from examples import training
from examples.benchmark.calibration import calibration_of
from examples.benchmark.methods import Compiled, Method
from examples.benchmark.task import Spec, Task
from examples.training import Hyper


def run_method(
    method: Method, task: Task, spec: Spec, seed: int, bar: tqdm
) -> tuple[np.ndarray, np.ndarray]:
    """Trains all trials of a method at once.

    Test examples `[S, G, K]` by group and prediction, and what `calibration_of` finds.
    """
    num_trials, num_examples, _ = task.train.inputs.shape
    recipe = recipe_of(method, task, spec)
    keep = 1.0 if method.keep is None else method.keep
    hyper = training.hyper_of(task.counts, weights=method.weights, gamma=method.gamma, keep=keep)
    init_keys, plan_keys = training.keys_of(jnp.arange(seed, seed + num_trials))
    state = training.init_trials(init_keys, recipe, num_examples)
    compiled = Compiled.of(method)
    drawn = init_draws(compiled, num_trials, num_examples, recipe.classes)
    spared = jnp.asarray(task.spared)
    for epoch in range(spec.epochs):
        keys = jax.vmap(jax.random.fold_in, (0, None))(plan_keys, epoch)
        plans = None
        if method.plan is not None:
            num = recipe.steps // spec.epochs * recipe.batch_size
            plans = label_plans(method, keys, task, num, recipe.batch_size)
        state, drawn = epoch_of_trials(
            keys, state, drawn, task.train, task.held_out, spared, plans, hyper, compiled, recipe
        )
        bar.update()
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params)):
        raise FloatingPointError(f"{method.name} has left the finite numbers: lower its rate.")
    prior = hyper.prior if method.adjust else None
    tested = jnp.asarray(task.tested)
    logits = logits_of_tests(state, task.statistics, task.pool, tested, prior, recipe)
    confusion = confusion_of(task, np.asarray(logits.argmax(-1)))
    return confusion, calibration_of(task, logits)


def recipe_of(method: Method, task: Task, spec: Spec) -> training.Recipe:
    """What is compiled into a training of this method."""
    _, num_examples, features = task.train.inputs.shape
    num_classes = len(task.counts)
    batch_size = method.batch(num_classes, spec.batch_size)
    return training.Recipe(
        features,
        num_classes,
        method.loss,
        architecture=spec.architecture,
        shape=task.shape,
        vocabulary=task.vocabulary,
        hidden=spec.hidden,
        batch_size=batch_size,
        steps=-(-num_examples // batch_size) * spec.epochs,
        learning_rate=spec.learning_rate,
        rebalance=method.rebalance,
        mining=method.keep is not None,
    )


def confusion_of(task: Task, predicted: np.ndarray) -> np.ndarray:
    """Test examples of each group that are called each class, `[S, G, K]`."""
    num_groups, num_classes = len(task.class_of_group), len(task.counts)
    cells = task.groups[task.tested] * num_classes + predicted
    size = num_groups * num_classes
    counted = np.stack([np.bincount(trial, minlength=size) for trial in cells])
    return counted.reshape(-1, num_groups, num_classes)


@jax.jit(static_argnums=(0, 1, 2, 3))
def init_draws(method: Compiled, trials: int, num_examples: int, num_classes: int) -> Any:
    """The state of every trial's sampler."""
    one = functools.partial(method.draw.init, num_examples, num_classes)
    return jax.vmap(lambda _: one())(jnp.arange(trials))


def label_plans(method: Method, keys: Array, task: Task, num: int, batch_size: int) -> Array:
    """Plans from labels alone, one after the other until there are `num` positions, `[S, num]`."""
    assert method.plan is not None
    rows = []
    for key, labels in zip(keys, np.asarray(task.train.labels), strict=True):
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < num:
            part = jax.random.fold_in(key, len(parts))
            parts.append(np.asarray(method.plan(part, labels, len(task.counts), batch_size)))
        rows.append(np.concatenate(parts)[:num])
    return jnp.asarray(np.stack(rows))


@jax.jit(static_argnames=("method", "recipe"))
def epoch_of_trials(
    keys: Array,
    states: training.TrainState,
    drawn: Any,
    data: training.Data,
    held_out: training.Data,
    spared: Array,
    plans: Array | None,
    hyper: Hyper,
    method: Compiled,
    recipe: training.Recipe,
) -> tuple[training.TrainState, Any]:
    """Plan, epoch, and the pass after it that the sampler learns from, for every trial."""

    def one(
        key: Array,
        state: training.TrainState,
        drawn: Any,
        data: training.Data,
        held_out: training.Data,
        spared: Array,
        plan: Array | None,
    ) -> tuple[training.TrainState, Any]:
        plan_key, epoch_key = jax.random.split(key)
        now = hyper
        if plan is None:
            weights = method.draw.weights(drawn, data.labels, hyper.counts)
            if method.draw.held_out:
                weights = jnp.where(spared, 0, weights)
            amount = 1 - recipe.share(state.step)
            weights = jimb.sampling.mix_uniform(weights, amount=amount)
            prior = jimb.difficulty.class_prior(weights, data.labels, recipe.classes)
            now = hyper._replace(prior=prior)
            num = -(-data.labels.shape[0] // recipe.batch_size) * recipe.batch_size
            plan = jimb.sampling.epoch_plan(plan_key, weights, num)
        state = method.epoch(epoch_key, state, data, plan, now, recipe)
        seen = held_out if method.draw.held_out else data
        logits = training.predict(state, seen.inputs, recipe=recipe)
        return state, method.draw.update(drawn, logits, seen.labels)

    in_axes = (0, 0, 0, 0, 0, 0, None if plans is None else 0)
    return jax.vmap(one, in_axes)(keys, states, drawn, data, held_out, spared, plans)


@jax.jit(static_argnames="recipe")
def logits_of_tests(
    states: training.TrainState,
    statistics: tuple[Array, Array] | None,
    pool: Array,
    tested: Array,
    prior: Array | None,
    recipe: training.Recipe,
) -> Array:
    """Of every test example in every trial, `[S, T, K]`."""

    def one(
        state: training.TrainState, rows: Array, statistics: tuple[Array, Array] | None
    ) -> Array:
        inputs = pool[rows]
        if statistics is not None:
            inputs = (inputs - statistics[0]) / statistics[1]
        outputs = training.predict(state, inputs, recipe=recipe)
        logits = training.as_logits(recipe.loss, outputs)
        return logits if prior is None else jimb.posthoc.adjust_logits(logits, prior)

    logits: Array = jax.lax.map(lambda trial: one(*trial), (states, tested, statistics))
    return logits
