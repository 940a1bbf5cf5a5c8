"""Repeat factors of LVIS: a table worked out by hand, and how often a plan draws each image."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.sampling import epoch_plan, repeat_factors

# Ten images and classes 0 ... 3, as lists of annotations, which may name a class twice.
ANNOTATIONS = [[0, 0], [0], [0, 1], [0], [0, 1, 1], [0], [0, 2], [2], [], [0]]
LABELS = np.array([[c in image for c in range(4)] for image in ANNOTATIONS])
THRESHOLD = 0.5

# By hand: f = 0.8, 0.2, 0.2, 0, so that r = 1, √(0.5 / 0.2) = 1.5811, and the same for class 2.
ROOT = math.sqrt(2.5)
BY_HAND = [1, 1, ROOT, 1, ROOT, 1, ROOT, ROOT, 1, 1]


def of_detectron2(annotations, threshold):
    """The steps of its `repeat_factors_from_category_frequency`, in our words."""
    holding = {}
    for image in annotations:
        for c in set(image):
            holding[c] = holding.get(c, 0) + 1
    share = {c: count / len(annotations) for c, count in holding.items()}
    factor = {c: max(1.0, math.sqrt(threshold / f)) for c, f in share.items()}
    return [max((factor[c] for c in set(image)), default=1.0) for image in annotations]


def test_the_small_table_by_hand_and_by_the_steps_of_detectron2():
    np.testing.assert_allclose(of_detectron2(ANNOTATIONS, THRESHOLD), BY_HAND, rtol=1e-12)
    for labels in (LABELS, LABELS.astype(int), LABELS.astype(np.float32), LABELS.tolist()):
        got = repeat_factors(labels, threshold=THRESHOLD)
        np.testing.assert_allclose(got, BY_HAND, rtol=1e-7)
    traced = jax.jit(lambda y, t: repeat_factors(y, threshold=t))(jnp.asarray(LABELS), THRESHOLD)
    np.testing.assert_allclose(traced, BY_HAND, rtol=2e-7)


def test_a_long_tail_by_the_steps_of_detectron2():
    shares = 0.5 * np.arange(1, 41) ** -1.5
    labels = np.random.default_rng(0).uniform(size=(500, 40)) < shares
    expected = of_detectron2([np.flatnonzero(row) for row in labels], 0.03)
    assert 1.5 < np.max(expected) < 5
    np.testing.assert_allclose(repeat_factors(labels, threshold=0.03), expected, rtol=1e-7)


def test_a_threshold_below_every_share_repeats_nothing_and_the_default_is_that_of_lvis():
    np.testing.assert_array_equal(repeat_factors(LABELS, threshold=0.0), np.ones(10))
    one_in_4000 = np.zeros((4000, 1), bool)
    one_in_4000[7] = True
    np.testing.assert_allclose(repeat_factors(one_in_4000)[7], 2, rtol=1e-7)


def test_a_masked_image_is_not_counted_and_has_weight_zero():
    where = np.arange(10) != 6
    expected = of_detectron2([a for i, a in enumerate(ANNOTATIONS) if i != 6], THRESHOLD)
    for labels in (LABELS, jnp.asarray(LABELS)):
        got = np.asarray(repeat_factors(labels, threshold=THRESHOLD, where=where))
        assert got[6] == 0
        np.testing.assert_allclose(got[where], expected, rtol=2e-7)


@pytest.mark.slow
def test_epochs_draw_each_image_as_often_as_its_factor_on_average():
    factors = repeat_factors(LABELS, threshold=THRESHOLD)
    num = round(float(factors.sum()))
    keys = jax.random.split(jax.random.key(0), 4000)
    plans = jax.vmap(lambda key: epoch_plan(key, factors, num))(keys)
    visits = np.stack([np.bincount(plan, minlength=10) for plan in np.asarray(plans)])
    expected = np.float64(factors) * num / np.float64(factors).sum()
    assert np.isin(visits - np.floor(expected), [0, 1]).all()
    np.testing.assert_allclose(visits.mean(0), expected, atol=4 * 0.5 / math.sqrt(4000))
    np.testing.assert_allclose(expected, BY_HAND, rtol=0.5 / num)  # num is the rounded sum


@pytest.mark.slow
def test_images_on_a_mesh_have_the_same_factors():
    mesh = jax.make_mesh((2,), ("data",))
    with jax.set_mesh(mesh):
        labels = jax.device_put(LABELS, NamedSharding(mesh, P("data")))
        got = jax.jit(lambda y: repeat_factors(y, threshold=THRESHOLD))(labels)
        assert jax.typeof(got).sharding.spec == P("data")
    np.testing.assert_allclose(got, BY_HAND, rtol=2e-7)


def test_wrong_input_is_refused_or_nan():
    with pytest.raises(ValueError, match=r"labels must be multi-hot, \[\.\.\., K\]"):
        repeat_factors([0, 1, 1])
    with pytest.raises(ValueError, match=r"\[N, K\], one row per image, got bool\[1, 10, 4\]"):
        repeat_factors(LABELS[None])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        repeat_factors(LABELS * 2)
    with pytest.raises(ValueError, match=r"threshold must lie in \[0, inf\)"):
        repeat_factors(LABELS, threshold=-1.0)
    with pytest.raises(ValueError, match=r"where must have the shape \[10\]"):
        repeat_factors(LABELS, where=LABELS)
    error, got = checkify.checkify(repeat_factors)(jnp.asarray([[0, 1], [2, 0]]))
    assert "labels must be 0 or 1" in error.get()
    np.testing.assert_array_equal(np.isnan(got), [False, True])
