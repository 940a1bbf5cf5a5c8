"""Batches of a few classes: which classes, which examples of them, and how often."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.sampling import _class_batches, class_batches

KEY = jax.random.key(0)
LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 3, 4, 900], [30, 11, 6, 3, 1]))
CLASSES = np.unique(LABELS)


def batches(key, classes_per_batch, per_class, num_batches=40):
    return class_batches(
        key,
        LABELS,
        classes_per_batch=classes_per_batch,
        per_class=per_class,
        num_batches=num_batches,
    )


# --- the classes and examples of a batch ----------------------------------------------------------


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (2, 4), (3, 7), (5, 2)])
def test_a_batch_has_distinct_classes_and_of_each_as_many_examples(width, depth):
    plan = np.asarray(batches(KEY, width, depth))
    assert plan.dtype == np.int32
    assert plan.shape == (40, width * depth)
    for batch in plan:
        blocks = batch.reshape(width, depth)
        classes = LABELS[blocks]
        assert (classes == classes[:, :1]).all()
        assert len(set(classes[:, 0])) == width
        for c, block in zip(classes[:, 0], blocks, strict=True):
            visits = [np.sum(block == member) for member in np.flatnonzero(c == LABELS)]
            assert min(visits) >= depth // len(visits)
            assert max(visits) <= -(-depth // len(visits))


@pytest.mark.parametrize(("width", "depth"), [(2, 4), (3, 7)])
def test_a_class_has_all_its_examples_once_before_any_again(width, depth):
    plan = np.asarray(batches(KEY, width, depth)).reshape(-1)
    for c in CLASSES:
        members = np.flatnonzero(c == LABELS)
        of_class = plan[LABELS[plan] == c]
        assert of_class.size > members.size
        for start in range(of_class.size // members.size):
            turn = of_class[start * members.size :][: members.size]
            np.testing.assert_array_equal(np.sort(turn), members)


def test_by_default_there_are_as_many_batches_as_the_examples_fill():
    for width, depth, rows in [(2, 4, 51 // 8), (5, 10, 1), (5, 40, 1)]:
        plan = jax.eval_shape(
            lambda key, width=width, depth=depth: class_batches(
                key, LABELS, classes_per_batch=width, per_class=depth
            ),
            KEY,
        )
        assert plan.shape == (rows, width * depth)


@pytest.mark.slow
def test_batches_of_imagenet_size():
    num_examples, num_classes = 1_281_167, 8000
    shares = np.arange(1, num_classes + 1) ** -0.7
    rng = np.random.default_rng(0)
    labels = rng.choice(num_classes, num_examples, p=shares / shares.sum())
    plan = np.asarray(class_batches(KEY, labels, classes_per_batch=64, per_class=4))
    assert plan.shape == (5004, 256)
    classes = np.sort(labels[plan].reshape(5004, 64, 4), axis=1)
    assert (classes == classes[..., :1]).all()
    assert (np.diff(classes[..., 0], axis=1) > 0).all()
    # Each example has as many visits as any other of its class, or one more.
    visits = np.bincount(plan.reshape(-1), minlength=num_examples)
    of_class = np.bincount(labels, visits)
    fewest = of_class // np.bincount(labels)
    assert np.isin(visits - fewest[labels], [0, 1]).all()


# --- over the keys --------------------------------------------------------------------------------

NUM_KEYS = 500
ROWS = 8


@pytest.fixture(scope="module")
def many():
    """Plans of 2 and of 3 classes for many keys."""

    @jax.jit
    @jax.vmap
    def plans(key):
        return batches(key, 2, 2, ROWS), batches(key, 3, 1, ROWS)

    return [np.asarray(plan) for plan in plans(jax.random.split(jax.random.key(1), NUM_KEYS))]


@pytest.mark.parametrize(("which", "width"), [(0, 2), (1, 3)])
def test_every_set_of_classes_is_as_likely_in_every_batch(which, width, many):
    """χ² with 9 degrees of freedom, whose 0.1 % quantile is 27.9, over all rows together."""
    labels = np.searchsorted(CLASSES, LABELS[many[which]]).reshape(NUM_KEYS, ROWS, width, -1)
    codes = np.sum(2 ** labels[..., 0], axis=2)
    sets = [sum(2**i for i in s) for s in itertools.combinations(range(5), width)]
    seen = np.array([np.sum(codes == code) for code in sets])
    assert seen.sum() == NUM_KEYS * ROWS
    assert np.sum((seen - 400) ** 2 / 400) < 27.9
    # A row says nothing about the next: the same set follows one time in ten.
    again = np.mean(codes[:, 1:] == codes[:, :-1])
    assert abs(again - 0.1) < 4 * np.sqrt(0.1 * 0.9 / (NUM_KEYS * (ROWS - 1)))


def test_every_example_of_a_class_is_as_likely_to_be_first(many):
    """Binomial counts of the first visit to a class: these keys stray by up to 3.4 deviations."""
    plans = many[0].reshape(NUM_KEYS, -1)
    for c in CLASSES[:4]:
        firsts = [plan[LABELS[plan] == c][0] for plan in plans if (LABELS[plan] == c).any()]
        members = np.flatnonzero(c == LABELS)
        seen = np.bincount(firsts, minlength=LABELS.size)[members]
        expected = len(firsts) / members.size
        assert np.abs(seen - expected).max() <= 4 * np.sqrt(expected * (1 - 1 / members.size))


def test_jit_and_vmap_over_keys_give_the_plan_of_each_key():
    keys = jax.random.split(KEY, 3)
    plans = jax.jit(jax.vmap(lambda key: batches(key, 2, 4)))(keys)
    for key, plan in zip(keys, plans, strict=True):
        np.testing.assert_array_equal(plan, batches(key, 2, 4))
    assert np.mean(np.asarray(plans[0]) == np.asarray(plans[1])) < 0.5


def test_labels_of_any_kind_give_the_same_plan():
    expected = batches(KEY, 2, 4)
    for labels in (LABELS.tolist(), LABELS.astype(np.uint16), jnp.asarray(LABELS)):
        plan = class_batches(KEY, labels, classes_per_batch=2, per_class=4, num_batches=40)
        np.testing.assert_array_equal(plan, expected)
    with jax.enable_x64(True):
        plan = batches(KEY, 2, 4)
    assert plan.dtype == jnp.int32
    np.testing.assert_array_equal(plan, expected)


@pytest.mark.parametrize(
    "axis_type", [pytest.param(AxisType.Auto, marks=pytest.mark.slow), AxisType.Explicit]
)
@pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_eight_devices_make_the_plan_of_one(transform, axis_type):
    labels = LABELS[:48]
    expected = class_batches(KEY, labels, classes_per_batch=2, per_class=4)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    with jax.set_mesh(mesh):
        split = jax.device_put(labels, NamedSharding(mesh, P("data")))
        plan = transform(lambda key: class_batches(key, split, classes_per_batch=2, per_class=4))(
            KEY
        )
    assert plan.sharding.is_fully_replicated
    np.testing.assert_array_equal(plan, expected)


# --- wrong input ----------------------------------------------------------------------------------


def call(labels=(0, 1), **sizes):
    return class_batches(
        KEY, list(labels), **{"classes_per_batch": 1, "per_class": 1, "num_batches": 1} | sizes
    )


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"labels": [0, -1]}, r"labels must lie in \[0, 2\*\*31\); got -1 \(1 of 2\)"),
        ({"labels": []}, r"labels must be one number per example, \[N\]"),
        ({"labels": [[0]]}, r"labels must be one number per example, \[N\]"),
        ({"labels": [0, 7], "classes_per_batch": 3}, "classes_per_batch must be at most 2"),
        ({"classes_per_batch": 0}, "classes_per_batch must lie in"),
        ({"per_class": 0}, "per_class must lie in"),
        ({"num_batches": 0}, "num_batches must lie in"),
        ({"per_class": 2**16, "num_batches": 2**15}, "2147483648 positions.*num_batches"),
    ],
)
def test_bad_input_says_what_is_wrong(bad, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(**bad)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="labels must be integers"):
        call(labels=[0.0, 1.0])
    for name in ("classes_per_batch", "per_class", "num_batches"):
        for bad in (1.0, True, "1"):
            with pytest.raises(TypeError):
                call(**{name: bad})
    with pytest.raises(TypeError, match="pass them as NumPy, closed over"):
        jax.jit(lambda x: class_batches(KEY, x, classes_per_batch=1, per_class=1))(
            jnp.zeros(4, int)
        )


def test_a_plan_longer_than_int32_counts_is_refused(monkeypatch):
    monkeypatch.setattr(_class_batches, "_drawn", None)  # it would ask for 8 GiB
    for num in (2**29, 2**29 + 1):
        with pytest.raises(ValueError, match=r"must have fewer than 2\*\*31"):
            class_batches(
                jax.random.key(0), [0, 1], classes_per_batch=2, per_class=2, num_batches=num
            )
