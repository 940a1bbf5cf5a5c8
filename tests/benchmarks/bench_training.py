"""A training step with and without jimb, and a grid of trainings in one program."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jimb
from examples.sweep import grid, settings, task, timing

GAMMAS = jnp.array([0.0, 0.5, 1.0, 2.0, 3.0])
BETAS = jnp.array([0.0, 0.9, 0.99, 0.999, 0.9999])


@pytest.mark.parametrize("loss", ["cross-entropy", "focal, traced γ", "CB-focal, traced γ and β"])
def bench_training_step(race, loss):
    """A step of a small MLP called from Python, where the call itself takes much of the time."""
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(64, 64)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 2, 64), jnp.int32)
    counts = np.array([490, 125])
    hyper = jnp.float32(2.0), jnp.float32(0.999)
    params = {"w": jnp.zeros((64, 64)) + 0.01, "v": jnp.zeros((64, 2)) + 0.01}
    optimizer = optax.adamw(1e-3)
    start = params, optimizer.init(params)

    def step_of(mean_loss):
        @jax.jit
        def step(params, opt_state, gamma, beta):
            def loss(params):
                return mean_loss(jax.nn.relu(images @ params["w"]) @ params["v"], gamma, beta)

            value, gradient = jax.value_and_grad(loss)(params)
            updates, opt_state = optimizer.update(gradient, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, value

        return lambda: step(*start, *hyper)

    def ours(z, gamma, beta):
        if loss == "cross-entropy":
            losses = jimb.softmax_cross_entropy_loss(z, labels)
        elif loss.startswith("focal"):
            losses = jimb.softmax_focal_loss(z, labels, gamma=gamma)
        else:
            losses = jimb.class_balanced_focal_loss(z, labels, counts, beta=beta, gamma=gamma)
        return jimb.weighted_mean(losses)

    def optax_loss(z, gamma, beta):
        return optax.softmax_cross_entropy_with_integer_labels(z, labels).mean()

    race(step_of(ours), {"the step with Optax's CE": step_of(optax_loss)}, rounds=300)


@pytest.fixture(scope="module")
def trial():
    """The parity task of `examples/sweep`: 15 epochs of a small MLP."""
    return timing.first_of(task.make_trials(settings.Settings(seeds=2)))


train = grid.training_of("cb-focal")
GRIDS = {"beta": BETAS, "gamma": GAMMAS}


def product_of_as_many_operations():
    """One large matrix product with the multiplications of all products of the 25 trainings."""
    features, hidden, classes, images = 64, 64, 2, 1797
    forward = features * hidden + hidden * classes
    a_step = grid.BATCH * (2 * forward + hidden * classes)  # and the slopes' products
    size = round((25 * (grid.STEPS * a_step + images * forward)) ** (1 / 3))
    matrix = jnp.ones((size, size))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(matrix, matrix)


def bench_sweep(race, trial):
    """25 trainings in one program, against 25 calls of one compiled training."""
    one = jax.jit(lambda trial, beta, gamma: train(trial, beta=beta, gamma=gamma))
    on_one = jimb.sweep(train, GRIDS)
    with jax.set_mesh(jax.make_mesh((jax.device_count(),), ("points",))):
        swept = jax.jit(jimb.sweep(train, GRIDS, mesh_axis="points")).lower(trial).compile()

    def one_by_one():
        return [[jax.block_until_ready(one(trial, b, g)) for g in GAMMAS] for b in BETAS]

    apart = np.max(np.abs(np.asarray(swept(trial)) - np.array(one_by_one())))
    race(
        lambda: swept(trial),
        {
            "25 calls": one_by_one,
            "on one device": lambda: on_one(trial),
            "one matrix product": product_of_as_many_operations(),
        },
        errors={"recalls, apart": float(apart)},
    )


def bench_sweep_with_compilation(race, trial):
    """The same from the start, against 25 trainings with γ and β compiled in as constants."""

    def constants():
        for beta in BETAS.tolist():
            for gamma in GAMMAS.tolist():
                numbers = {"beta": jnp.float32(beta), "gamma": jnp.float32(gamma)}
                run = jax.jit(lambda trial, numbers=numbers: train(trial, **numbers))
                jax.block_until_ready(run(trial))

    def from_the_start():
        return jimb.sweep(train, GRIDS)(trial)

    race(from_the_start, {"25 constants": constants}, rounds=1)
