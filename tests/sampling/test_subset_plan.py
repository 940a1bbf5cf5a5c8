"""Draws without replacement: every subset's probability by enumeration, in exact fractions."""

import itertools
from collections import Counter
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb.sampling import epoch_plan, inclusion_probabilities, subset_plan
from jimb.sampling._capped_counts import capped_counts

KEY = jax.random.key(0)


def exact_probabilities(weights, num):
    """`min(1, λ·w)` in fractions: whoever would be drawn once or more is drawn once."""
    weights = [Fraction(float(w)) for w in weights]
    certain = set()
    while True:
        rest = sum(w for i, w in enumerate(weights) if i not in certain)
        left = num - len(certain)
        share = [
            Fraction(1) if i in certain else (left * w / rest if rest else Fraction(0))
            for i, w in enumerate(weights)
        ]
        more = {i for i, s in enumerate(share) if s >= 1} - certain
        if not more:
            return share
        certain |= more


def subsets(weights, num):
    """The probability of each subset: all orders, and all offsets between two ends of parts."""
    shares = exact_probabilities(weights, num)
    found = Counter()
    orders = list(itertools.permutations(range(len(shares))))
    for order in orders:
        ends = [Fraction(0), *itertools.accumulate(shares[i] for i in order)]
        offsets = sorted({end % 1 for end in ends} | {Fraction(1)})
        for low, high in itertools.pairwise([Fraction(0), *offsets]):
            if high > low:
                u = (low + high) / 2
                # Example i is drawn where a number u, u + 1, ... falls on its part.
                chosen = frozenset(
                    i
                    for i, (a, b) in zip(order, itertools.pairwise(ends), strict=True)
                    if -((u - b) // 1) - 1 >= -((u - a) // 1)
                )
                found[chosen] += (high - low) / len(orders)
    return found


WEIGHTS = {
    "one above its share": ([1.0, 2.0, 3.0, 10.0], 2),
    "all alike": ([1.0, 1.0, 1.0, 1.0, 1.0], 3),
    "one excluded": ([0.0, 1.0, 2.0, 1.0], 2),
    "one drawn": ([1.0, 5.0, 0.25], 1),
    "all that are above 0": ([0.0, 1e-3, 5.0, 2.0], 3),
    "one after the other above its share": ([1.0, 1.9, 4.0, 50.0, 1.0], 3),
}


ONE = "one after the other above its share"


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[] if c == ONE else pytest.mark.slow) for c in WEIGHTS]
)
def test_the_probabilities_are_those_of_exact_fractions(case):
    weights, num = WEIGHTS[case]
    expected = np.array(exact_probabilities(weights, num), float)
    assert abs(expected.sum() - num) < 1e-12
    for given in (np.array(weights), jnp.array(weights)):
        whole, fraction = capped_counts(given, num)
        exact = np.float64(whole) + np.float64(fraction) * 2.0**-32
        np.testing.assert_allclose(exact, expected, atol=2 * 2.0**-32)
        assert exact.sum() == num
        got = inclusion_probabilities(given, num)
        np.testing.assert_allclose(got, expected, rtol=1.2e-7, atol=2 * 2.0**-32)


@pytest.mark.slow
@pytest.mark.parametrize("case", WEIGHTS)
def test_every_subset_comes_as_often_as_by_enumeration(case):
    weights, num = WEIGHTS[case]
    expected = subsets(weights, num)
    assert sum(expected.values()) == 1
    keys = jax.random.split(KEY, 20_000)
    plans = np.asarray(jax.vmap(lambda key: subset_plan(key, jnp.array(weights), num))(keys))
    found = Counter(map(frozenset, plans.tolist()))
    assert all(len(chosen) == num for chosen in found)
    assert set(found) <= {chosen for chosen, p in expected.items() if p > 0}
    for chosen, p in expected.items():
        tolerance = 4.5 * np.sqrt(float(p * (1 - p)) / len(keys))
        assert abs(found[chosen] / len(keys) - p) <= tolerance, (case, chosen)


@pytest.mark.slow
def test_the_enumeration_has_the_probabilities_and_drawing_one_by_one_has_others():
    """Drawn one after the other, the smallest weight comes more often, the largest less often."""
    weights, num = WEIGHTS["one above its share"]
    expected = subsets(weights, num)
    of_each = [sum(p for chosen, p in expected.items() if i in chosen) for i in range(4)]
    assert of_each == exact_probabilities(weights, num)
    w = np.array(weights) / 16
    one_by_one = [w[i] + sum(w[j] * w[i] / (1 - w[j]) for j in range(4) if j != i) for i in (0, 3)]
    assert one_by_one[0] > 1.1 * of_each[0]
    assert one_by_one[1] < 0.95 * of_each[3]


@pytest.mark.slow
def test_equal_weights_draw_every_subset_and_every_order_alike():
    keys = jax.random.split(jax.random.key(3), 24_000)
    plans = jax.vmap(lambda key: subset_plan(key, jnp.ones(4), 2))(keys)
    found = Counter(map(tuple, np.asarray(plans).tolist()))
    assert len(found) == 12
    assert max(abs(n - 2000) for n in found.values()) < 4.5 * np.sqrt(2000)


@pytest.mark.parametrize(
    "num", [700, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 1999))]
)
def test_many_weights_of_any_size_are_drawn_once_at_most(num):
    rng = np.random.default_rng(0)
    weights = np.where(rng.uniform(size=3000) < 2 / 3, 10.0 ** rng.uniform(-6, 3, 3000), 0)
    assert np.sum(weights > 0) >= num
    expected = np.array(exact_probabilities(np.float32(weights), num), float)
    assert num == 1 or (expected == 1).sum() > 50
    for given in (np.float32(weights), jnp.asarray(weights, jnp.float32)):
        plan = np.asarray(subset_plan(KEY, given, num))
        assert plan.dtype == np.int32
        assert np.unique(plan).size == num
        assert (weights[plan] > 0).all()
        assert np.isin(np.flatnonzero(expected == 1), plan).all()
        got = inclusion_probabilities(given, num)
        np.testing.assert_allclose(got, expected, rtol=3e-7, atol=3 * 2.0**-32)


@pytest.mark.slow
def test_nearly_all_of_a_million_and_weights_that_fall_by_powers():
    rng = np.random.default_rng(0)
    for weights, num in (
        (rng.uniform(0.999, 1, 2**20).astype(np.float32), 2**20 - 1),
        (np.float32(2.0) ** np.arange(100, -100, -1).astype(np.float32), 150),
        (np.float32(0.97) ** np.arange(900).astype(np.float32), 500),
        (np.r_[np.ones(2**20), 1e-9, 2e-9].astype(np.float32), 2**20 + 1),
    ):
        plan = np.asarray(subset_plan(KEY, jnp.asarray(weights), num))
        assert np.unique(plan).size == num
        whole, fraction = capped_counts(jnp.asarray(weights), num)
        host = capped_counts(np.float64(weights), num)
        exact, other = (
            np.float64(a) + np.float64(b) * 2.0**-32 for a, b in ((whole, fraction), host)
        )
        assert exact.sum() == num
        assert exact.max() <= 1
        np.testing.assert_allclose(exact, other, rtol=1e-6, atol=2e-8)


@pytest.mark.slow
def test_where_none_is_above_its_share_it_draws_as_often_as_an_epoch_plan():
    weights = jnp.array([1.0, 2.0, 3.0, 2.0])
    shares = inclusion_probabilities(weights, 2)
    np.testing.assert_allclose(shares, 2 * weights / 8, rtol=1e-7)
    for plan in (epoch_plan(KEY, weights, 2), subset_plan(KEY, weights, 2)):
        assert np.unique(plan).size == 2


@pytest.mark.slow
def test_a_plan_is_the_same_of_divided_weights_and_under_jit():
    mesh = jax.make_mesh((8,), ("data",))
    weights = jnp.arange(1.0, 65.0)
    expected = subset_plan(KEY, weights, 20)
    compiled = jax.jit(subset_plan, static_argnums=2)
    np.testing.assert_array_equal(compiled(KEY, weights, 20), expected)
    with jax.set_mesh(mesh):
        divided = jax.device_put(weights, jax.NamedSharding(mesh, jax.P("data")))
        np.testing.assert_array_equal(compiled(KEY, divided, 20), expected)


def test_wrong_input_is_refused_or_gives_a_plan_outside_the_data():
    with pytest.raises(ValueError, match=r"each is drawn once, got 3 and 2 of 3 weights"):
        subset_plan(KEY, [1.0, 0.0, 2.0], 3)
    with pytest.raises(ValueError, match="num must lie in"):
        subset_plan(KEY, [1.0, 2.0], 0)
    with pytest.raises(ValueError, match="weights must lie in"):
        inclusion_probabilities([1.0, -2.0], 1)
    with pytest.raises(TypeError, match="key must be a key, got a seed"):
        subset_plan(jnp.int32(0), [1.0, 2.0], 1)
    check = jax.jit(
        checkify.checkify(
            lambda w: (subset_plan(KEY, w, 2), inclusion_probabilities(w, 2)),
            checkify.user_checks,
        )
    )
    for bad, message in (([1.0, 0.0, 0.0], "num must be at most"), ([1.0, -1.0, 2.0], "must lie")):
        error, (plan, shares) = check(jnp.array(bad))
        assert message in error.get()
        np.testing.assert_array_equal(plan, [3, 3])
        assert np.isnan(shares).all()
