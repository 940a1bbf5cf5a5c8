"""What a mean divides by, where the batch is in parts: on devices, over axes, in micro-batches."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jimb
from tests.helpers import pages
from tests.helpers.losses_table import assert_close

ROWS, DEVICES = 16, 8
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS).astype(np.float32)
WEIGHTS = RNG.uniform(0, 2, ROWS).astype(np.float32)
WEIGHTS[:2] = 0  # the whole share of the first device
POSITIVE = np.isin(np.arange(ROWS), [0, 1, 3, 9])  # two shares have one, one has two, five none
BATCH = X, WEIGHTS, POSITIVE
THETA = np.float32(1.5)


def means(theta, x, weights, positive, axis=None, told=True):
    """One mean of `theta * x` for each recipe; `told` where JAX knows what varies over the axis."""
    mean = functools.partial(jimb.weighted_mean, theta * x, axis_name=axis)
    n, none = (jnp.sum(p, dtype=jnp.float32) for p in (positive, positive & ~positive))

    def total(share):
        return share if axis is None else jax.lax.psum(share, axis)

    def by_hand(n):
        return mean(normalizer=1) / jnp.maximum(total(n), 1)

    def floored(n):
        return mean(normalizer=n, min_normalizer=1) if told else by_hand(n)

    return {
        "elements": mean(),
        "weights": mean(weights),
        "weights, at least 100": mean(weights, min_normalizer=100),
        "positives": floored(n),
        "no positives": floored(none),
        "total": mean(normalizer=total(n)) if told else by_hand(n),
        "total and floor": mean(normalizer=total(none), min_normalizer=1)
        if told
        else by_hand(none),
        "examples": mean(weights, normalizer=total(len(x))),
        "number": mean(normalizer=np.float64(5.5)),
        "sum": mean(normalizer=1),
    }


def expected():
    """Values, gradients by `theta`, and gradients by `x`, of each recipe, in float64."""
    x, weights = X.astype(np.float64), WEIGHTS.astype(np.float64)
    plain, positives = np.ones(ROWS), POSITIVE.sum()
    table = {
        "elements": (plain, ROWS),
        "weights": (weights, weights.sum()),
        "weights, at least 100": (weights, 100),
        "positives": (plain, positives),
        "no positives": (plain, 1),
        "total": (plain, positives),
        "total and floor": (plain, 1),
        "examples": (weights, ROWS),
        "number": (plain, 5.5),
        "sum": (plain, 1),
    }
    values = {name: THETA * (w @ x) / divisor for name, (w, divisor) in table.items()}
    by_theta = {name: w @ x / divisor for name, (w, divisor) in table.items()}
    by_x = {name: THETA * w / divisor for name, (w, divisor) in table.items()}
    return values, by_theta, by_x


def means_and_gradients(means):
    def both(theta, x, weights, positive):
        results, pullback = jax.vjp(lambda t, x: means(t, x, weights, positive), theta, x)
        none = jax.tree.map(jnp.zeros_like, results)
        gradients = {name: pullback(none | {name: 1 + none[name]}) for name in none}
        by_theta, by_x = ({name: g[i] for name, g in gradients.items()} for i in (0, 1))
        return results, by_theta, by_x

    return both


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    with jax.set_mesh(jax.make_mesh((DEVICES,), ("data",), axis_types=(request.param,))) as mesh:
        yield mesh


def split(batch):
    return jax.device_put(batch, NamedSharding(jax.sharding.get_mesh(), P("data")))


def in_shares(batch):
    return [x.reshape(DEVICES, -1) for x in batch]


SPECS = {"in_specs": (P(), *[P("data")] * 3), "out_specs": P()}


def test_in_jit_a_sharded_batch_is_one_array(mesh):
    assert_close(jax.jit(means_and_gradients(means))(THETA, *split(BATCH)), expected())


def test_in_shard_map_with_the_gradient_outside(mesh):
    mapped = jax.shard_map(functools.partial(means, axis="data"), **SPECS)
    assert_close(jax.jit(means_and_gradients(mapped))(THETA, *split(BATCH)), expected())


def test_in_shard_map_with_the_gradient_inside(mesh):
    local = means_and_gradients(functools.partial(means, axis="data"))
    specs = SPECS | {"out_specs": (P(), P(), P("data"))}
    mapped = jax.jit(jax.shard_map(local, **specs))
    assert_close(mapped(THETA, *split(BATCH)), expected())


def test_in_shard_map_without_vma(mesh):
    untold = functools.partial(means, axis="data", told=False)
    mapped = jax.shard_map(untold, **SPECS, check_vma=False)
    assert_close(jax.jit(means_and_gradients(mapped))(THETA, *split(BATCH)), expected())


@pytest.mark.parametrize("transform", [jax.pmap, jax.vmap])
def test_in_pmap_and_vmap_with_the_gradient_outside(transform):
    untold = functools.partial(means, axis="data", told=False)
    mapped = transform(untold, axis_name="data", in_axes=(None, 0, 0, 0))

    def first(theta, x, weights, positive):
        return jax.tree.map(lambda copies: copies[0], mapped(theta, x, weights, positive))

    values, by_theta, by_x = jax.jit(means_and_gradients(first))(THETA, *in_shares(BATCH))
    assert_close((values, by_theta, jax.tree.map(jnp.ravel, by_x)), expected())


@pytest.mark.parametrize("transform", ["pmap", "vmap", "shard_map"])
def test_untold_the_gradient_inside_is_to_be_averaged(transform):
    local = means_and_gradients(functools.partial(means, axis="data", told=False))

    def step(*arguments):
        values, by_theta, _ = local(*arguments)
        return values, jax.lax.pmean(by_theta, "data")

    if transform == "shard_map":
        mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
        got = jax.jit(jax.shard_map(step, mesh=mesh, **SPECS, check_vma=False))(THETA, *BATCH)
    else:
        step = jax.jit(getattr(jax, transform)(step, axis_name="data", in_axes=(None, 0, 0, 0)))
        got = jax.tree.map(lambda copies: copies[-1], step(THETA, *in_shares(BATCH)))
    assert_close(got, expected()[:2])


def test_untold_a_traced_normalizer_is_refused():
    def mean(x, n):
        return jimb.weighted_mean(x, normalizer=n[0], axis_name="data")

    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    both = {"mesh": mesh, "in_specs": P("data"), "out_specs": P()}
    shares = in_shares((X, WEIGHTS))
    for mapped, arrays in [
        (jax.pmap(mean, axis_name="data"), shares),
        (jax.vmap(mean, axis_name="data"), shares),
        (jax.shard_map(mean, **both, check_vma=False), (X, WEIGHTS)),
        (jax.jit(jax.shard_map(mean, **both, check_vma=False)), (X, WEIGHTS)),
    ]:
        with pytest.raises(ValueError, match=r"varies over 'data'\. Pass normalizer=1 and divide"):
            mapped(*arrays)


@pytest.mark.parametrize("rows", ["data", ("data", "model")], ids=str)
def test_over_two_axes_each_number_is_summed_over_those_that_it_varies_over(rows):
    axes = "data", "model"
    mesh = jax.make_mesh((4, 2), axes, axis_types=(AxisType.Auto,) * 2)

    def mean(theta, x, weights, positive):
        n = jnp.sum(positive)
        floor = {"min_normalizer": 1, "axis_name": axes}
        return {
            "elements": jimb.weighted_mean(theta * x, axis_name=axes),
            "weights": jimb.weighted_mean(theta * x, weights, axis_name=axes),
            "positives": jimb.weighted_mean(theta * x, normalizer=n, **floor),
            "total": jimb.weighted_mean(theta * x, normalizer=jax.lax.psum(n, rows), **floor),
            "sum": jimb.weighted_mean(theta * x, normalizer=1, axis_name=axes),
        } | (
            {}
            if rows == "data"
            else {
                "part": jimb.weighted_mean(theta * x, normalizer=jax.lax.psum(n, "model"), **floor)
            }
        )

    specs = {"in_specs": (P(), *[P(rows)] * 3), "out_specs": (P(), P(), P(rows))}
    got = jax.jit(jax.shard_map(means_and_gradients(mean), mesh=mesh, **specs))(THETA, *BATCH)
    for results, right in zip(got, expected(), strict=True):
        right["part"] = right["positives"]
        assert_close(results, {name: right[name] for name in results})


def test_an_axis_over_which_nothing_is_mapped_is_refused(mesh):
    mean = functools.partial(jimb.weighted_mean, axis_name="data")
    for call in (mean, jax.jit(mean), jax.vmap(mean, axis_name="other")):
        with pytest.raises(ValueError, match="axis_name must name an axis"):
            call(split(X.reshape(ROWS, 1)))


def test_a_message_from_inside_shard_map():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

    def mean(x, n):
        return jimb.weighted_mean(x, normalizer=jnp.sum(n), axis_name="data")

    mapped = jax.shard_map(mean, mesh=mesh, in_specs=P("data"), out_specs=P())
    told = jax.jit(checkify.checkify(mapped))
    x = np.ones(2, np.float32)
    for counts, message in [
        ([0, 0], "normalizer must be positive and finite, got 0.0"),
        ([3, -1], r"normalizer must lie in \[0, inf\)"),
        ([2e38, 2e38], "normalizer must be positive and finite, got inf"),
    ]:
        error, got = told(x, np.array(counts, np.float32))
        assert re.search(message, error.get())
        assert not np.isfinite(got)
    error, got = told(x, np.array([0, 4], np.float32))
    assert error.get() is None
    assert got == 0.5


# Micro-batches.


@pytest.fixture(scope="module")
def page():
    return pages.run("docs/guides/mean.md")


def large_batch_gradient(names):
    """Of the detector's loss on the whole batch at the first parameters, in float64."""
    x, positive = (np.asarray(names[name], np.float64) for name in ("anchors", "positive"))
    p = 1 / (1 + np.exp(-x @ np.zeros(x.shape[1])))
    return x.T @ (p - positive) / max(positive.sum(), 1)


@pytest.mark.slow
def test_on_the_page_devices_and_micro_batches_give_the_gradient_of_the_large_batch(page):
    right = large_batch_gradient(page)
    assert len({int(part.sum()) for part in np.split(np.asarray(page["positive"]), 4)}) > 1
    for name in ("whole", "on_devices", "by_hand", "added"):
        np.testing.assert_allclose(page[name], right, rtol=2e-6, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(page["params"], -0.1 * right, rtol=2e-6, atol=1e-8)
    # What the recipe before gave, on the same data.
    np.testing.assert_array_less(1.5, np.linalg.norm(right) / np.linalg.norm(page["wrong"]))


@pytest.mark.parametrize("mean_of_gradients", [True, False])
def test_multi_steps_of_unequal_weight_are_one_large_step(mean_of_gradients):
    parts = 4
    total = WEIGHTS.astype(np.float64).sum()
    divisor = total / parts if mean_of_gradients else total
    optimizer = optax.MultiSteps(optax.sgd(0.5), parts, use_grad_mean=mean_of_gradients)

    def loss(theta, x, weights):
        return jimb.weighted_mean((theta - x) ** 2, weights, normalizer=divisor)

    def step(theta_and_state, part):
        theta, state = theta_and_state
        updates, state = optimizer.update(jax.grad(loss)(theta, *part), state, theta)
        return (optax.apply_updates(theta, updates), state), None

    @jax.jit
    def train(theta, x, weights):
        (theta, _), _ = jax.lax.scan(step, (theta, optimizer.init(theta)), (x, weights))
        return theta

    with jax.numpy_dtype_promotion("standard"):  # Optax does
        theta = train(THETA, X.reshape(parts, -1), WEIGHTS.reshape(parts, -1))
    x, weights = X.astype(np.float64), WEIGHTS.astype(np.float64)
    right = THETA - 0.5 * (weights @ (2 * (THETA - x))) / total
    np.testing.assert_allclose(theta, right, rtol=1e-6)
