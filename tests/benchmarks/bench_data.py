"""What runs once an epoch, over the whole data set: the difficulty update and the epoch plan."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def bench_difficulty_update(race, dtype):
    """Against one donated pass that reads the logits and the store and writes the store."""
    num_examples, num_classes = 1_000_000, 100
    key = jax.random.key(0)
    logits = jax.random.normal(key, (num_examples, num_classes)) * 3
    labels = jax.random.randint(key, (num_examples,), 0, num_classes)
    update = jax.jit(jimb.difficulty.update, donate_argnames="state")
    held = {
        "state": jimb.difficulty.init(num_examples, num_classes, dtype=dtype),
        "store": jnp.zeros((num_examples, num_classes), dtype),
        "half": jnp.zeros((num_examples, num_classes), dtype),
    }

    @functools.partial(jax.jit, donate_argnums=0)
    def bare_pass(store, logits):
        return (logits + store.astype(jnp.float32)).astype(store.dtype)

    @functools.partial(jax.jit, donate_argnums=0)
    def log_softmax(store, logits):
        return jax.nn.log_softmax(logits).astype(store.dtype)

    def ours():
        held["state"] = update(held["state"], logits, labels)
        return held["state"]

    def floor():
        held["store"] = bare_pass(held["store"], logits)
        return held["store"]

    def without_deltas():
        held["half"] = log_softmax(held["half"], logits)
        return held["half"]

    others = {"bare pass": floor, "log-softmax into the store": without_deltas}
    race(ours, others, rounds=5)


def bench_epoch_plan(race):
    num = 1_280_000
    rng = np.random.default_rng(0)
    weights = rng.lognormal(0, 1, num)
    probabilities = weights / weights.sum()
    drawn = jax.jit(jimb.sampling.epoch_plan, static_argnums=2)
    args = jax.random.key(0), jnp.asarray(weights, jnp.float32)
    counts = np.bincount(np.asarray(drawn(*args, num)), minlength=num)
    exact = np.asarray(args[1], np.float64)
    assert np.all(np.abs(counts - num * exact / exact.sum()) < 1)
    others = {"numpy choice": lambda: rng.choice(num, num, p=probabilities)}
    race(lambda: drawn(*args, num), others)


def bench_epoch_plan_to_torch(race, torch):
    """`torch.multinomial` takes at most 2²⁴ categories; with replacement, as an epoch needs."""
    if torch is None:
        pytest.skip("PyTorch is not installed")
    num = 1_280_000
    weights = np.random.default_rng(0).lognormal(0, 1, num).astype(np.float32)
    drawn = jax.jit(jimb.sampling.epoch_plan, static_argnums=2)
    args = jax.random.key(0), jnp.asarray(weights)
    table = torch.tensor(weights)
    others = {"torch multinomial": lambda: torch.multinomial(table, num, True).numpy()}
    race(lambda: drawn(*args, num), others)
