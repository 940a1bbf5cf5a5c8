"""Dice and Tversky losses: formula, derivatives, masks, empty regions, bad labels, both tails."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers import regions_oracle

B, N, K = 2, 5, 3
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 2, (B, N, K)).astype(np.float32)
IDS = np.array([[0, 1, 1, 2, 0], [2, 2, 1, 2, 2]], np.int32)  # the second image has no 0
ONE_HOT = np.eye(K, dtype=np.float32)[IDS]
SOFT = RNG.dirichlet(np.ones(K), (B, N)).astype(np.float32)
BINARY = (RNG.uniform(size=Z.shape) < 0.4).astype(np.int32)
WHERE = np.array([[True, False, True, True, True], [True, True, True, False, True]])
HYPER = {"alpha": 0.3, "beta": 0.7, "gamma": 0.75, "smooth": 0.5}

# Labels as given, labels of each class, axis, sigmoid.
CASES = {
    "ids": (IDS, ONE_HOT, 1, False),
    "soft, over the batch": (SOFT, SOFT, (0, 1), False),
    "sigmoid": (BINARY, BINARY, (1,), True),
    "sigmoid, over all": (BINARY, BINARY, (0, -2, -1), True),
}
all_or_one = pytest.mark.parametrize(
    "name", [n if n == "ids" else pytest.param(n, marks=pytest.mark.slow) for n in CASES]
)


@functools.cache
def evaluator(axis, sigmoid):
    """Losses, the gradient of their sum by all numbers, and the Hessian times a direction."""

    @jax.jit
    def run(variables, labels, where, weights):
        def total(v):
            hyper = {name: v[name] for name in HYPER}
            y = v.get("labels", labels)
            losses = jimb.tversky_loss(
                v["logits"], y, axis=axis, sigmoid=sigmoid, where=where, **hyper
            )
            return jimb.weighted_mean(losses, weights, normalizer=1), losses

        ones = jax.tree.map(jnp.ones_like, variables)
        gradient = jax.grad(total, has_aux=True)
        gradient, curvature, losses = jax.jvp(gradient, (variables,), (ones,), has_aux=True)
        return losses, gradient, curvature

    return run


def evaluate(name, where=None, weights=None, labels=None, **variables):
    given, _, axis, sigmoid = CASES[name]
    given = given if labels is None else labels
    variables = {"logits": Z} | HYPER | variables
    if given.dtype == np.float32:
        variables |= {"labels": given}
    pixels = Z.shape if sigmoid else Z.shape[:-1]
    where = np.ones(pixels, bool) if where is None else where
    kept = [n for i, n in enumerate(Z.shape) if i not in np.mod(np.atleast_1d(axis), 3)]
    weights = np.ones(kept, np.float32) if weights is None else weights
    variables = {n: np.asarray(v, np.float32) for n, v in variables.items()}
    result = evaluator(axis, sigmoid)(variables, given, where, weights)
    return jax.tree.map(np.asarray, result)


def oracle_total(name, variables):
    _, y, axis, sigmoid = CASES[name]
    hyper = {n: variables[n] for n in HYPER}
    y = variables.get("labels", y)
    return regions_oracle.tversky(variables["logits"], y, axis, sigmoid=sigmoid, **hyper).sum()


def oracle_gradient(name, variables, step=1e-5):
    gradient = {n: np.zeros(np.shape(v)) for n, v in variables.items()}
    for n, value in variables.items():
        for place in np.ndindex(np.shape(value)):
            ends = []
            for sign in (1, -1):
                moved = np.array(value)
                moved[place] += sign * step
                ends.append(oracle_total(name, variables | {n: moved}))
            gradient[n][place] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def assert_close(actual, expected, rtol, atol):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, atol), actual, expected)


@all_or_one
def test_values_and_derivatives_are_those_of_the_formula(name):
    given, y, axis, sigmoid = CASES[name]
    losses, gradient, curvature = evaluate(name)
    expected = regions_oracle.tversky(Z, y, axis, sigmoid=sigmoid, **HYPER)
    np.testing.assert_allclose(losses, expected, rtol=4e-7)
    variables = {"logits": np.float64(Z)} | {n: np.float64(v) for n, v in HYPER.items()}
    if given.dtype == np.float32:
        variables["labels"] = np.float64(given)
    assert_close(gradient, oracle_gradient(name, variables), rtol=2e-6, atol=1e-7)
    ends = [oracle_gradient(name, {n: v + s for n, v in variables.items()}) for s in (1e-3, -1e-3)]
    expected = jax.tree.map(lambda a, b: (a - b) / 2e-3, *ends)
    assert_close(curvature, expected, rtol=1e-4, atol=1e-5)


@all_or_one
def test_pixels_that_are_masked_are_not_there(name):
    """Whatever they hold; the value is that of the others."""
    given, y, axis, sigmoid = CASES[name]
    where = np.broadcast_to(WHERE[..., None], Z.shape) if sigmoid else WHERE
    wide = np.broadcast_to(WHERE[..., None], Z.shape)
    clean = evaluate(name, where=where)
    expected = regions_oracle.tversky(Z, y, axis, wide, sigmoid=sigmoid, **HYPER)
    np.testing.assert_allclose(clean[0], expected, rtol=4e-7)
    np.testing.assert_array_equal(clean[1]["logits"][~wide], 0)
    kept = where if given.ndim == where.ndim else wide
    bad = np.float32(np.nan) if given.dtype == np.float32 else np.int32(-100)
    rubbish = evaluate(
        name, where=where, labels=np.where(kept, given, bad), logits=np.where(wide, Z, np.nan)
    )
    jax.tree.map(np.testing.assert_array_equal, rubbish, clean)


@all_or_one
@pytest.mark.parametrize("what", ["label", "logit"])
def test_what_is_wrong_is_nan_in_its_image_and_a_weight_of_0_excludes_it(name, what):
    given, _, axis, _ = CASES[name]
    wrong = {"labels": given.copy()} if what == "label" else {"logits": Z.copy()}
    for array in wrong.values():
        array[1, 2] = np.nan if array.dtype == np.float32 else -1
    losses, gradient, _ = evaluate(name, **wrong)
    per_image = 0 not in np.mod(np.atleast_1d(axis), 3)
    bad = np.arange(B) == 1 if per_image else True
    np.testing.assert_array_equal(np.isnan(losses).T, np.broadcast_to(bad, losses.T.shape))
    assert not np.all(np.isfinite(gradient["logits"][1]))
    weights = np.ones_like(losses)
    weights[1 if per_image else ...] = 0
    excluded, expected = evaluate(name, weights=weights, **wrong), evaluate(name, weights=weights)
    assert_close(excluded[1:], expected[1:], rtol=1e-6, atol=1e-7)


def test_checkify_hears_of_a_wrong_label_that_is_not_masked():
    def dice(labels, where):
        losses = jimb.dice_loss(Z, labels, axis=1, where=where)
        return losses, jimb.present_regions(Z, labels, axis=1, where=where)

    checked = jax.jit(checkify.checkify(dice))
    labels = np.where(WHERE, IDS, -1)
    error, (_, present) = checked(labels, np.ones_like(WHERE))
    assert "labels must be class ids in [0, K)" in error.get()
    np.testing.assert_array_equal(present, True)  # so that a mean shows the NaN
    error, (losses, present) = checked(labels, WHERE)
    assert error.get() is None
    assert np.all(np.isfinite(losses))
    np.testing.assert_array_equal(present, [[True] * 3, [False, True, True]])


# Regions with nothing in them.


def test_regions_with_nothing_in_them():
    """A class that is not there, nothing predicted of it, and no pixel at all; s of 0 and above."""
    logits = np.zeros((3, 4, 2), np.float32)
    logits[1, :, 0], logits[2] = -200, np.nan
    labels, where = np.ones((3, 4), np.int32), np.arange(3)[:, None] < np.array([[2] * 4])

    @jax.jit
    def run(smooth):
        def losses(z):
            return jimb.dice_loss(z, labels, axis=1, smooth=smooth, where=where)

        values, pullback = jax.vjp(losses, logits)
        present = jimb.present_regions(logits, labels, axis=1, where=where)
        return values[:, 0], pullback(jnp.ones_like(values))[0][..., 0], present

    values, gradient, present = run(np.float32(1))
    np.testing.assert_array_equal(present, [[False, True], [False, True], [False, False]])
    np.testing.assert_allclose(values, [1 / 2, 0, 0])  # ½ FP / (½ FP + 1) with FP = 2
    assert np.all(gradient[0] > 0)
    np.testing.assert_array_equal(gradient[1:], 0)
    values, gradient, _ = run(np.float32(0))
    np.testing.assert_array_equal(values, [1, 0, 0])
    assert np.all(np.isfinite(gradient))


# Extremes.


@all_or_one
def test_extreme_logits_are_finite_to_the_second_derivative(name):
    _, _, _, sigmoid = CASES[name]
    extremes = np.float32([-1e4, -104, -40, 0, 88.8, 1e4])
    logits = np.random.default_rng(1).choice(extremes, Z.shape)
    logits[0] = 100 * (2 * ONE_HOT[0] - 1)  # all right
    for smooth in (0, 1):
        for gamma in (0.5, 1, 3):
            losses, gradient, curvature = evaluate(name, logits=logits, smooth=smooth, gamma=gamma)
            assert np.all((losses >= 0) & (losses <= 1))
            assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves((gradient, curvature)))
    if not sigmoid:
        logits = np.where(ONE_HOT + np.roll(ONE_HOT, 1, -1) > 0, Z, -np.inf)  # a class mask
        losses, gradient, _ = evaluate(name, logits=logits)
        assert np.all(np.isfinite(losses))
        np.testing.assert_array_equal(gradient["logits"][np.isinf(logits)], 0)
