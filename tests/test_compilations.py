"""What runs once an epoch compiles once, also for a caller without jit, and for any machine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb import _pairs, difficulty, sampling


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


@pytest.mark.parametrize(
    "plan",
    [
        lambda key, labels: sampling.balanced_plan(key, labels, 3, per_class=100),
        lambda key, labels: sampling.label_shuffle_plan(key, labels, 3, as_published=True),
        lambda key, labels: sampling.class_batches(key, labels, classes_per_batch=2, per_class=4),
    ],
)
def test_plans_from_labels_without_jit(plan):
    keys = jax.random.key(0), jax.random.key(1)
    labels = np.repeat(np.arange(3), (10, 50, 100)), np.repeat(np.arange(3), (20, 40, 100))[::-1]
    first, again = (lambda i=i: plan(keys[i], labels[i]) for i in (0, 1))
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


@pytest.mark.parametrize("tracker", [difficulty.last_loss, difficulty.data_map])
def test_a_tracker_update_in_chunks_without_jit(tracker):
    num_examples, num_classes = 2**17, 10
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(num_examples, num_classes)), "f4")
    labels = jnp.zeros(num_examples, jnp.int32)
    sizes = (num_examples, num_classes) if tracker is difficulty.last_loss else (num_examples,)
    states = [tracker.init(*sizes)]

    def update():
        states.append(tracker.update(states[-1], logits, labels))

    assert compilations(update) > 0
    assert compilations(update) == 0


def test_sums_of_pairs_without_jit():
    pairs = [(jnp.full((3, 7), value), jnp.zeros((3, 7))) for value in (1.0, 2.0)]
    first, again = (lambda i=i: _pairs.sums(pairs[i], pairs[i]) for i in (0, 1))
    assert compilations(first) > 0
    assert compilations(again) == 0


PLATFORMS = ("cpu", "cuda", "tpu")


@pytest.mark.parametrize("dtype", [jnp.float16, None])
def test_what_runs_once_an_epoch_lowers_for_cpu_gpu_and_tpu(dtype):
    state = jax.eval_shape(lambda: difficulty.init(10**6, 100, dtype=dtype))
    logits = jax.ShapeDtypeStruct((10**6, 100), jnp.float32)
    labels = jax.ShapeDtypeStruct((10**6,), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))

    def epoch(key, state, logits, labels):
        before = None if dtype is not None else logits
        state = difficulty.update(state, logits, labels, previous_logits=before)
        return state, sampling.epoch_plan(key, difficulty.sampling_weights(state), 10**6)

    exported = jax.export.export(jax.jit(epoch), platforms=PLATFORMS)(key, state, logits, labels)
    assert exported.platforms == PLATFORMS


def test_trackers_lower_for_cpu_gpu_and_tpu():
    num_examples, num_classes, held_out = 10**6, 100, 10**4
    logits = jax.ShapeDtypeStruct((num_examples, num_classes), jnp.float32)
    labels = jax.ShapeDtypeStruct((num_examples,), jnp.int32)

    def epoch(logits, labels):
        states = {
            difficulty.last_loss: difficulty.last_loss.init(num_examples, num_classes),
            difficulty.forgetting: difficulty.forgetting.init(num_examples),
            difficulty.data_map: difficulty.data_map.init(num_examples),
        }
        scores = [m.score(m.update(state, logits, labels)) for m, state in states.items()]
        counts = difficulty.class_wise.init(num_classes)
        counts = difficulty.class_wise.update(counts, logits[:held_out], labels[:held_out])
        return scores, difficulty.class_wise.score(counts)

    exported = jax.export.export(jax.jit(epoch), platforms=PLATFORMS)(logits, labels)
    assert exported.platforms == PLATFORMS


def test_plans_from_labels_and_interpolation_lower_for_cpu_gpu_and_tpu():
    labels = np.arange(1000) % 7

    def step(key, examples, batch_labels):
        batches = sampling.class_batches(key, labels, classes_per_batch=2, per_class=4)
        mixed = sampling.interpolate_within_class(key, examples, batch_labels)
        published = sampling.label_shuffle_plan(key, labels, 7, as_published=True)
        return sampling.oversample_plan(key, labels, 7), published, batches, mixed

    batch = jax.ShapeDtypeStruct((64, 8), jnp.float32), jax.ShapeDtypeStruct((64,), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    exported = jax.export.export(jax.jit(step), platforms=PLATFORMS)(key, *batch)
    assert exported.platforms == PLATFORMS
