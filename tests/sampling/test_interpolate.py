"""Interpolation within a class: between which two examples, how far, and what stays as it is.

The rows of the unit matrix, interpolated, are `(1 - u)·e_i + u·e_partner`: they show both.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.sampling import interpolate_within_class

KEY = jax.random.key(0)
ROWS = 16
LABELS = np.array([0, 2, 0, 1, 0, 2, 0, 9, 0, 1, -1, 2, -1, 0, 1, 2], np.int32)
WHERE = np.arange(ROWS) % 5 != 1  # leaves out 1, 6 and 11
UNIT = np.eye(ROWS, dtype=np.float32)

run = jax.jit(interpolate_within_class)


def partners_and_steps(result):
    """From the interpolated unit matrix: partner (itself if none) and u of each row."""
    result = np.asarray(result, np.float64)
    others = result * (1 - np.eye(ROWS))
    u = others.sum(1)
    assert np.all((others > 0).sum(1) <= 1)
    np.testing.assert_array_equal(np.diag(result) + u, 1)
    return np.where(u > 0, others.argmax(1), np.arange(ROWS)), u


def assert_partners(partner, labels, where):
    rows = np.arange(ROWS)
    for i in rows:
        classmates = rows[(labels == labels[i]) & where]
        if labels[i] >= 0 and where[i] and classmates.size > 1:
            assert partner[i] != i
            assert partner[i] in classmates
        else:
            assert partner[i] == i
    assert np.unique(partner).size == ROWS


# --- between which two, and how far ---------------------------------------------------------------


def test_each_row_moves_towards_another_of_its_class():
    for seed in range(20):
        key = jax.random.key(seed)
        everyone, some = run(key, UNIT, LABELS), run(key, UNIT, LABELS, where=WHERE)
        for result, where in ((everyone, WHERE | True), (some, WHERE)):
            partner, u = partners_and_steps(result)
            assert_partners(partner, LABELS, where)
            assert u.max() < 1


@pytest.fixture(scope="module")
def many():
    keys = jax.random.split(jax.random.key(1), 1000)
    results = jax.jit(jax.vmap(lambda key: interpolate_within_class(key, UNIT, LABELS)))(keys)
    return [np.stack(x) for x in zip(*map(partners_and_steps, results), strict=True)]


def test_every_other_of_the_class_is_as_likely(many):
    """Binomial counts: these keys stray by up to 2.1 deviations, in 48 pairs."""
    partners, _ = many
    for i in np.flatnonzero(np.isin(LABELS, [0, 1, 2])):
        others = np.setdiff1d(np.flatnonzero(LABELS[i] == LABELS), [i])
        seen = np.bincount(partners[:, i], minlength=ROWS)[others]
        share = 1 / others.size
        assert seen.sum() == len(partners)
        deviation = np.sqrt(len(partners) * share * (1 - share))
        assert np.abs(seen - len(partners) * share).max() <= 4 * deviation


def test_the_step_is_uniform_and_each_rows_own(many):
    """Kolmogorov-Smirnov over all rows at its 0.1 % quantile; correlations within 4 deviations."""
    _, steps = many
    steps = steps[:, np.isin(LABELS, [0, 1, 2])]
    ordered = np.sort(steps.ravel())
    distance = np.abs(ordered - (np.arange(ordered.size) + 0.5) / ordered.size).max()
    assert distance < 1.95 / np.sqrt(ordered.size)
    correlations = np.corrcoef(steps.T) - np.eye(steps.shape[1])
    assert np.abs(correlations).max() < 4 / np.sqrt(len(steps))


# --- any examples ---------------------------------------------------------------------------------


def examples_of(dtype):
    rng = np.random.default_rng(0)
    return {
        "unit": jnp.asarray(UNIT),
        "image": jnp.asarray(rng.normal(size=(ROWS, 3, 2, 2)), dtype),
        "pair": [jnp.asarray(rng.normal(size=ROWS), dtype)],
    }


def oracle(result, examples):
    """The float64 interpolation of the other arrays, by what the unit matrix shows."""
    partner, u = partners_and_steps(result["unit"])

    def moved(x):
        x = np.asarray(x, np.float64)
        return x + u.reshape((-1,) + (1,) * (x.ndim - 1)) * (x[partner] - x)

    return jax.tree.map(moved, examples)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.bfloat16])
def test_all_arrays_take_the_same_step_in_their_own_dtype(dtype):
    examples = examples_of(dtype)
    result = run(KEY, examples, LABELS, where=WHERE)
    assert jax.tree.map(jax.typeof, result) == jax.tree.map(jax.typeof, examples)
    half_unit = float(jnp.finfo(dtype).eps) / 2
    # Half precision is float32 rounded once: half a unit of the last place and 1 % (measured 0.93).
    tolerance = {"rtol": 1.01 * half_unit, "atol": 2e-7}
    if dtype == jnp.float32:
        tolerance = {"rtol": 0, "atol": 1.5e-7}  # measured 1.0e-7
    for got, expected in zip(
        jax.tree.leaves(result), jax.tree.leaves(oracle(result, examples)), strict=True
    ):
        np.testing.assert_allclose(np.asarray(got, np.float64), expected, **tolerance)


def test_float64_stays_float64():
    with jax.enable_x64(True):
        examples = examples_of(jnp.float64)
        result = run(KEY, examples, LABELS.astype(np.int64))
        assert result["image"].dtype == jnp.float64
        assert result["unit"].dtype == jnp.float32
        expected = oracle(result, examples)
    np.testing.assert_allclose(result["image"], expected["image"], atol=1e-15)


def test_what_stays_is_bit_for_bit_the_same_even_where_it_is_not_finite():
    x = UNIT * 1
    stays = ~WHERE | (LABELS < 0) | (LABELS == 9)
    x[stays] = np.where(np.arange(ROWS) % 2, np.nan, np.inf)
    result = np.asarray(run(KEY, x, LABELS, where=WHERE))
    np.testing.assert_array_equal(result[stays], x[stays])
    assert np.isfinite(result[~stays]).all()


def test_the_gradient_reaches_both_ends():
    slopes = np.random.default_rng(0).normal(size=(ROWS, ROWS)).astype(np.float32)

    @jax.jit
    @jax.grad
    def gradient(x):
        return jnp.sum(slopes * interpolate_within_class(KEY, x, LABELS, where=WHERE))

    partner, u = partners_and_steps(run(KEY, UNIT, LABELS, where=WHERE))
    expected = slopes * (1 - u)[:, None]
    np.add.at(expected, partner, slopes * u[:, None])
    np.testing.assert_allclose(gradient(UNIT), expected, atol=4e-7)  # measured 2.4e-7


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint32])
def test_labels_of_any_integer_type(dtype):
    labels = np.maximum(LABELS, 0)
    expected = run(KEY, UNIT, labels)
    np.testing.assert_array_equal(run(KEY, UNIT, labels.astype(dtype)), expected)


def test_a_batch_of_one_or_none():
    for rows in (1, 0):
        x = np.ones((rows, 2), np.float32)
        result = run(KEY, x, np.zeros(rows, np.int32))
        np.testing.assert_array_equal(result, x)


# --- transformations and meshes -------------------------------------------------------------------


def test_vmap_gives_what_each_batch_gives():
    keys = jax.random.split(KEY, 2)
    batches = jnp.stack([UNIT, 2 * UNIT])
    labels = jnp.stack([LABELS, LABELS[::-1]])
    results = jax.jit(jax.vmap(interpolate_within_class))(keys, batches, labels)
    for result, *batch in zip(results, keys, batches, labels, strict=True):
        np.testing.assert_array_equal(result, run(*batch))
    assert np.abs(results[0] - results[1] / 2).max() > 0.1


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=(request.param,) * 2)


SPECS = {"unit": P("data", "model"), "image": P("data"), "pair": [P("data")]}


def on(mesh, tree, specs):
    return jax.device_put(tree, jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs))


def assert_split(mesh, tree):
    def check(x, spec):
        assert x.sharding.is_equivalent_to(NamedSharding(mesh, spec), x.ndim)

    jax.tree.map(check, tree, SPECS)


def assert_close(tree, expected):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=2e-7), tree, expected)


def value_and_slopes(examples, labels, where):
    def total(examples):
        result = interpolate_within_class(KEY, examples, labels, where=where)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(result)), result

    slopes, result = jax.grad(total, has_aux=True)(examples)
    return result, slopes


def test_a_sharded_batch_gives_the_same_and_stays_sharded(mesh):
    examples = examples_of(jnp.float32)
    expected = jax.jit(value_and_slopes)(examples, LABELS, WHERE)
    with jax.set_mesh(mesh):
        batch = on(mesh, examples, SPECS), *on(mesh, (LABELS, WHERE), (P("data"), P("data")))
        result, slopes = jax.jit(value_and_slopes)(*batch)
    assert_close((result, slopes), expected)
    assert_split(mesh, result)
    assert_split(mesh, slopes)


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(AxisType.Auto, id="auto", marks=pytest.mark.slow),
        pytest.param(AxisType.Explicit, id="explicit"),
    ],
    indirect=True,
)
def test_eagerly_too(mesh):
    expected = run(KEY, UNIT, LABELS)
    with jax.set_mesh(mesh):
        batch = on(mesh, (UNIT, LABELS), (P("data", "model"), P("data")))
        result = interpolate_within_class(KEY, *batch)
    assert_close(result, expected)
    assert result.sharding.is_equivalent_to(NamedSharding(mesh, P("data", "model")), 2)


def test_inside_shard_map_every_device_interpolates_its_own():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Explicit,))
    parts = {"in_specs": (P("data"), P("data")), "out_specs": P("data")}
    local = jax.shard_map(lambda x, y: interpolate_within_class(KEY, x, y), mesh=mesh, **parts)
    with jax.set_mesh(mesh):
        put = jax.device_put((UNIT, LABELS), NamedSharding(mesh, P("data")))
        result = np.asarray(jax.jit(local)(*put))
    for half in (slice(0, 8), slice(8, 16)):
        np.testing.assert_array_equal(result[half], run(KEY, UNIT[half], LABELS[half]))


# --- wrong input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "sentence"),
    [
        (
            ({"a": np.zeros(2, np.int32)}, [0, 0]),
            {},
            TypeError,
            r"examples\['a'\] must be floating.*cast",
        ),
        (({"a": np.zeros(3, np.float32)}, [0, 0]), {}, ValueError, r"examples\['a'\].*\[2, ...\]"),
        ((np.float32(1), [0, 0]), {}, ValueError, "one example per label"),
        (({}, [0, 0]), {}, ValueError, "examples hold no array"),
        ((UNIT, np.zeros(ROWS, np.float32)), {}, TypeError, "labels must be integers"),
        ((UNIT, np.zeros((ROWS, 1), np.int32)), {}, ValueError, r"one number per example, \[B\]"),
        ((UNIT, LABELS), {"where": np.ones(3, bool)}, ValueError, "where must have the shape"),
        ((UNIT, LABELS), {"where": np.ones(ROWS)}, TypeError, "where must be boolean"),
    ],
)
def test_bad_input_says_what_is_wrong(args, kwargs, error, sentence):
    with pytest.raises(error, match=sentence):
        interpolate_within_class(KEY, *args, **kwargs)
