"""One of the processes of `test_processes.py`: `two_processes.py PORT NUM_PROCESSES PROCESS`.

Checks its own shards of what all devices computed against what one of its devices computes alone.
"""

import sys

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb

N, K = 4096, 10
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, K, N).astype(np.int32)
LOGITS = [RNG.normal(0, scale, (N, K)).astype(np.float32) for scale in (1, 3, 8)]
# Multiples of a power of two: the model's sums are exact, in whatever order a program adds.
INPUTS = RNG.integers(-48, 48, (N, 5)).astype(np.float32) / 16
PARAMS = [scale * RNG.integers(-32, 32, (5, K)).astype(np.float32) / 16 for scale in (1, 2, 4)]

traces = []


@jax.jit(donate_argnames="state", static_argnames="mesh_axis")
def end_epoch(state, swept, logits, params, inputs, labels, mesh_axis=None):
    traces.append(1)
    state = jimb.difficulty.update(state, logits, labels)
    swept = jimb.difficulty.sweep(
        swept,
        lambda w, x: x @ w,
        params,
        examples=inputs,
        labels=labels,
        chunk_size=100,
        mesh_axis=mesh_axis,
    )
    weights = jimb.difficulty.sampling_weights(state)
    prior = jimb.difficulty.class_prior(weights, labels, K)
    plan = jimb.sampling.epoch_plan(jax.random.key(0), weights, N)
    return state, swept, weights, prior, plan


def epochs(rows, everywhere, dtype, **kwargs):
    state, swept = (rows(jimb.difficulty.init(N, K, dtype=dtype)) for _ in range(2))
    traces.clear()
    for logits, params in zip(LOGITS, PARAMS, strict=True):
        data = rows(logits), everywhere(params), rows(INPUTS), rows(LABELS)
        state, swept, *read = end_epoch(state, swept, *data, **kwargs)
    assert len(traces) == 1, "traced more than once"
    return state, swept, *read


def check(dtype, num_processes):
    alone = jax.tree.map(np.asarray, epochs(lambda x: x, lambda x: x, dtype))
    mesh = jax.make_mesh((len(jax.devices()),), ("data",))

    def laid_out(spec):
        sharding = NamedSharding(mesh, spec)

        def one(x):
            x = np.asarray(x)
            return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

        return lambda tree: jax.tree.map(one, tree)

    with jax.set_mesh(mesh):
        together = epochs(laid_out(P("data")), laid_out(P()), dtype, mesh_axis="data")
        weights = multihost_utils.process_allgather(together[2], tiled=True)
    for got, expected in zip(
        jax.tree.leaves(together[:2]), jax.tree.leaves(alone[:2]), strict=True
    ):
        for shard in got.addressable_shards:
            assert shard.data.shape[0] == N // len(jax.devices())
            np.testing.assert_array_equal(shard.data, expected[shard.index])
    np.testing.assert_allclose(weights, alone[2], rtol=1e-6)
    np.testing.assert_allclose(together[3].addressable_data(0), alone[3], rtol=1e-6)
    plan = np.asarray(together[4].addressable_data(0))
    expected = jimb.sampling.epoch_plan(jax.random.key(0), jax.numpy.asarray(weights), N)
    np.testing.assert_array_equal(plan, expected)
    hosts = [plan[h::num_processes] for h in range(num_processes)]
    np.testing.assert_array_equal(np.sort(np.concatenate(hosts)), np.sort(plan))


@jax.jit
def confusion(predictions, labels, where):
    """Counts and measures of all batches, `[batches, B]`, in one program."""

    def step(state, batch):
        return jimb.metrics.update(state, batch[0], batch[1], where=batch[2]), None

    state, _ = jax.lax.scan(step, jimb.metrics.init(K), (predictions, labels, where))
    return state, jimb.metrics.compute(state)


def check_confusion(num_processes, process):
    """Each host feeds its share of every batch; all see the counts of the whole."""
    mesh = jax.make_mesh((len(jax.devices()),), ("data",))
    rows = NamedSharding(mesh, P(None, "data"))
    where = RNG.random(N) < 0.9
    predictions = np.where(RNG.random(N) < 0.5, LABELS, RNG.integers(0, K, N)).astype(np.int32)
    expected = np.zeros((K, K), np.int32)
    np.add.at(expected, (LABELS[where], predictions[where]), 1)
    shares = (
        np.split(x.reshape(4, N // 4), num_processes, axis=1)[process]
        for x in (predictions, LABELS, where)
    )
    with jax.set_mesh(mesh):
        batches = [jax.make_array_from_process_local_data(rows, share) for share in shares]
        assert batches[0].shape == (4, N // 4)
        state, measures = confusion(*batches)
    np.testing.assert_array_equal(state.counts.addressable_data(0), expected)
    recall = np.diagonal(expected) / expected.sum(1)
    got = measures.balanced_accuracy.addressable_data(0)
    np.testing.assert_allclose(got, recall.mean(), rtol=0, atol=1e-7)


def check_classes():
    """Classes over both processes: stored logits, and a head that stores none."""
    mesh = jax.make_mesh((2, 2), ("model", "data"), axis_types=(AxisType.Explicit,) * 2)
    kernel, labels = PARAMS[1], LABELS[:64]

    def laid_out(x, *spec):
        sharding = NamedSharding(mesh, P(*spec))
        return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

    @jax.jit
    def run(logits, inputs, kernel, labels):
        def total(logits, head):
            losses = jimb.softmax_focal_loss(logits, labels)
            unstored = jimb.softmax_cross_entropy_loss(head, labels, label_smoothing=0.1)
            return jax.numpy.sum(losses + unstored), (losses, unstored)

        head = jimb.LinearLogits(inputs, kernel, block_size=2)
        return jax.grad(total, (0, 1), has_aux=True)(logits, head)

    arrays = LOGITS[1][:64], INPUTS[:64], kernel, labels
    alone = jax.tree.map(np.asarray, run(*arrays))
    specs = ("data", "model"), ("data",), (None, "model"), ("data",)
    with jax.set_mesh(mesh):
        together = run(*(laid_out(x, *spec) for x, spec in zip(arrays, specs, strict=True)))
    for got, expected in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        for shard in got.addressable_shards:
            np.testing.assert_allclose(shard.data, expected[shard.index], rtol=2e-6, atol=2e-6)


def main():
    port, num_processes, process = map(int, sys.argv[1:])
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes, process)
    assert len(jax.devices()) == 2 * num_processes
    for store in (np.float16, np.float32):
        check(store, num_processes)
    check_confusion(num_processes, process)
    check_classes()
    print("equal")


if __name__ == "__main__":
    main()
