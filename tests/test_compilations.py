"""What runs a loop inside compiles it once, also for a caller without jit."""

import jax
import jax.numpy as jnp
import numpy as np

from jimb import difficulty, sampling


def compilations(fn):
    """How many programs `fn()` compiles."""
    count = 0

    def listen(event, duration, **_):
        nonlocal count
        count += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        fn()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return count


def test_an_epoch_plan_without_jit():
    keys, weights = (
        [jax.random.key(0), jax.random.key(1)],
        [jnp.ones(5000), jnp.full(5000, 2.0, "f4")],
    )
    first, again = (lambda i=i: sampling.epoch_plan(keys[i], weights[i], 5000) for i in (0, 1))
    assert compilations(first) > 0
    assert compilations(again) == 0


def test_a_difficulty_update_in_chunks_without_jit():
    num_examples, num_classes = 2**17, 10
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(num_examples, num_classes)), "f4")
    labels = jnp.zeros(num_examples, jnp.int32)
    states = [difficulty.init(num_examples, num_classes)]

    def update():
        states.append(difficulty.update(states[-1], logits, labels))

    assert compilations(update) > 0
    assert compilations(update) == 0
