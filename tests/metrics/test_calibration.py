"""Calibration errors and Brier scores against NumPy in float64, and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from jimb.metrics import calibration

ATOL = 1e-7
add = jax.jit(calibration.update, static_argnames="binary")
read = jax.jit(calibration.compute, static_argnames="num_bins")
check = jax.jit(checkify.checkify(calibration.update), static_argnames="binary")


def drawn(n, k, seed=0):
    """Probabilities that are too sure, labels, and weights."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (n, k))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    mild = np.exp(z / 2) / np.exp(z / 2).sum(1, keepdims=True)
    labels = np.minimum((mild.cumsum(1) < rng.random((n, 1))).sum(1), k - 1)
    return np.float32(p), labels, rng.exponential(1, n).astype(np.float32)


def top_label(p, labels):
    """Confidence, right or not, and Brier score, in float64."""
    one_hot = np.eye(p.shape[1])[labels]
    right = np.float64(p.argmax(1) == labels)
    return np.float64(p.max(1)), right, np.sum((np.float64(p) - one_hot) ** 2, 1)


def of_width(confidence, right, w, m):
    """Weight, confidence and accuracy of each bin."""
    cells = np.minimum(np.floor(confidence * m), m - 1).astype(int)
    sums = [np.bincount(cells, w * x, m) for x in (np.ones_like(w), confidence, right)]
    with np.errstate(invalid="ignore"):
        return sums[0], sums[1] / sums[0], sums[2] / sums[0]


def errors(confidence, right, w, m):
    weight, mean, accuracy = of_width(confidence, right, w, m)
    gap = np.nan_to_num(abs(accuracy - mean))
    return np.sum(weight * gap) / np.sum(weight), gap.max()


def of_mass(confidence, right, w, m):
    """From the sorted confidences, each example cut in proportion."""
    order = np.argsort(confidence, kind="stable")
    gap = np.append(0, np.cumsum((w * (right - confidence))[order]))
    mass = np.append(0, np.cumsum(w[order]))
    return np.sum(abs(np.diff(np.interp(np.linspace(0, mass[-1], m + 1), mass, gap)))) / mass[-1]


def assert_measures(state, confidence, right, brier, w, m=15):
    got = read(state, num_bins=m)
    ece, mce = errors(confidence, right, w, m)
    np.testing.assert_allclose(got.ece, ece, rtol=0, atol=ATOL)
    np.testing.assert_allclose(got.mce, mce, rtol=0, atol=ATOL)
    np.testing.assert_allclose(got.brier, np.average(brier, weights=w), rtol=0, atol=ATOL)
    by_mass = of_mass(confidence, right, w, m)
    assert abs(got.equal_mass_ece - by_mass) <= got.equal_mass_ece_error
    return got


def test_measures_are_those_of_their_formulas_and_of_scikit_learn():
    p, labels, _ = drawn(200, 2)
    state = add(calibration.init(300), p[:, 1], labels, binary=True)
    q, y = np.float64(p[:, 1]), np.float64(labels)
    got = assert_measures(state, q, y, (q - y) ** 2, np.ones(200))
    np.testing.assert_allclose(got.brier, brier_score_loss(labels, q), rtol=0, atol=ATOL)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(1, 3), (50, 1), (1000, 4), (100_000, 10)])
@pytest.mark.parametrize("m", [1, 15, 50])
def test_of_the_top_label_in_batches_with_weights(n, k, m):
    p, labels, w = drawn(n, k)
    for given in (None, w):
        state = calibration.init(3000)
        for part in np.array_split(np.arange(n), 3):
            weights = None if given is None else given[part]
            state = add(state, p[part], labels[part], weights=weights)
        got = assert_measures(
            state, *top_label(p, labels), np.ones(n) if given is None else np.float64(w), m
        )
        assert n < 10_000 or got.equal_mass_ece_error < 0.02


@pytest.mark.slow
def test_points_of_the_reliability_diagram_are_those_of_scikit_learn():
    p, labels, _ = drawn(3000, 2)
    state = add(calibration.init(3000), p[:, 1], labels, binary=True)
    got = calibration.reliability(state)
    accuracy, confidence = calibration_curve(labels, np.float64(p[:, 1]), n_bins=15)
    np.testing.assert_allclose(got.accuracy, accuracy, rtol=0, atol=ATOL)
    np.testing.assert_allclose(got.confidence, confidence, rtol=0, atol=ATOL)
    assert got.weight.sum() == 3000
    even = calibration.reliability(state, num_bins=10, equal_mass=True)
    accuracy, confidence = calibration_curve(
        labels, np.float64(p[:, 1]), n_bins=10, strategy="quantile"
    )
    np.testing.assert_array_equal(even.weight, 300)
    np.testing.assert_allclose(even.accuracy, accuracy, rtol=0, atol=0.01)
    np.testing.assert_allclose(even.confidence, confidence, rtol=0, atol=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("m", [3, 15, 150])
def test_points_of_one_weight_are_shares(m):
    """Off by at most 1.3 M · 1e-7, and never outside [0, 1], where all are right or none."""
    rng = np.random.default_rng(1)
    p = rng.beta(8, 0.5, 100_000).astype(np.float32)
    for labels in (np.ones(len(p), int), np.zeros(len(p), int), rng.random(len(p)) < p):
        state = add(calibration.init(3000), p, labels.astype(int), binary=True)
        weight, _, right, _ = np.float64(state.high) + np.float64(state.low)
        ends = np.linspace(0, weight.sum(), m + 1)
        reached = np.interp(ends, np.cumsum([0, *weight]), np.cumsum([0, *right]))
        got = np.asarray(calibration.reliability(state, num_bins=m, equal_mass=True).accuracy)
        np.testing.assert_allclose(got, np.diff(reached) / ends[1], rtol=0, atol=m * 1.5e-7)
        assert 0 <= got.min() <= got.max() <= 1


@pytest.mark.slow
def test_empty_bins_and_nothing():
    state = add(calibration.init(4), jnp.array([0.1, 0.9]), jnp.array([0, 1]), binary=True)
    points = calibration.reliability(state, num_bins=4)
    np.testing.assert_allclose(points.confidence, [0.1, np.nan, np.nan, 0.9])
    np.testing.assert_allclose(points.accuracy, [0, np.nan, np.nan, 1])
    np.testing.assert_array_equal(points.weight, [1, 0, 0, 1])
    np.testing.assert_allclose(read(state, num_bins=4).ece, 0.1, atol=ATOL)
    empty = calibration.init(4)
    assert np.all(np.isnan(np.stack(read(empty, num_bins=4))))
    for equal_mass in (False, True):
        first = calibration.reliability(empty, num_bins=2, equal_mass=equal_mass)
        assert np.all(np.isnan(first.accuracy))


@pytest.mark.slow
def test_a_confidence_at_an_edge_and_beside_it_is_in_its_own_bin():
    bins = 3000
    edges = np.float32(np.arange(bins + 1) / bins)
    beside = [edges, np.nextafter(edges, np.float32(0)), np.nextafter(edges, np.float32(1))]
    p = np.unique(np.clip(np.concatenate(beside), 0, 1))
    state = add(calibration.init(bins), p, np.zeros(p.size, int), binary=True)
    exact = np.minimum(np.floor(np.float64(p) * bins), bins - 1).astype(int)
    np.testing.assert_array_equal(state.high[0], np.bincount(exact, minlength=bins))


@pytest.mark.slow
def test_the_bound_holds_for_every_order_of_equal_confidences():
    right = np.array([0.0, 1.0] * 50)
    for order in (right, np.sort(right), -np.sort(-right)):
        state = add(calibration.init(15), np.full(100, 0.5, np.float32), order != 0, binary=True)
        got = read(state, num_bins=5)
        off = of_mass(np.full(100, 0.5), order, np.ones(100), 5)
        assert abs(got.equal_mass_ece - off) <= got.equal_mass_ece_error


@pytest.mark.slow
def test_sums_of_1e8_examples_lose_none():
    p, labels, w = drawn(1000, 3)
    state = one = add(calibration.init(30), p, labels, weights=w)
    for _ in range(17):
        state = calibration.merge(state, state)
    once, many = (np.float64(s.high) + np.float64(s.low) for s in (one, state))
    np.testing.assert_allclose(many, once * 2**17, rtol=1e-12)
    counted = add(calibration.init(1), jnp.full(1024, 0.5), jnp.zeros(1024, int), binary=True)
    for _ in range(18):
        counted = calibration.merge(counted, counted)
    counted = add(counted, jnp.array([0.5]), jnp.array([1]), binary=True)
    assert np.float64(counted.high[0, 0]) + np.float64(counted.low[0, 0]) == 2**28 + 1


@pytest.mark.slow
def test_what_is_masked_or_weighs_nothing_may_be_anything():
    p, labels, w = drawn(300, 4)
    some = np.arange(300) % 3 > 0
    expected = add(calibration.init(30), p[some], labels[some], weights=w[some])
    spoilt, wrong = np.where(some[:, None], p, np.nan), np.where(some, labels, -1)
    for got in (
        add(calibration.init(30), spoilt, wrong, weights=w, where=some),
        add(calibration.init(30), spoilt, wrong, weights=np.where(some, w, 0)),
        calibration.update(calibration.init(30), spoilt, wrong, weights=w, where=some),
    ):
        np.testing.assert_allclose(got.high, expected.high, rtol=1e-7)


@pytest.mark.slow
def test_what_is_wrong_is_refused_or_dropped_and_heard():
    p, labels, _ = drawn(6, 3)
    start = calibration.init(15)
    with pytest.raises(ValueError, match="labels must have the shape"):
        calibration.update(start, p, labels, binary=True)
    with pytest.raises(ValueError, match="probabilities must lie in"):
        calibration.update(start, 3 * p, labels)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\)"):
        calibration.update(start, p, labels + 2)
    with pytest.raises(ValueError, match="num_bins must divide"):
        calibration.compute(start, num_bins=4)
    with pytest.raises(TypeError, match="CalibrationState"):
        calibration.compute(p)
    with pytest.raises(ValueError, match="the 15 bins of left"):
        calibration.merge(start, calibration.init(30))
    expected = add(start, p[1:], labels[1:])
    for bad, ids, sentence in (
        (jnp.asarray(p).at[0, 1].set(jnp.nan), jnp.asarray(labels), "probabilities must lie"),
        (jnp.asarray(p), jnp.asarray(labels).at[0].set(3), "labels must lie in"),
    ):
        error, got = check(start, bad, ids)
        assert sentence in error.get()
        np.testing.assert_array_equal(got.high, expected.high)
    error, got = check(start, p, labels, weights=jnp.full(6, -1.0))
    assert "weights must lie in" in error.get()
    assert np.all(np.isnan(np.stack(read(got))))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_probabilities_of_half_precision(dtype):
    p, labels, _ = drawn(300, 4)
    rounded = jnp.asarray(p, dtype)
    state = add(calibration.init(300), rounded, labels)
    assert_measures(state, *top_label(np.asarray(rounded, np.float32), labels), np.ones(300))


@pytest.mark.slow
def test_each_class_against_the_others_over_a_vmap():
    p, labels, _ = drawn(500, 3)

    def of_class(p, y):
        return read(add(calibration.init(150), p, y, binary=True)).ece

    got = jax.vmap(of_class, in_axes=1)(p, jax.nn.one_hot(labels, 3, dtype=int))
    expected = [errors(np.float64(p[:, c]), labels == c, np.ones(500), 15)[0] for c in range(3)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("spec", [P("data"), P(None, "data")])
def test_on_a_mesh(kind, spec):
    p, labels, w = drawn(160, 8)
    expected = add(calibration.init(30), p, labels, weights=w, where=w > 0.1)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    with jax.set_mesh(mesh):
        on_devices = jax.device_put(p, NamedSharding(mesh, spec))
        rows = jax.device_put((labels, w, w > 0.1), NamedSharding(mesh, P(spec[0])))
        ids, weights, some = rows
        got = add(calibration.init(30), on_devices, ids, weights=weights, where=some)
        measured = read(got)
    np.testing.assert_allclose(got.high, expected.high, rtol=3e-7)  # of K in another order
    np.testing.assert_allclose(np.stack(measured), np.stack(read(expected)), atol=ATOL)


@pytest.mark.slow
def test_shares_are_summed_inside_shard_map():
    p, labels, _ = drawn(160, 4)
    mesh = jax.make_mesh((8,), ("data",))

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=P("data"), out_specs=P())
    def count(p, y):
        batch = calibration.update(calibration.init(30), p, y)
        return jax.lax.psum(batch, "data")

    expected = add(calibration.init(30), p, labels)
    got = count(*jax.device_put((p, labels), NamedSharding(mesh, P("data"))))
    np.testing.assert_allclose(got.high, expected.high, rtol=1e-6)
