"""Part two: times as ratios to Optax, to a copy of the same bytes, and to calls one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jimb
from examples.sweep import grid, settings, task, timing
from tests.accelerator.heads import heads
from tests.accelerator.race import race
from tests.helpers.figures import Figure

GAMMA, ALPHA, BETA = 2.0, 0.25, 0.9999
GAMMAS = np.array([0.0, 0.5, 1.0, 2.0, 3.0], np.float32)
BETAS = np.array([0.0, 0.9, 0.99, 0.999, 0.9999], np.float32)

# Rows, features and classes; small, to try it on a CPU.
HEAD = {False: (8192, 1024, 128_000), True: (64, 16, 1000)}


@jax.jit
def copy(x):
    return x + 1


def value_and_grad(loss):
    return jax.jit(jax.value_and_grad(loss))


@functools.partial(jax.jit, static_argnums=(0, 1))
def class_inputs(rows, classes):
    """Logits and labels, made on the device."""
    z_key, y_key = jax.random.split(jax.random.key(0))
    logits = 3 * jax.random.normal(z_key, (rows, classes))
    return logits, jax.random.randint(y_key, (rows,), 0, classes)


def sigmoid_focal(rows, rounds):
    """A detector's head: 80 classes, one element in fifty positive."""
    z, _ = class_inputs(rows, 80)
    y = (jax.random.uniform(jax.random.key(1), z.shape) < 0.02).astype(jnp.int32)

    def ours(z, y, gamma):
        return jimb.weighted_mean(jimb.sigmoid_focal_loss(z, y, gamma=gamma, alpha=ALPHA))

    def theirs(z, y, gamma):
        labels = y.astype(jnp.float32)
        return optax.sigmoid_focal_loss(z, labels, gamma=gamma, alpha=ALPHA).mean()

    return against_optax(ours, theirs, (z, y, jnp.float32(GAMMA)), rounds)


def against_optax(ours, theirs, args, rounds):
    mine, other = value_and_grad(ours), value_and_grad(theirs)
    contestants = {"jimb": lambda: mine(*args), "Optax": lambda: other(*args)}
    return race(contestants | {"copy of the logits": lambda: copy(args[0])}, rounds=rounds)


def softmax_focal(rows, rounds):
    """Optax has no softmax focal loss: against its cross-entropy."""

    def ours(z, y, gamma):
        return jimb.weighted_mean(jimb.softmax_focal_loss(z, y, gamma=gamma))

    def theirs(z, y, gamma):
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    return against_optax(ours, theirs, (*class_inputs(rows, 1000), jnp.float32(GAMMA)), rounds)


def class_balanced_focal(rows, rounds):
    counts = np.round(5000 * 100 ** (-np.arange(100) / 99)).astype(np.int32)
    weights = jimb.effective_number_weights(counts, beta=BETA)

    def ours(z, y, gamma):
        losses = jimb.class_balanced_focal_loss(z, y, counts, beta=BETA, gamma=gamma)
        return jimb.weighted_mean(losses)

    def theirs(z, y, gamma):
        terms = optax.sigmoid_focal_loss(z, jax.nn.one_hot(y, 100), gamma=gamma)
        return (jnp.asarray(weights)[y] * terms.sum(-1)).mean()

    return against_optax(ours, theirs, (*class_inputs(rows, 100), jnp.float32(GAMMA)), rounds)


def difficulty_update(dtype, rows, rounds):
    """Against one donated pass that reads the logits and the store and writes the store."""
    logits, labels = class_inputs(rows, 100)
    update = jax.jit(jimb.difficulty.update, donate_argnames="state")

    @functools.partial(jax.jit, donate_argnums=0)
    def bare_pass(store, logits):
        return (logits + store.astype(jnp.float32)).astype(store.dtype)

    held = {
        "state": jimb.difficulty.init(rows, 100, dtype=dtype),
        "store": jnp.zeros((rows, 100), dtype),
    }

    def ours():
        held["state"] = update(held["state"], logits, labels)
        return held["state"]

    def floor():
        held["store"] = bare_pass(held["store"], logits)
        return held["store"]

    return race({"jimb": ours, "copy of the same bytes": floor}, rounds=rounds)


def epoch_plan(rows, rounds):
    weights = jnp.exp(jax.random.normal(jax.random.key(2), (rows,)))
    key = jax.random.key(3)
    drawn = jax.jit(jimb.sampling.epoch_plan, static_argnums=2)
    choice = jax.jit(lambda key, w: jax.random.choice(key, rows, (rows,), p=w / jnp.sum(w)))
    contestants = {
        "jimb": lambda: drawn(key, weights, rows),
        "jax.random.choice": lambda: choice(key, weights),
        "copy of the weights": lambda: copy(weights),
    }
    return race(contestants, rounds=rounds)


def sweep_of_trainings(rounds):
    """The grid γ × β of the example's trainings in one program, and its 25 cells one by one."""
    trial = timing.first_of(task.make_trials(settings.Settings(seeds=2)))
    train = grid.training_of("cb-focal")
    swept = jax.jit(jimb.sweep(train, {"beta": jnp.asarray(BETAS), "gamma": jnp.asarray(GAMMAS)}))
    one = jax.jit(lambda trial, beta, gamma: train(trial, beta=beta, gamma=gamma))

    def one_by_one():
        return [[jax.block_until_ready(one(trial, b, g)) for g in GAMMAS] for b in BETAS]

    apart = float(np.max(np.abs(np.asarray(swept(trial)) - np.array(one_by_one()))))
    figures = race({"jimb": lambda: swept(trial), "25 calls": one_by_one}, rounds=rounds)
    return [*figures, Figure("recalls of the two, apart", apart, None)]


def checks(small):
    """Name -> function of figures, at sizes that fill a large GPU, or small."""
    rows, rounds = (2**10, 3) if small else (2**20, 15)
    of = functools.partial
    return {
        "sigmoid focal, value and gradient": of(sigmoid_focal, rows, rounds),
        "softmax focal, value and gradient": of(softmax_focal, rows // 8, rounds),
        "class-balanced focal, value and gradient": of(class_balanced_focal, rows, rounds),
        "head of many classes, bfloat16": of(heads, *HEAD[small], rounds),
        "difficulty update, float16": of(difficulty_update, "float16", rows, rounds),
        "difficulty update, float32": of(difficulty_update, "float32", rows, rounds),
        "epoch plan": of(epoch_plan, rows, rounds),
        "sweep of γ and β": of(sweep_of_trainings, 1 if small else 5),
    }
