"""A number of visits for each class: in plans, in batches; and visits with replacement."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb.sampling import balanced_plan, oversample_plan, stratified_batches, undersample_plan

KEY = jax.random.key(0)
COUNTS = np.array([20, 7, 3, 0, 1])
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), COUNTS))
TARGETS = np.array([4, 0, 8, 0, 2])

PLANS = {
    undersample_plan: np.minimum(COUNTS, TARGETS),
    oversample_plan: np.maximum(COUNTS, TARGETS),
    balanced_plan: TARGETS,
}


@pytest.mark.parametrize("plan", PLANS, ids=lambda f: f.__name__)
def test_each_class_has_its_own_number_of_visits_and_each_example_its_share_up_to_one(plan):
    due = PLANS[plan]
    for targets in (TARGETS, TARGETS.tolist(), jnp.asarray(TARGETS), TARGETS.astype(np.uint8)):
        visits = np.bincount(plan(KEY, LABELS, 5, per_class=targets), minlength=LABELS.size)
        for c in range(5):
            mine = visits[np.equal(LABELS, c)]
            assert mine.sum() == due[c]
            if mine.size:
                assert mine.min() >= due[c] // mine.size
                assert mine.max() <= -(-due[c] // mine.size)


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS, ids=lambda f: f.__name__)
def test_equal_targets_are_the_plan_of_one_number(plan):
    expected = plan(KEY, LABELS, 5, per_class=6)
    targets = np.where(COUNTS > 0, 6, 0)
    np.testing.assert_array_equal(plan(KEY, LABELS, 5, per_class=targets), expected)


def test_wrong_targets_are_refused():
    def plan(targets, function=balanced_plan):
        return function(KEY, LABELS, 5, per_class=targets)

    for function in (balanced_plan, oversample_plan, stratified_batches):
        with pytest.raises(ValueError, match="0 where a class has no examples, as class 3"):
            plan([1, 1, 1, 2, 1], function)
    assert plan([1, 1, 1, 2, 1], undersample_plan).size == 4
    for function in (balanced_plan, undersample_plan, stratified_batches):
        with pytest.raises(ValueError, match=r"0 positions|0 for every class"):
            plan([0] * 5, function)
        with pytest.raises(ValueError, match="must not be negative, got -2"):
            plan([1, -2, 1, 0, 0], function)
        with pytest.raises(ValueError, match=r"per_class must have the shape \[5\] of the classes"):
            plan([1, 1], function)
        with pytest.raises(TypeError, match="per_class must be integers, got float64"):
            plan([1.0] * 5, function)
        with pytest.raises(TypeError, match="per_class must not be traced"):
            jax.jit(lambda t, f=function: plan(t, f))(jnp.asarray(TARGETS))


# --- with replacement -----------------------------------------------------------------------------


def test_only_a_class_that_is_cut_is_drawn_with_replacement():
    for seed in range(3):
        plan = undersample_plan(jax.random.key(seed), LABELS, 5, per_class=3, replacement=True)
        assert plan.dtype == jnp.int32
        visits = np.bincount(plan, minlength=LABELS.size)
        np.testing.assert_array_equal(np.bincount(LABELS, visits), np.minimum(COUNTS, 3))
        np.testing.assert_array_equal(visits[COUNTS[LABELS] <= 3], 1)


@pytest.mark.slow
def test_draws_with_replacement_are_independent_and_uniform():
    labels = np.array([0, 1, 0, 1, 0])  # three and two
    keys = jax.random.split(KEY, 8000)
    plans = jax.vmap(lambda k: undersample_plan(k, labels, 2, per_class=2, replacement=True))(keys)
    visits = np.stack([np.bincount(plan, minlength=5) for plan in np.asarray(plans)])
    assert (visits[:, labels == 1] == 1).all()
    of_three = visits[:, labels == 0]
    # Two independent draws of three: twice the same by 1/9 for each.
    tolerance = 4 * np.sqrt(1 / 9 * 8 / 9 / len(keys))
    np.testing.assert_allclose((of_three == 2).mean(0), 1 / 9, atol=tolerance)
    np.testing.assert_allclose(of_three.mean(0), 2 / 3, atol=4 * np.sqrt(4 / 9 / len(keys)))


# --- batches --------------------------------------------------------------------------------------


def test_every_batch_has_as_many_of_each_class_and_takes_the_next():
    per_class = np.array([5, 2, 1, 0, 3])
    plan = np.asarray(stratified_batches(KEY, LABELS, 5, per_class=per_class, num_batches=8))
    assert plan.shape == (8, 11)
    assert plan.dtype == np.int32
    for row in plan:
        np.testing.assert_array_equal(LABELS[row], np.repeat(np.arange(5), per_class))
    for c in range(5):
        of_class = plan[LABELS[plan] == c]  # batch after batch
        for round_ in np.split(of_class, range(COUNTS[c], len(of_class), max(COUNTS[c], 1))):
            assert np.unique(round_).size == round_.size
        visits = np.bincount(of_class, minlength=LABELS.size)[np.equal(LABELS, c)]
        assert not visits.size or np.ptp(visits) <= 1


def test_one_number_is_of_all_classes_with_examples_and_the_data_fill_the_batches():
    plan = np.asarray(stratified_batches(KEY, LABELS, 5, per_class=2))
    assert plan.shape == (LABELS.size // 8, 8)
    for row in plan:
        np.testing.assert_array_equal(np.bincount(LABELS[row], minlength=5), [2, 2, 2, 0, 2])
    other = np.asarray(stratified_batches(jax.random.key(1), LABELS, 5, per_class=2))
    assert (other != plan).any()
    compiled = jax.jit(lambda key: stratified_batches(key, LABELS, 5, per_class=2))
    np.testing.assert_array_equal(compiled(KEY), plan)


@pytest.mark.slow
def test_every_example_of_a_class_is_as_likely_in_the_first_batch():
    keys = jax.random.split(KEY, 4000)
    draw = jax.vmap(lambda k: stratified_batches(k, LABELS, 5, per_class=TARGETS, num_batches=1))
    visits = np.bincount(np.asarray(draw(keys)).ravel(), minlength=LABELS.size) / len(keys)
    expected = (TARGETS / np.maximum(COUNTS, 1))[LABELS]
    np.testing.assert_allclose(visits, expected, atol=4 * 0.5 / np.sqrt(len(keys)))


def test_too_many_positions_are_refused():
    with pytest.raises(ValueError, match=r"the plan would have 2147483648 positions.*num_batches"):
        stratified_batches(KEY, LABELS, 5, per_class=2**28, num_batches=2)
    with pytest.raises(ValueError, match="num_batches must lie in"):
        stratified_batches(KEY, LABELS, 5, per_class=1, num_batches=0)
