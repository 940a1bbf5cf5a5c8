"""Thresholds, priors and logits after training, against float64 and the Bayes rule."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.posthoc import adjust_logits, correct_prior, move_threshold

RNG = np.random.default_rng(0)
TRAIN, TARGET = np.array([0.9, 0.09, 0.01]), np.array([0.2, 0.3, 0.5])
Z = np.float32(RNG.normal(0, 5, (200, 3)))


jitted = jax.jit(correct_prior), jax.jit(adjust_logits)


def correct(p, train, target):
    return jitted[0](p, np.asarray(train), np.asarray(target))


def adjust(z, prior, **tau):
    return jitted[1](z, np.asarray(prior), **tau)


def softmax(z):
    e = np.exp(np.float64(z) - np.max(z, axis=-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def corrected(p, train, target):
    """Row by row in 60 digits."""
    rows = []
    with mpmath.workdps(60):
        for row in np.float64(p):
            terms = [
                mpmath.mpf(x) * mpmath.mpf(t) / mpmath.mpf(s) if s > 0 else mpmath.mpf(0)
                for x, s, t in zip(row, np.float64(train), np.float64(target), strict=True)
            ]
            rows.append([float(term / mpmath.fsum(terms)) for term in terms])
    return np.array(rows)


# Thresholds.


def test_positive_where_the_odds_are_above_those_of_the_counts():
    p = np.append(np.float32(RNG.random(500)), np.float32([0, 1, 0.1, 0.9, 1e-7]))
    for counts in ([900, 100], [7, 3], [10**6, 1], [1, 999]):
        with np.errstate(divide="ignore"):
            odds = np.float64(p) / (1 - np.float64(p))
        clear = abs(np.float64(p) / (counts[1] / sum(counts)) - 1) > 1e-6  # but for ties
        expected = odds > counts[1] / counts[0]
        for got in (move_threshold(p, counts), jax.jit(move_threshold)(p, jnp.array(counts))):
            assert got.dtype == bool
            np.testing.assert_array_equal(got[clear], expected[clear])


def test_a_tie_is_not_positive_and_rare_positives_have_a_threshold_of_full_precision():
    assert not move_threshold(np.float32([0.1]), [9, 1])[0]
    threshold = np.float32(1 / (10**7 + 1))
    around = np.array(
        [np.nextafter(threshold, 0, dtype="f4"), np.nextafter(threshold, 1, dtype="f4")]
    )
    np.testing.assert_array_equal(move_threshold(around, [10**7, 1]), [False, True])


def test_any_shape_and_half_precision():
    p = jnp.array([[0.05, 0.5], [0.2, 1.0]], jnp.bfloat16)
    np.testing.assert_array_equal(move_threshold(p, [9, 1]), [[False, True], [True, True]])


def test_wrong_probabilities_and_counts_give_false_with_a_message():
    check = checkify.checkify(move_threshold)
    for p, counts, message in [
        ([0.9, -0.5], [9, 1], "probabilities must lie in [0, 1]"),
        ([0.9, np.nan], [9, 1], "probabilities must lie in [0, 1]"),
        ([0.9, 0.1], [0, 1], "examples of both classes"),
        ([0.9, 0.1], [-9, 1], "counts must lie in"),
    ]:
        error, got = check(jnp.array(p), jnp.array(counts))
        assert message in error.get()
        assert not got[1]
        assert got[0] == (counts == [9, 1])
    assert move_threshold(jnp.array([1.0000001]), [9, 1])[0]  # rounding is no error


# Priors.


def test_probabilities_are_those_of_sixty_digits():
    p = np.float32(softmax(Z))
    # 3e-7 measured; the priors themselves are rounded to float32.
    np.testing.assert_allclose(correct(p, TRAIN, TARGET), corrected(p, TRAIN, TARGET), rtol=5e-7)
    assert correct(p, TRAIN, TARGET).dtype == jnp.float32
    np.testing.assert_allclose(np.float64(correct_prior(p, TRAIN, TARGET)).sum(-1), 1, atol=3e-7)
    np.testing.assert_allclose(correct_prior(p, TRAIN, TRAIN), p, rtol=3e-7)


@pytest.mark.parametrize(
    ("p", "train", "target"),
    [
        ([1, 0, 0], [0.98, 0.01, 0.01], [0.01, 0.01, 0.98]),
        ([1e-30, 1, 0], [0.5, 0.25, 0.25], [1e-20, 0, 1]),
        ([1e-37, 1e-30, 1], [0.5, 0.25, 0.25], [1 - 1e-9, 1e-9, 0]),
        ([1e-37, 1e-35, 1], [1e-3, 0.999, 0], [0.5, 0.5, 0]),
        ([1e-20, 1e-25, 1], [0.5, 0.5 - 1e-30, 1e-30], [1e-25, 1e-20, 1]),
        ([0.5, 0.5, 1e-30], [1e-30, 1e-25, 1], [1, 1e-30, 1e-30]),
        ([0.2, 0.2, 0], [0.2, 0.3, 0.5], [0.5, 0.3, 0.2]),
    ],
)
def test_products_beyond_float32_are_not_nan(p, train, target):
    p = np.float32([p])
    expected = corrected(p, np.float32(train), np.float32(target))
    np.testing.assert_allclose(correct(p, train, target), expected, rtol=2e-5, atol=1e-30)


def test_derivatives_by_probabilities_are_those_of_the_formula_also_at_zero():
    p, ratio = np.array([0.7, 0.3, 0.0]), TARGET / TRAIN
    total = (p * ratio).sum()
    expected = np.diag(ratio) / total - np.outer(p * ratio, ratio) / total**2
    got = jax.jit(jax.jacfwd(lambda q: correct_prior(q, TRAIN, TARGET)))(np.float32(p))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_class_without_prior_is_out():
    p = np.float32([[0.2, 0.5, 0.3]])
    kept = np.array([[0.2 * 2, 0, 0.3]]) / 0.7
    np.testing.assert_allclose(correct(p, [0.25, 0, 0.75], [0.5, 0, 0.5])[0, 1], 0)
    np.testing.assert_allclose(correct(p, [0.25, 0, 0.75], [0.5, 0, 0.5])[0, 0], 2 / 3, rtol=3e-7)
    np.testing.assert_allclose(correct(p, [0.25, 0.5, 0.25], [2 / 3, 0, 1 / 3]), kept, rtol=3e-7)
    error, got = checkify.checkify(correct_prior)(
        jnp.array([[0.0, 1.0], [1.0, 0.0]]), [1, 0], [1, 0]
    )
    assert "nothing left" in error.get()
    np.testing.assert_array_equal(got, [[np.nan, np.nan], [1, 0]])


def test_calibrated_after_training_on_another_stream():
    """Exact: two Gaussians and a third class, the Bayes rule under each prior."""
    x = np.linspace(-6, 6, 400)[:, None]
    densities = np.exp(-((x - np.array([-1.0, 0.5, 3.0])) ** 2) / 2)
    counts, weights = np.array([9000, 900, 100]), np.array([0.1, 1.0, 5.0])
    data = counts / counts.sum()
    seen = weights * counts / (weights * counts).sum()  # what a weighted or resampled loss saw
    trained = densities * seen / (densities * seen).sum(1, keepdims=True)
    expected = densities * data / (densities * data).sum(1, keepdims=True)
    got = correct(np.float32(trained), seen, data)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert abs(got - trained).max() > 0.5


def test_calibrated_in_counts_of_resampled_examples():
    """By counting: what the over-sampled stream predicts, corrected, is the data's frequencies."""
    rows = np.array([[800, 10], [150, 40], [50, 50]])  # cells of a feature, by class
    copies = np.array([1, 10])
    stream = rows * copies
    p = np.float32(stream / stream.sum(1, keepdims=True))
    sampled, true = stream.sum(0) / stream.sum(), rows.sum(0) / rows.sum()
    expected = rows / rows.sum(1, keepdims=True)
    np.testing.assert_allclose(correct(p, sampled, true), expected, rtol=5e-7)


# Logits.


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.0, 2.5])
def test_logits_lose_tau_times_the_log_prior(tau):
    expected = np.float64(Z) - tau * np.log(TRAIN)
    np.testing.assert_allclose(adjust(Z, TRAIN, tau=tau), expected, rtol=3e-7, atol=1e-6)


def test_tau_one_is_the_correction_to_the_uniform_prior():
    by_bayes = softmax(Z) / TRAIN
    by_bayes /= by_bayes.sum(1, keepdims=True)
    np.testing.assert_allclose(softmax(adjust(Z, TRAIN)), by_bayes, rtol=3e-6)
    uniform = correct(np.float32(softmax(Z)), TRAIN, np.full(3, 1 / 3))
    np.testing.assert_allclose(uniform, by_bayes, rtol=1e-6)


def bits(x):
    return np.asarray(x).view(f"u{x.dtype.itemsize}")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_tau_zero_leaves_every_bit(dtype):
    z = jnp.array([[0.0, -0.0, 1e4], [-1e4, -np.inf, 0.1], [1e-3, np.inf, -0.0]], dtype)
    for got in (adjust(z, [0.5, 0, 0.5], tau=0.0), adjust_logits(z, [1, 0, 0], tau=0)):
        assert got.dtype == dtype
        np.testing.assert_array_equal(bits(got), bits(z))


def test_a_class_without_prior_is_minus_infinity():
    z = np.float32([[1e4, -1e4, 0.0], [-np.inf, np.inf, 1e4]])
    expected = [
        [1e4 - np.log(0.25), -np.inf, -np.log(0.75)],
        [-np.inf, -np.inf, 1e4 - np.log(0.75)],
    ]
    np.testing.assert_allclose(adjust(z, [0.25, 0, 0.75]), expected, rtol=1e-7)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_rounded_once(dtype):
    z = jnp.asarray(Z, dtype)
    expected = jnp.asarray(np.float32(np.float64(z) - np.log(TRAIN)), dtype)
    np.testing.assert_allclose(np.float32(adjust(z, TRAIN)), np.float32(expected), rtol=1e-6)
    p = jnp.asarray(softmax(Z), dtype)
    got = correct(p, TRAIN, TARGET)
    assert got.dtype == dtype
    wide = correct(p.astype(jnp.float32), TRAIN, TARGET)
    np.testing.assert_array_equal(np.float32(got), np.float32(wide.astype(dtype)))


def test_derivatives_by_tau_and_logits():
    @jax.jit
    def derivatives(tau):
        def total(z, t):
            kept = jax.nn.softmax(adjust_logits(z, np.array([0.5, 0, 0.5]), tau=t))[:, 0]
            return (Z * adjust_logits(z, TRAIN, tau=t)).sum(), kept.sum()

        return jax.grad(lambda z, t: total(z, t)[0], argnums=(0, 1))(Z, tau), jax.grad(
            lambda t: total(Z, t)[1]
        )(tau)

    for tau in (0.0, 1.0):  # also where the value does not change
        (by_z, by_tau), beside_an_empty_class = derivatives(tau)
        np.testing.assert_array_equal(by_z, Z)
        np.testing.assert_allclose(by_tau, -(np.float64(Z) * np.log(TRAIN)).sum(), rtol=1e-5)
        assert np.isfinite(beside_an_empty_class)


def test_vmap_over_tau_and_priors():
    taus = np.float32([0, 0.5, 1])
    got = jax.jit(jax.vmap(lambda t: adjust_logits(Z, TRAIN, tau=t)))(taus)
    np.testing.assert_allclose(got[1], np.float64(Z) - 0.5 * np.log(TRAIN), rtol=3e-7, atol=1e-6)
    p, targets = np.float32(softmax(Z)), np.float32([TARGET, TRAIN])
    got = jax.jit(jax.vmap(correct_prior, (None, None, 0)))(p, TRAIN, targets)
    np.testing.assert_allclose(got[0], corrected(p, TRAIN, TARGET), rtol=5e-7)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_a_sharded_batch_stays_sharded(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    split = NamedSharding(mesh, P("data"))
    p = np.float32(softmax(Z))
    with jax.set_mesh(mesh):
        z, q = jax.device_put((Z, p), split)
        results = (
            adjust(z, TRAIN),
            correct(q, TRAIN, TARGET),
            jax.jit(move_threshold)(q, np.array([9, 1])),
        )
    expected = adjust(Z, TRAIN), correct(p, TRAIN, TARGET), move_threshold(p, [9, 1])
    for got, plain in zip(results, expected, strict=True):
        assert got.sharding.is_equivalent_to(split, 2)
        np.testing.assert_allclose(np.float32(got), np.float32(plain), rtol=2e-7)


# Wrong input.

P3 = np.full((2, 3), 1 / 3, np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: move_threshold(P3, [1, 2, 3]), r"counts must be \[2\]"),
        (lambda: move_threshold(P3, [5, 0]), "counts must have examples of both classes"),
        (lambda: move_threshold(P3, [5, -1]), "counts must lie in"),
        (lambda: move_threshold(np.array([0.5, 1.5]), [5, 1]), r"probabilities must lie.*got 1.5"),
        (lambda: correct_prior(-P3, TRAIN, TARGET), "probabilities must lie"),
        (lambda: correct_prior(P3, TRAIN * 2, TARGET), "train_prior must sum to 1"),
        (lambda: correct_prior(P3, TRAIN, [0.5, 0.5, 0.5]), "target_prior must sum to 1"),
        (lambda: correct_prior(P3, TRAIN, [0.5, 0.5]), r"target_prior must have the shape \[3\]"),
        (lambda: correct_prior(P3, [1.5, -0.5, 0], TARGET), "train_prior must lie in"),
        (lambda: correct_prior(0.5, TRAIN, TARGET), r"pass \[1 - p, p\]"),
        (lambda: correct_prior(np.ones((2, 0)), TRAIN, TARGET), "at least one class"),
        (lambda: adjust_logits(Z, [9000, 900, 100]), "prior must sum to 1"),
        (lambda: adjust_logits(Z, TRAIN, tau=-0.5), r"tau must lie in \[0, inf\), got -0.5"),
        (lambda: adjust_logits(Z, TRAIN, tau=np.ones(3)), "tau must be a scalar"),
        (lambda: adjust_logits(Z, TRAIN[:2]), r"prior must have the shape \[3\]"),
    ],
)
def test_wrong_numbers_are_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_integers_are_no_probabilities_and_no_logits():
    with pytest.raises(TypeError, match="probabilities must be floating point"):
        correct_prior([[1, 0]], [0.5, 0.5], [0.5, 0.5])
    with pytest.raises(TypeError, match="logits must be floating point"):
        adjust_logits([[1, 0]], [0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "value", "message"),
    [
        (lambda tau: adjust_logits(Z, np.array([0.5, 0, 0.5]), tau=tau), -1.0, "tau must lie in"),
        (lambda prior: adjust_logits(Z, prior), [0.5, 0.5, 0.5], "prior must sum to 1"),
        (lambda prior: correct_prior(P3, TRAIN, prior), [0.5, 0.5, 0.5], "target_prior must sum"),
        (lambda prior: correct_prior(P3, prior, TRAIN), [1.5, 0, -0.5], "train_prior must lie in"),
        (lambda p: correct_prior(p, TRAIN, TARGET), [2.0, 0, 0], "probabilities must lie in"),
    ],
)
def test_traced_wrong_numbers_give_nan_and_a_message(call, value, message):
    error, got = checkify.checkify(jax.jit(call))(jnp.array(value))
    assert np.isnan(got).all()
    assert message in error.get()
