"""A training step with and without jimb, and a grid of trainings in one program."""

import datasets
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import training

import jimb

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


def parity_training():
    """A whole training of the parity task's MLP: `(γ, β) -> losses of its 150 steps`."""
    images, digits = datasets.load_digits()
    sizes = np.array([120, 25] * 4 + [10, 25])
    index = datasets.take_per_class(digits, sizes, np.random.default_rng(0))
    data = training.Data(jnp.asarray(images[index] / 16), jnp.asarray(digits[index] % 2))
    steps = 15 * -(-len(index) // 64)
    recipe = training.Recipe(images.shape[1], 2, "cb-focal", steps=steps)
    state = training.init_state(jax.random.key(0), recipe, len(index))
    plan = jimb.sampling.epoch_plan(jax.random.key(1), jnp.ones(len(index)), steps * 64)
    hyper = training.hyper_of(jimb.class_counts(np.asarray(data.labels), 2))

    def losses(gamma, beta):
        given = hyper._replace(gamma=gamma, beta=beta)
        return training.run_epoch.__wrapped__(state, data, plan, given, recipe=recipe)[1]

    return losses


def bench_sweep(race):
    """25 trainings in one program, against 25 calls of one compiled training."""
    losses = parity_training()
    one = jax.jit(losses)
    grids = {"gamma": GAMMAS, "beta": BETAS}
    swept = jimb.sweep(losses, grids)

    def one_by_one():
        return [[jax.block_until_ready(one(g, b)) for b in BETAS] for g in GAMMAS]

    apart = np.max(np.abs(np.asarray(swept()) - np.array(one_by_one())))
    race(swept, {"25 calls": one_by_one}, errors={"losses, apart": float(apart)})


def bench_sweep_with_compilation(race):
    """The same from the start, against 25 trainings with γ and β compiled in as constants."""
    losses = parity_training()

    def constants():
        for gamma in GAMMAS.tolist():
            for beta in BETAS.tolist():
                run = jax.jit(lambda gamma=gamma, beta=beta: losses(gamma, beta))
                jax.block_until_ready(run())

    def from_the_start():
        return jimb.sweep(losses, {"gamma": GAMMAS, "beta": BETAS})()

    race(from_the_start, {"25 constants": constants}, rounds=1)
