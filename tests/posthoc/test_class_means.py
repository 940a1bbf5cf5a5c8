"""Nearest class mean, against scikit-learn and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.neighbors import NearestCentroid

from jimb.posthoc import class_means

K, F, N = 4, 6, 240
RNG = np.random.default_rng(0)
LABELS = RNG.choice(K, N, p=[0.6, 0.25, 0.1, 0.05]).astype(np.int32)
CENTERS = RNG.normal(size=(K, F))
X = np.float32(CENTERS[LABELS] + RNG.normal(size=(N, F)))
NEW = np.float32(CENTERS[np.arange(100) % K] + RNG.normal(size=(100, F)))
MASK = RNG.random(N) < 0.7

update, logits = jax.jit(class_means.update), jax.jit(class_means.logits)
merge, center_of = jax.jit(class_means.merge), jax.jit(class_means.center)
normalize = jax.jit(class_means.normalize)


def means(x, labels, num_classes=K):
    return np.stack([np.float64(x)[labels == c].mean(0) for c in range(num_classes)])


def seen(x=X, labels=LABELS, where=None, num_classes=K):
    return update(class_means.init(num_classes, x.shape[-1]), x, labels, where=where)


def exact(state):
    """The means with the digits that float32 has not."""
    return np.float64(state.means) + np.float64(state.rests)


def distances(x, mu):
    return ((np.float64(x)[:, None] - mu[None]) ** 2).sum(-1)


# Means.


def test_means_and_counts_are_those_of_each_class():
    state = seen()
    assert {x.dtype for x in state} == {jnp.dtype(jnp.float32)}
    np.testing.assert_array_equal(state.counts, np.bincount(LABELS))
    np.testing.assert_allclose(exact(state), means(X, LABELS), rtol=1e-6, atol=1e-7)


def test_predictions_are_those_of_scikit_learn():
    classifier = NearestCentroid().fit(np.float64(X), LABELS)
    np.testing.assert_array_equal(logits(seen(), NEW).argmax(-1), classifier.predict(NEW))


def normalized(x, center=0.0):
    x = np.float64(x) - center
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_the_normalized_forms_are_those_of_scikit_learn():
    center = center_of(seen())
    np.testing.assert_allclose(center, np.float64(X).mean(0), rtol=1e-6, atol=1e-7)
    for given, oracle in [(None, 0.0), (center, np.float64(X).mean(0))]:
        x, new = (normalize(v, center=given) for v in (X, NEW))
        np.testing.assert_allclose(x, normalized(X, oracle), rtol=1e-5, atol=1e-6)
        classifier = NearestCentroid().fit(normalized(X, oracle), LABELS)
        expected = classifier.predict(normalized(NEW, oracle))
        np.testing.assert_array_equal(logits(seen(x), new).argmax(-1), expected)


def batches(x, labels, size):
    return x.reshape(-1, size, x.shape[-1]), labels.reshape(-1, size)


@jax.jit
def scanned(state, x, labels):
    return jax.lax.scan(lambda s, b: (class_means.update(s, *b), None), state, (x, labels))[0]


@pytest.mark.parametrize("size", [4, 100])
@pytest.mark.parametrize("in_order", [False, True])
def test_many_small_batches_of_a_large_offset_stay_accurate(size, in_order):
    rng = np.random.default_rng(1)
    n, spread = 10**5, 1e-2
    labels = rng.choice(3, n, p=[0.9, 0.09, 0.01]).astype(np.int32)
    if in_order:
        labels = np.sort(labels)
    x = np.float32(1e3 * (1 + labels[:, None]) + spread * rng.normal(size=(n, 4)))
    state = scanned(class_means.init(3, 4), *batches(x, labels, size))
    np.testing.assert_array_equal(state.counts, np.bincount(labels))
    # 1.4e-8 measured; of plain float32 sums 0.04, of plain running means 0.2.
    assert abs(exact(state) - means(x, labels, 3)).max() < 1e-7 * spread


def test_the_order_of_batches_hardly_matters():
    x = np.float32(1e3 + X)
    forward = scanned(class_means.init(K, F), *batches(x, LABELS, 8))
    backward = scanned(class_means.init(K, F), *batches(x[::-1], LABELS[::-1], 8))
    assert abs(exact(forward) - exact(backward)).max() < 1e-7
    np.testing.assert_array_equal(forward.counts, backward.counts)


def test_classes_that_drift_from_batch_to_batch():
    x = np.float32(np.linspace(-1e3, 1e3, N)[:, None] + X)
    state = scanned(class_means.init(K, F), *batches(x, LABELS, 8))
    assert abs(exact(state) - means(x, LABELS)).max() < 4e-8 * 1e3


def test_merge_is_one_update_of_both():
    x = np.float32(1e3 + X)
    parts = [seen(x[i::3], LABELS[i::3]) for i in range(3)]
    left = merge(merge(parts[0], parts[1]), parts[2])
    right = merge(parts[2], merge(parts[1], parts[0]))
    for state in (left, right):
        np.testing.assert_array_equal(state.counts, np.bincount(LABELS))
        assert abs(exact(state) - means(x, LABELS)).max() < 3e-8
    empty = class_means.init(K, F)
    for state in (merge(left, empty), merge(empty, left)):
        jax.tree.map(np.testing.assert_array_equal, state, left)


def test_masked_examples_may_hold_anything():
    x = np.where(MASK[:, None], X, np.float32(np.nan))
    labels = np.where(MASK, LABELS, 99).astype(np.int32)
    for state in (
        seen(x, labels, MASK),
        class_means.update(class_means.init(K, F), x, labels, where=MASK),
    ):
        np.testing.assert_allclose(exact(state), means(X[MASK], LABELS[MASK]), rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(state.counts, np.bincount(LABELS[MASK]))


def test_an_unmasked_nan_shows_in_its_class_alone():
    x = X.copy()
    x[np.argmax(LABELS == 2), 0] = np.nan
    state = seen(x)
    np.testing.assert_array_equal(np.argwhere(np.isnan(state.means)), [[2, 0]])


def test_empty_classes_are_minus_infinity_and_leave_the_others_alone():
    state = seen(X, LABELS, num_classes=K + 2)
    np.testing.assert_array_equal(state.counts[K:], 0)
    got = logits(state, NEW)
    assert (np.asarray(got[:, K:]) == -np.inf).all()
    np.testing.assert_allclose(got[:, :K], -distances(NEW, means(X, LABELS)), rtol=2e-6)
    np.testing.assert_allclose(class_means.center(state), np.float64(X).mean(0), atol=3e-7)
    assert np.isnan(class_means.center(class_means.init(K, F))).all()


# Distances.


def test_small_distances_of_large_features_keep_their_digits():
    """A mean of 1e3 and a spread of 1e-2; one class lies far away, so that no center helps."""
    rng = np.random.default_rng(2)
    labels = np.arange(3000).astype(np.int32) % K
    offsets = 1e3 + 3e-3 * rng.normal(size=(K, 64))
    offsets[3] = -1e3
    x = np.float32(offsets[labels] + 1e-2 * rng.normal(size=(3000, 64)))
    state = scanned(class_means.init(K, 64), *batches(x, labels, 100))
    got, expected = logits(state, x), -distances(x, means(x, labels))
    np.testing.assert_array_equal(got.argmax(-1), expected.argmax(-1))
    np.testing.assert_allclose(got, expected, rtol=3e-6)  # 8e-7 measured
    assert (expected.argmax(-1) != labels).any()  # classes overlap: some are near a border


def test_the_gradient_by_features_is_that_of_the_formula():
    cotangent = np.float32(RNG.normal(size=(100, K)))
    gradient = jax.jit(jax.grad(lambda x, s: (cotangent * class_means.logits(s, x)).sum()))
    mu = means(X, LABELS)
    expected = -2 * (np.float64(cotangent)[..., None] * (np.float64(NEW)[:, None] - mu)).sum(1)
    np.testing.assert_allclose(gradient(NEW, seen()), expected, rtol=1e-5, atol=1e-5)


def test_no_temporary_array_has_batch_times_classes_times_features():
    rows, classes, features = 512, 64, 256
    state = jax.eval_shape(lambda: class_means.init(classes, features))
    x = jax.ShapeDtypeStruct((rows, features), jnp.float32)
    for fn in (
        class_means.logits,
        jax.grad(lambda s, x: class_means.logits(s, x).sum(), argnums=1),
    ):
        compiled = jax.jit(fn).lower(state, x).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 8 * 4 * rows * features


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_and_kept_in_float32(dtype):
    x, new = jnp.asarray(X, dtype), jnp.asarray(NEW * 100, dtype)
    state = seen(x)
    np.testing.assert_allclose(exact(state), means(x, LABELS), rtol=1e-6, atol=1e-7)
    got = logits(state, new)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, -distances(new, means(x, LABELS)), rtol=2e-6)
    assert class_means.normalize(x).dtype == dtype


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
def test_normalize_at_every_scale(dtype):
    kind = jnp.finfo(dtype)
    exponents = np.array([kind.minexp, kind.minexp // 2, 0, kind.maxexp - 1])[:, None]
    base = np.ldexp(RNG.integers(16, 32, (4, F)), -4) * RNG.choice([-1, 1], (4, F))
    with jax.enable_x64(dtype == jnp.float64):
        x = jnp.asarray(np.ldexp(base, exponents), dtype)
        got, away = normalize(x), normalize(x, center=-x[-1])
        assert got.dtype == dtype
        got, away = np.float64(got), np.float64(away)
    eps = float(kind.eps)
    np.testing.assert_allclose(got, normalized(base), rtol=2 * eps)
    np.testing.assert_allclose(away[-1], normalized(base)[-1], rtol=2 * eps)  # 2x overflows
    np.testing.assert_allclose(away[0], normalized(base)[-1], rtol=2 * eps)


def test_normalize_of_zero_and_of_what_is_not_finite():
    x = np.float32([[0, 0], [3, np.nan], [np.inf, 1], [3, 4]])
    value, pullback = jax.vjp(normalize, x)
    np.testing.assert_allclose(value[jnp.array([0, 3])], [[0, 0], [0.6, 0.8]], rtol=2e-7)
    assert np.isnan(value[1:3]).all()
    np.testing.assert_array_equal(pullback(jnp.ones_like(value))[0][0], 0)


def test_distances_beyond_the_range_have_a_message():
    state = seen()
    call = jax.jit(checkify.checkify(class_means.logits))
    error, _ = call(state, NEW)
    assert error.get() is None
    error, got = call(state, NEW * np.float32(1e20))
    assert "beyond the range" in error.get()
    assert (np.asarray(got) == -np.inf).all()


def test_sums_beyond_the_range_are_nan_with_a_message():
    x = np.where(np.arange(F) == 1, np.float32(3e38), X)
    error, state = jax.jit(checkify.checkify(class_means.update))(
        class_means.init(K, F), x, jnp.asarray(LABELS)
    )
    assert "leaves the range of float32" in error.get()
    np.testing.assert_array_equal(np.isnan(state.means), [np.arange(F) == 1] * K)


def test_means_near_the_largest_number_are_merged():
    def state(value, count):
        empty = class_means.init(1, 2)
        one = update(empty, jnp.array([[value, 1.0]]), jnp.array([0]))
        return one._replace(counts=jnp.full(1, float(count)))

    both = merge(state(3e38, 1), state(-3e38, 2))
    np.testing.assert_allclose(exact(both), [[-1e38, 1]], rtol=3e-7)
    classes = class_means.ClassMeansState(
        jnp.array([[3e38, 1.0], [-3e38, 1e-30]]), jnp.zeros((2, 2)), jnp.ones(2), jnp.zeros(2)
    )
    np.testing.assert_allclose(center_of(classes), [0, 0.5], rtol=1e-7, atol=1e31)


def test_counts_go_on_beyond_31_bits():
    """By doubling, to 2^37 and more, where float32 alone counts in steps of 2^14."""
    many, expected = seen(), np.bincount(LABELS)
    merge = jax.jit(class_means.merge)
    for _ in range(30):
        many, expected = merge(many, many), 2 * expected
    after = update(many, X + 1, LABELS)
    found = np.float64(after.counts) + np.float64(after.count_rests)
    np.testing.assert_array_equal(found, expected + np.bincount(LABELS))
    np.testing.assert_allclose(exact(after), means(X, LABELS), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(class_means.center(after), np.float64(X).mean(0), atol=3e-7)
    two = class_means.merge(after, class_means.merge(many, many))
    mu = exact(two)
    np.testing.assert_allclose(mu, means(X, LABELS), rtol=1e-6, atol=1e-7)


def test_float64_features_are_averaged_in_float64_in_a_float32_state():
    with jax.enable_x64(True):
        x = 1e9 + np.float64(X)
        before = class_means.init(K, F)
        state = scanned(before, *batches(x, LABELS, 8))
        assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, state)
        assert {leaf.dtype for leaf in state} == {jnp.dtype(jnp.float32)}
        assert abs(exact(state) - means(x, LABELS)).max() < 4e-15 * 1e9  # 2^-48
        got = logits(state, x)
        assert got.dtype == jnp.float64
        np.testing.assert_allclose(got, -distances(x, means(x, LABELS)), rtol=1e-4)
        both = merge(state, before)
        assert {leaf.dtype for leaf in both} == {jnp.dtype(jnp.float32)}
        assert center_of(state).dtype == jnp.float32
        assert np.isnan(update(before, x * 1e50, LABELS).means).all()


# Transformations, meshes.


def test_any_batch_shape_and_the_same_state_type():
    before = class_means.init(K, F)
    after = update(before, X.reshape(4, 60, F), LABELS.reshape(4, 60))
    assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, after)
    np.testing.assert_allclose(exact(after), means(X, LABELS), rtol=1e-6, atol=1e-7)
    assert logits(after, NEW.reshape(4, 25, F)).shape == (4, 25, K)
    assert logits(after, NEW[0]).shape == (K,)


def test_the_state_has_no_gradient():
    def total(x):
        return class_means.update(class_means.init(K, F), x, LABELS).means.sum()

    np.testing.assert_array_equal(jax.jit(jax.grad(total))(X), 0)


def test_vmap_over_models():
    many = np.stack([X, 2 * X])
    state = jax.jit(jax.vmap(class_means.update, (None, 0, None)))(
        class_means.init(K, F), many, LABELS
    )
    got = jax.jit(jax.vmap(class_means.logits))(state, np.stack([NEW, NEW]))
    for i in (0, 1):
        np.testing.assert_allclose(got[i], -distances(NEW, means(many[i], LABELS)), rtol=3e-6)


@pytest.mark.parametrize(
    "kind", [pytest.param(AxisType.Auto, marks=pytest.mark.slow), AxisType.Explicit]
)
def test_a_sharded_batch(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    split = NamedSharding(mesh, P("data"))
    with jax.set_mesh(mesh):
        state = jax.device_put(class_means.init(K, F), NamedSharding(mesh, P()))
        before = jax.tree.map(jax.typeof, state)
        for rows in (slice(0, 120), slice(120, 240)):
            batch = jax.device_put((X[rows], LABELS[rows], MASK[rows]), split)
            state = jax.block_until_ready(update(state, *batch[:2], where=batch[2]))
        assert jax.tree.map(jax.typeof, state) == before
        new = jax.device_put(NEW[:96], split)
        got = logits(state, new)
        unit = jax.jit(class_means.normalize)(new, center=class_means.center(state))
    assert got.sharding.is_equivalent_to(split, 2)
    assert unit.sharding.is_equivalent_to(split, 2)
    mu = means(X[MASK], LABELS[MASK])
    np.testing.assert_allclose(exact(state), mu, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(got, -distances(NEW[:96], mu), rtol=3e-6)


# Wrong input.


def test_labels_out_of_range():
    empty = class_means.init(2, F)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\).*got 2, 3"):
        class_means.update(empty, X, LABELS)
    keep = LABELS < 2
    bad = np.where(np.arange(N) == 1, -1, LABELS)
    keep &= bad >= 0
    x = np.where(keep[:, None], X, np.float32(np.nan))  # what is dropped may be anything
    error, state = jax.jit(checkify.checkify(class_means.update))(empty, x, jnp.asarray(bad))
    assert "labels must lie in [0, 2)" in error.get()
    np.testing.assert_allclose(exact(state), means(X[keep], LABELS[keep], 2), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: class_means.init(0, 3), ValueError, "num_classes must lie in"),
        (
            lambda s: class_means.update(s, X[:, :3], LABELS),
            ValueError,
            r"features must be \[..., 6\]",
        ),
        (lambda s: class_means.update(s, X, LABELS[:5]), ValueError, "labels must have the shape"),
        (lambda s: class_means.update(s, LABELS, X), TypeError, "features come before labels"),
        (
            lambda s: class_means.update(s, X, np.eye(K, dtype=int)[LABELS]),
            ValueError,
            r"one-hot labels take .argmax\(-1\)",
        ),
        (lambda s: class_means.update(s, X, np.eye(K)[LABELS]), ValueError, r"take .argmax\(-1\)"),
        (lambda s: class_means.update(s, X, X[:, 0]), TypeError, "labels must be integers"),
        (lambda s: class_means.update(s, LABELS, LABELS), TypeError, "features must be floating"),
        (
            lambda s: class_means.update(s, X, LABELS, where=X[:, 0]),
            TypeError,
            "where must be bool",
        ),
        (
            lambda s: class_means.merge(s, class_means.init(K, 2)),
            ValueError,
            "right.means must have",
        ),
        (
            lambda s: class_means.normalize(X, center=X[0, :2]),
            ValueError,
            "center must have the shape",
        ),
        (lambda s: class_means.logits(s, X[:, :2]), ValueError, r"features must be \[..., 6\]"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call(class_means.init(K, F))
