"""The pool of hard examples against a queue, and in a training against a plain loop."""

import collections
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P
from orbax.checkpoint import v1 as ocp

import jimb
from jimb.mining import hard_example_weights, pool

ROWS, BATCH = 5, 4  # examples of a push and of a pop
TRACES = collections.Counter()


def examples(ids):
    """For each number an image, a label and a key: three arrays that say which it is."""
    return {
        "image": ids[:, None, None].astype(jnp.float32) * jnp.array([[[1.0, -1.0, 0.5]]]),
        "label": ids,
        "key": jax.vmap(jax.random.key)(ids),
    }


EXAMPLE = {
    "image": jax.ShapeDtypeStruct((1, 3), jnp.float32),
    "label": jnp.int32(0),
    "key": jax.random.key(0),
}


def push(state, ids, where):
    TRACES["push", state.examples["label"].shape] += 1
    return pool.push(state, examples(ids), where=where)


def pop(state):
    TRACES["pop", state.examples["label"].shape] += 1
    state, batch, where = pool.pop(state)
    return state, plain(batch), where


PUSH, POP = jax.jit(push), jax.jit(pop)


def plain(batch):
    """Keys as numbers."""
    return batch | {"key": jax.random.key_data(batch["key"])}


def assert_are(batch, ids):
    """These examples, in this order, and nothing mixed up between the arrays."""
    ids = np.asarray(ids, np.int32)
    np.testing.assert_array_equal(batch["label"], ids)
    np.testing.assert_array_equal(batch["image"][:, 0], ids[:, None] * np.float32([1, -1, 0.5]))
    np.testing.assert_array_equal(batch["key"][:, 1], ids)


def assert_nothing(batch, where):
    assert not np.any(where)
    for leaf in jax.tree.leaves(batch):
        np.testing.assert_array_equal(leaf, np.zeros_like(leaf))


class Queue:
    """What a pool is, by a deque."""

    def __init__(self, capacity, batch_size):
        self.items, self.capacity, self.batch_size = collections.deque(), capacity, batch_size

    def push(self, ids, where):
        taken = []
        for i, live in zip(ids, where, strict=True):
            taken.append(bool(live) and len(self.items) < self.capacity)
            if taken[-1]:
                self.items.append(int(i))
        return taken

    def pop(self):
        if len(self.items) < self.batch_size:
            return None
        return [self.items.popleft() for _ in range(self.batch_size)]


# Pushes and pops at random.


class Machine(RuleBasedStateMachine):
    """Pushes and pops of a pool and of a queue."""

    @initialize()
    def start(self):
        capacity = self.capacity
        self.state = pool.init(EXAMPLE, capacity=capacity, batch_size=BATCH)
        self.queue, self.next = Queue(capacity, BATCH), 1

    @rule(masks=st.lists(st.integers(0, 2**ROWS - 1), min_size=1, max_size=6))
    def push(self, masks):
        for mask in masks:
            where = (mask >> np.arange(ROWS)) % 2 == 1
            ids = np.arange(self.next, self.next + ROWS, dtype=np.int32)
            self.next += ROWS
            self.state, taken = PUSH(self.state, ids, where)
            np.testing.assert_array_equal(taken, self.queue.push(ids, where))
            assert self.state.size == len(self.queue.items)

    @rule(times=st.integers(1, 4))
    def pop(self, times):
        for _ in range(times):
            self.state, *popped = POP(self.state)
            batch, where = jax.device_get(popped)
            expected = self.queue.pop()
            assert where.shape == (BATCH,)
            if expected is None:
                assert_nothing(batch, where)
            else:
                assert np.all(where)
                assert_are(batch, expected)
            assert self.state.size == len(self.queue.items)

    def teardown(self):
        """What is left comes out, in batches; fewer than one stay."""
        while len(self.queue.items) >= BATCH:
            self.pop(1)
        left = (int(self.state.start) + np.arange(len(self.queue.items))) % self.queue.capacity
        np.testing.assert_array_equal(self.state.examples["label"][left], self.queue.items)


@pytest.mark.parametrize(
    "capacity", [7, *(pytest.param(c, marks=pytest.mark.slow) for c in (BATCH, 16))]
)
def test_nothing_is_lost_or_doubled_by_pushes_and_pops_at_random(capacity):
    TRACES.clear()
    run_state_machine_as_test(
        type("Machine", (Machine,), {"capacity": capacity}),
        settings=settings(
            max_examples=8, stateful_step_count=100, deadline=None, derandomize=True, database=None
        ),
    )
    assert set(TRACES.values()) == {1}
    assert len(TRACES) == 2  # push and pop


@pytest.mark.parametrize("capacity", [6, 8, 64])
def test_ten_thousand_pushes_and_pops_in_one_scan(capacity):
    """Pops at random too, and pushes of more rows than fit."""
    rng, steps, rows = np.random.default_rng(capacity), 7000, 7
    ids = np.arange(1, steps * rows + 1, dtype=np.int32).reshape(steps, rows)
    wanted = rng.random((steps, rows)) < rng.random((steps, 1))
    pops = rng.random(steps) < 0.5

    @jax.jit
    def run(state, ids, wanted, pops):
        def step(state, given):
            ids, where, pops = given
            state, taken = pool.push(state, ids, where=where)
            after, *popped = pool.pop(state)
            state = jax.tree.map(functools.partial(jnp.where, pops), after, state)
            return state, (taken, *popped)

        return jax.lax.scan(step, state, (ids, wanted, pops))

    state = pool.init(jnp.int32(0), capacity=capacity, batch_size=6)
    state, (taken, popped, where) = jax.device_get(run(state, ids, wanted, pops))
    queue = Queue(capacity, 6)
    for i in range(steps):
        assert taken[i].tolist() == queue.push(ids[i], wanted[i])
        if pops[i]:
            expected = queue.pop()
            assert where[i].all() == where[i].any() == (expected is not None)
            assert popped[i].tolist() == (expected or [0] * 6)
    assert state.size == len(queue.items)
    assert np.any(wanted & ~taken)  # it was full at times
    assert pops.sum() + steps > 10_000


# A training with it, in one scan.

POINTS, WIDTH, STEPS, HARDEST, RATE = 64, 3, 60, 5, 0.5
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(POINTS, WIDTH)).astype(np.float32)
TARGETS = (FEATURES[:, 0] + RNG.normal(size=POINTS) > 1).astype(np.float32)
ORDER = RNG.integers(0, POINTS, (STEPS, 16)).astype(np.int32)


@jax.jit
def trained(kernel, order):
    """Each step trains the hardest of its batch, and a batch from the pool once there is one."""

    def losses(kernel, index):
        return jimb.sigmoid_cross_entropy_loss(
            jnp.asarray(FEATURES)[index] @ kernel, jnp.asarray(TARGETS)[index]
        )

    def mined(kernel, index):
        values = losses(kernel, index)
        weights = hard_example_weights(values, keep=HARDEST)
        return jimb.weighted_mean(values, weights), weights

    def again(kernel, index, where):
        return jimb.weighted_mean(losses(kernel, index), where=where)

    def step(carry, index):
        kernel, state = carry
        gradient, weights = jax.grad(mined, has_aux=True)(kernel, index)
        kernel = kernel - RATE * gradient
        state, _ = pool.push(state, index, where=weights > 0)
        state, popped, where = pool.pop(state)
        kernel = kernel - RATE * jax.grad(again)(kernel, popped, where)
        return (kernel, state), (popped, where)

    state = pool.init(jnp.int32(0), capacity=16 + HARDEST, batch_size=16)
    return jax.lax.scan(step, (kernel, state), order)


def trained_by_hand():
    """The same in float64, example by example."""
    kernel, queue, popped = np.zeros(WIDTH), collections.deque(), []
    x, y = FEATURES.astype(np.float64), TARGETS.astype(np.float64)

    def descend(kernel, index):
        p = 1 / (1 + np.exp(-x[index] @ kernel))
        return kernel - RATE * (p - y[index]) @ x[index] / len(index)

    for index in ORDER:
        logits = x[index] @ kernel
        losses = np.logaddexp(0, logits) - y[index] * logits
        order = sorted(range(16), key=lambda i, losses=losses: (-losses[i], i))
        hard = sorted(order[:HARDEST])
        kernel = descend(kernel, index[hard])
        queue.extend(index[hard])
        popped.append(None)
        if len(queue) >= 16:
            popped[-1] = np.array([queue.popleft() for _ in range(16)])
            kernel = descend(kernel, popped[-1])
    return kernel, popped


def test_a_training_in_one_scan_is_that_of_a_plain_loop():
    (kernel, _), (popped, where) = trained(jnp.zeros(WIDTH), ORDER)
    expected, batches = trained_by_hand()
    for got, mask, batch in zip(popped, where, batches, strict=True):
        assert np.all(mask) == np.any(mask) == (batch is not None)
        np.testing.assert_array_equal(got, np.zeros(16) if batch is None else batch)
    assert sum(batch is not None for batch in batches) >= 15
    np.testing.assert_allclose(kernel, expected, rtol=2e-6)  # measured 1.1e-6


# States.


class Pair(NamedTuple):
    """Another kind of tree."""

    half: jax.Array
    flag: jax.Array


@pytest.mark.parametrize(
    "example",
    [
        jnp.int32(0),
        jnp.bfloat16(0),
        Pair(jnp.zeros((2, 2), jnp.float16), jnp.bool_(False)),
        EXAMPLE,
    ],
    ids=["position", "bfloat16", "tuple", "dict"],
)
def test_types_are_kept_under_donation_in_one_compilation(example):
    traces = []

    @jax.jit(donate_argnames="state")
    def step(state, rows):
        traces.append(1)
        state, taken = pool.push(state, rows)
        state, batch, where = pool.pop(state)
        return state, batch, where, taken

    state = pool.init(example, capacity=6, batch_size=4)
    abstract = jax.eval_shape(lambda: pool.init(example, capacity=6, batch_size=4))
    before = jax.tree.map(jax.typeof, state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), abstract) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )
    rows = jax.tree.map(lambda x: jnp.broadcast_to(jnp.zeros((), x.dtype), (3, *x.shape)), example)
    for i in range(5):
        old = state
        state, batch, where, taken = step(old, rows)
        assert all(x.is_deleted() for x in jax.tree.leaves(old))
        assert jax.tree.map(jax.typeof, state) == before
        assert np.all(taken)
        assert np.all(where) == (i in (1, 2, 3))
        shapes = jax.tree.map(lambda x: (x.shape, x.dtype), batch)
        assert shapes == jax.tree.map(lambda x: ((4, *x.shape), x.dtype), example)
    assert len(traces) == 1


def test_without_jit_it_is_the_same():
    state, queue = pool.init(EXAMPLE, capacity=6, batch_size=2), Queue(6, 2)
    for i in range(4):
        ids, where = np.arange(10 * i, 10 * i + 3), np.array([True, i % 2 == 0, True])
        state, taken = pool.push(state, examples(jnp.asarray(ids)), where=where)
        assert taken.tolist() == queue.push(ids, where)
        state, batch, _ = pool.pop(state)
        assert_are(plain(batch), queue.pop())


def test_examples_that_are_put_in_keep_no_gradient():
    def again(x):
        state, _ = pool.push(pool.init(jnp.float32(0), capacity=4, batch_size=4), x)
        _, batch, where = pool.pop(state)
        return jimb.weighted_mean(batch * batch, where=where)

    value, gradient = jax.value_and_grad(again)(jnp.arange(4.0))
    assert value == 3.5
    np.testing.assert_array_equal(gradient, np.zeros(4))


def test_vmap_over_pools_is_a_loop_over_them():
    rng, queues = np.random.default_rng(1), [Queue(9, BATCH) for _ in range(3)]
    states = jax.vmap(lambda _: pool.init(EXAMPLE, capacity=9, batch_size=BATCH))(jnp.arange(3))
    push_all, pop_all = jax.jit(jax.vmap(push)), jax.jit(jax.vmap(pop))
    for i in range(30):
        ids = np.arange(3 * ROWS, dtype=np.int32).reshape(3, ROWS) + 100 * i
        where = rng.random((3, ROWS)) < [[0.9], [0.5], [0.1]]
        states, taken = push_all(states, ids, where)
        states, batches, ready = pop_all(states)
        for j, queue in enumerate(queues):
            assert taken[j].tolist() == queue.push(ids[j], where[j])
            expected, batch = queue.pop(), jax.tree.map(lambda x, j=j: x[j], batches)
            if expected is None:
                assert_nothing(batch, ready[j])
            else:
                assert_are(batch, expected)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_a_sharded_batch_feeds_a_pool_that_is_the_same_on_every_device(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    data, everywhere = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    rng, queue, traces = np.random.default_rng(2), Queue(24, 16), []

    @jax.jit(donate_argnames="state")
    def step(state, losses, ids):
        traces.append(1)
        weights = hard_example_weights(losses, keep=5)
        state, taken = pool.push(state, examples(ids), where=weights > 0)
        state, batch, where = pool.pop(state)
        return state, plain(batch), where, taken

    with jax.set_mesh(mesh):
        state = jax.device_put(pool.init(EXAMPLE, capacity=24, batch_size=16), everywhere)
        before = jax.tree.map(jax.typeof, state)
        for i in range(12):
            losses = rng.normal(size=16).astype(np.float32)
            ids = np.arange(16 * i, 16 * i + 16, dtype=np.int32)
            state, batch, where, taken = jax.block_until_ready(
                step(state, *jax.device_put((losses, ids), data))
            )
            assert jax.tree.map(jax.typeof, state) == before
            for x in jax.tree.leaves(state):
                assert x.sharding.is_fully_replicated
            hard = np.isin(np.arange(16), np.argsort(-losses)[:5])
            assert taken.tolist() == queue.push(ids, hard)
            expected = queue.pop()
            if expected is None:
                assert_nothing(batch, where)
            else:
                assert_are(batch, expected)
    assert len(traces) == 1


def test_a_checkpoint_holds_it(tmp_path):
    def start():
        return pool.init(EXAMPLE, capacity=7, batch_size=BATCH)

    state, _ = PUSH(start(), np.arange(5, 10, dtype=np.int32), np.ones(ROWS, bool))
    here = SingleDeviceSharding(jax.devices()[0])
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), jax.eval_shape(start)
    )
    with ocp.training.Checkpointer(tmp_path) as checkpointer:
        checkpointer.save_checkpointables(1, {"pool": state})
        found = checkpointer.load_checkpointables(1, {"pool": shapes})["pool"]
    assert jax.tree.structure(found) == jax.tree.structure(state)
    assert_are(POP(found)[1], range(5, 9))


def test_it_lowers_for_cpu_gpu_and_tpu():
    state = jax.eval_shape(lambda: pool.init(EXAMPLE, capacity=64, batch_size=32))
    ids = jax.ShapeDtypeStruct((16,), jnp.int32)
    platforms = "cpu", "cuda", "tpu"

    def step(leaves, ids):
        given = jax.tree.unflatten(jax.tree.structure(state), leaves)
        return jax.tree.leaves(pool.pop(pool.push(given, examples(ids))[0]))

    exported = jax.export.export(jax.jit(step), platforms=platforms)(jax.tree.leaves(state), ids)
    assert exported.platforms == platforms


def test_it_is_a_plain_tuple_of_arrays():
    """`batch` says how many `pop` gives back, by its length alone."""
    state = pool.init(jnp.int32(0), capacity=7, batch_size=3)
    assert all(isinstance(leaf, jax.Array) for leaf in state)
    assert pool.pop(state)[1].shape == (3,)
    assert pool.pop(state._replace(batch=jnp.ones(5, bool)))[1].shape == (5,)


# Bad input.


def test_checkify_hears_of_a_pool_that_is_full():
    checked = jax.jit(checkify.checkify(pool.push))
    state = pool.init(jnp.int32(0), capacity=4, batch_size=4)
    error, (state, taken) = checked(state, np.arange(3, dtype=np.int32))
    assert error.get() is None
    error, (state, taken) = checked(state, np.arange(3, 6, dtype=np.int32))
    assert "the pool is full, and 2 of the examples did not fit: pop after each" in error.get()
    np.testing.assert_array_equal(taken, [True, False, False])
    error, (after, taken) = checked(state, np.arange(3, dtype=np.int32), where=np.zeros(3, bool))
    assert error.get() is None
    assert not taken.any()
    np.testing.assert_array_equal(after.examples, state.examples)


IMAGES = {"image": jnp.zeros((2, 3)), "label": jnp.int32(0)}


def pushed(rows, example=IMAGES, where=None):
    return pool.push(pool.init(example, capacity=4, batch_size=2), rows, where=where)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: pool.init(jnp.int32(0), capacity=3, batch_size=4),
            ValueError,
            "capacity must be at least batch_size, 4, got 3",
        ),
        (
            lambda: pool.init(jnp.int32(0), capacity=0, batch_size=4),
            ValueError,
            r"capacity must lie in \[1, 2\*\*31\), got 0",
        ),
        (
            lambda: pool.init({}, capacity=4, batch_size=4),
            ValueError,
            "example must hold at least one array, got {}",
        ),
        (
            lambda: pool.init({"name": "cat"}, capacity=4, batch_size=4),
            TypeError,
            "example must be an array of numbers",
        ),
        (
            lambda: pushed({"image": jnp.zeros((5, 2, 3)), "y": jnp.zeros(5, jnp.int32)}),
            ValueError,
            r"like the example given to init: missing \['label'\]; not in the pool \['y'\]\.",
        ),
        (
            lambda: pushed(jnp.zeros((5, 2, 3))),
            ValueError,
            r"missing \['image'\], \['label'\]; not in the pool the array itself\.",
        ),
        (
            lambda: pushed([jnp.zeros(5)], example=(jnp.float32(0),)),
            ValueError,
            r"init: that was PyTreeDef\(\(\*,\)\), this is PyTreeDef\(\[\*\]\)\.",
        ),
        (
            lambda: pushed({"image": jnp.zeros((5, 2, 3)), "label": jnp.zeros(5)}),
            TypeError,
            r"examples\['label'\] must be int32, as in the pool, got float32\[5\]; cast it",
        ),
        (
            lambda: pushed({"image": jnp.zeros((5, 3, 2)), "label": jnp.zeros(5, jnp.int32)}),
            ValueError,
            r"examples\['image'\] must be \[B, 2, 3\], as in the pool, got float32\[5, 3, 2\]",
        ),
        (
            lambda: pushed(jnp.int32(7), example=jnp.int32(0)),
            ValueError,
            r"examples must be \[B\], as in the pool, got int32\[\]; one example alone",
        ),
        (
            lambda: pushed({"image": jnp.zeros((5, 2, 3)), "label": jnp.zeros(4, jnp.int32)}),
            ValueError,
            r"one leading axis, \[B, ...\], got sizes examples\['image'\] 5, examples\['label'\] 4",
        ),
        (
            lambda: pushed(jnp.zeros(5), example=jnp.float32(0), where=np.ones(4, bool)),
            ValueError,
            r"where must have the shape \[5\] of the examples' first axis",
        ),
        (
            lambda: pushed(jnp.zeros(5), example=jnp.float32(0), where=np.ones(5)),
            TypeError,
            "where must be boolean",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
