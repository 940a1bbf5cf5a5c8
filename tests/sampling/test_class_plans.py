"""Plans from labels alone: how often each example is visited, who is cut or repeated, in order."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jimb.sampling import balanced_plan, label_shuffle_plan, oversample_plan, undersample_plan

KEY = jax.random.key(0)


def labels_of(*counts):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


LONG_TAIL = labels_of(50, 20, 7, 1, 0, 2)
EVEN = labels_of(4, 4, 4)
SINGLE = labels_of(0, 9)


def planned(name, key, labels, per_class=None):
    """The plan of one of the five, by name, and how many visits each class with examples is due."""
    counts = np.bincount(labels)
    num_classes = counts.size + 1  # the last without examples
    n = counts[counts > 0]
    low, high = (per_class, per_class) if per_class else (n.min(), n.max())
    if name == "under":
        plan = undersample_plan(key, labels, num_classes, per_class=per_class)
        return plan, np.minimum(n, low)
    if name == "over":
        plan = oversample_plan(key, labels, num_classes, per_class=per_class)
        return plan, np.maximum(n, high)
    if name == "balanced":
        plan = balanced_plan(key, labels, num_classes, per_class=per_class)
        return plan, np.full(n.size, per_class)
    published = name == "published"
    plan = label_shuffle_plan(key, labels, num_classes, as_published=published)
    return plan, np.full(n.size, n.max())


def visits_of(plan, labels):
    plan = np.asarray(plan)
    assert plan.dtype == np.int32
    assert plan.min() >= 0
    visits = np.bincount(plan, minlength=labels.size)
    assert visits.size == labels.size
    return visits


CASES = [
    ("under", LONG_TAIL, None),
    ("under", LONG_TAIL, 5),
    ("under", EVEN, 10),
    ("over", LONG_TAIL, None),
    ("over", LONG_TAIL, 13),
    ("balanced", LONG_TAIL, 13),
    ("balanced", EVEN, 1),
    ("published", LONG_TAIL, None),
    ("published", SINGLE, None),
]


# --- how often each example is visited ------------------------------------------------------------


@pytest.mark.parametrize(("name", "labels", "per_class"), CASES)
def test_each_class_has_its_visits_and_each_example_its_share_up_to_one(name, labels, per_class):
    for seed in range(3):
        plan, due = planned(name, jax.random.key(seed), labels, per_class)
        visits = visits_of(plan, labels)
        for c, of_class in zip(np.unique(labels), due, strict=True):
            mine = visits[labels == c]
            assert mine.sum() == of_class
            assert mine.min() >= of_class // mine.size
            assert mine.max() <= -(-of_class // mine.size)


@pytest.mark.slow
def test_a_plan_of_imagenet_size():
    num_examples, num_classes = 1_281_167, 8000
    shares = np.arange(1, num_classes + 1) ** -0.7
    rng = np.random.default_rng(0)
    labels = rng.choice(num_classes, num_examples, p=shares / shares.sum())
    per_class = num_examples // num_classes
    visits = visits_of(balanced_plan(KEY, labels, num_classes, per_class=per_class), labels)
    n = np.bincount(labels)
    assert n.min() < per_class / 4
    np.testing.assert_array_equal(np.bincount(labels, visits), per_class)
    assert np.isin(visits - (per_class // n)[labels], [0, 1]).all()


def test_published_label_shuffling_gives_the_extra_visits_to_the_first_of_each_class():
    for seed, labels in itertools.product(range(3), (LONG_TAIL, labels_of(5, 3, 0, 4, 1))):
        plan, _ = planned("published", jax.random.key(seed), labels)
        rng = np.random.default_rng(seed)
        n_max = np.bincount(labels).max()
        oracle = []
        for c in np.unique(labels):
            members = np.flatnonzero(labels == c)
            oracle += [members[number % members.size] for number in rng.permutation(n_max)]
        np.testing.assert_array_equal(np.sort(plan), np.sort(oracle))


# --- who is cut, who is repeated ------------------------------------------------------------------

FEW = labels_of(7, 4, 3)
NUM_KEYS = 2000
KEYS = jax.random.split(jax.random.key(1), NUM_KEYS)


DRAWS = [("under", None), ("over", None), ("balanced", 6)]
names = pytest.mark.parametrize("name", [name for name, _ in DRAWS])


@pytest.fixture(scope="module")
def many_visits():
    """Visits `[keys, N]` by the name of the plan."""

    @jax.jit
    @jax.vmap
    def plans(key):
        return {name: planned(name, key, FEW, per_class)[0] for name, per_class in DRAWS}

    return {
        name: np.stack([visits_of(plan, FEW) for plan in np.asarray(of_keys)])
        for name, of_keys in plans(KEYS).items()
    }


@names
def test_over_the_keys_all_of_a_class_are_visited_equally_often(name, many_visits):
    """The visits above the fewest are binomial; these keys stray by up to 2.0 deviations."""
    for c, n in enumerate((7, 4, 3)):
        mine = many_visits[name][:, c == FEW]
        share = mine.sum(1).mean() / n % 1
        expected = mine.sum(1).mean() / n * NUM_KEYS
        deviation = np.sqrt(NUM_KEYS * share * (1 - share))
        assert np.abs(mine.sum(0) - expected).max() <= 4 * deviation


@names
def test_every_set_of_a_class_is_as_likely(name, many_visits):
    """χ² of which examples have one more, below its 0.1 % quantile, by degrees of freedom."""
    quantile = {2: 13.8, 3: 16.3, 5: 20.5, 6: 22.5, 20: 45.3, 34: 65.2}
    tested = 0
    for c, n in enumerate((7, 4, 3)):
        mine = many_visits[name][:, c == FEW]
        more = mine > mine.min(1, keepdims=True)
        if not more.any():
            continue
        codes = more @ (2 ** np.arange(n))
        sets = [sum(2**i for i in s) for s in itertools.combinations(range(n), more[0].sum())]
        seen = np.array([np.sum(codes == code) for code in sets])
        assert seen.sum() == NUM_KEYS
        expected = NUM_KEYS / len(sets)
        assert np.sum((seen - expected) ** 2 / expected) < quantile[len(sets) - 1]
        tested += 1
    assert tested == 2  # the whole of the third class, or the same for all of it


# --- order, keys and devices ----------------------------------------------------------------------


def test_the_order_is_shuffled():
    labels = np.repeat(np.arange(3), (400, 300, 100))  # one class after the other
    for seed in range(3):
        plan = np.asarray(oversample_plan(jax.random.key(seed), labels, 3), np.float64)
        limit = 4 / np.sqrt(plan.size)  # correlations deviate by 1/√M in a random order
        assert abs(np.corrcoef(plan, np.arange(plan.size))[0, 1]) < limit
        assert abs(np.corrcoef(plan[:-1], plan[1:])[0, 1]) < limit


def test_jit_and_vmap_over_keys_give_the_plan_of_each_key():
    keys = jax.random.split(KEY, 3)

    @jax.jit
    @jax.vmap
    def plans(key):
        return [planned(name, key, LONG_TAIL, 13)[0] for name in ("balanced", "published")]

    for name, of_keys in zip(("balanced", "published"), plans(keys), strict=True):
        for key, plan in zip(keys, of_keys, strict=True):
            np.testing.assert_array_equal(plan, planned(name, key, LONG_TAIL, 13)[0])
        assert np.mean(np.asarray(of_keys[0]) == np.asarray(of_keys[1])) < 0.5


def test_label_shuffling_by_default_is_oversampling():
    shuffling, oversampling = (f(KEY, LONG_TAIL, 6) for f in (label_shuffle_plan, oversample_plan))
    np.testing.assert_array_equal(shuffling, oversampling)


def test_labels_of_any_kind_give_the_same_plan():
    expected = balanced_plan(KEY, LONG_TAIL, 6, per_class=13)
    for labels in (LONG_TAIL.tolist(), LONG_TAIL.astype(np.uint8), jnp.asarray(LONG_TAIL)):
        np.testing.assert_array_equal(balanced_plan(KEY, labels, 6, per_class=13), expected)
    with jax.enable_x64(True):
        plan = balanced_plan(KEY, jnp.asarray(LONG_TAIL), 6, per_class=13)
    assert plan.dtype == jnp.int32
    np.testing.assert_array_equal(plan, expected)


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("transform", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_eight_devices_make_the_plan_of_one(transform, axis_type):
    expected = balanced_plan(KEY, LONG_TAIL, 6, per_class=13)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(axis_type,))
    with jax.set_mesh(mesh):
        labels = jax.device_put(LONG_TAIL, NamedSharding(mesh, P("data")))
        plan = transform(lambda key: balanced_plan(key, labels, 6, per_class=13))(KEY)
    assert plan.sharding.is_fully_replicated
    np.testing.assert_array_equal(plan, expected)


# --- wrong input ----------------------------------------------------------------------------------

PLANS = [
    undersample_plan,
    oversample_plan,
    label_shuffle_plan,
    lambda key, labels, num_classes: balanced_plan(key, labels, num_classes, per_class=2),
]
every_plan = pytest.mark.parametrize("plan", PLANS)


@every_plan
def test_bad_labels_are_refused(plan):
    for outside in ([0, 3, -1, 3], np.array([0, 3, -1, 3]), jnp.array([0, 3, -1, 3])):
        with pytest.raises(
            ValueError, match=r"labels must lie in \[0, 3\), .*got -1, 3 \(3 of 4\)"
        ):
            plan(KEY, outside, 3)
    with pytest.raises(ValueError, match=r"got 4294967296"):
        plan(KEY, np.array([0, 2**32]), 3)
    for shape in ((0,), (), (2, 2)):
        with pytest.raises(ValueError, match=r"one number per example, \[N\]"):
            plan(KEY, np.zeros(shape, np.int32), 3)
    with pytest.raises(ValueError, match=r"one number per example, \[N\]"):
        plan(KEY, np.broadcast_to(np.int8(0), 2**31), 3)
    for wrong in (np.zeros(3), np.zeros(3, bool), [0.5, 1.0]):
        with pytest.raises(TypeError, match="labels must be integers"):
            plan(KEY, wrong, 3)
    with pytest.raises(TypeError, match="labels must be an array of numbers"):
        plan(KEY, [[0], [0, 1]], 3)


@every_plan
def test_traced_labels_are_refused(plan):
    for traced in (lambda x: x, lambda x: [x[0], 1]):
        with pytest.raises(TypeError, match="pass them as NumPy, closed over"):
            jax.jit(lambda x, traced=traced: plan(KEY, traced(x), 3))(jnp.zeros(4, jnp.int32))


@pytest.mark.parametrize("bad", [0, -1, 2**31])
def test_sizes_out_of_range_are_refused(bad):
    for plan in PLANS:
        with pytest.raises(ValueError, match="num_classes must lie in"):
            plan(KEY, [0], bad)
    for plan in (undersample_plan, oversample_plan, balanced_plan):
        with pytest.raises(ValueError, match="per_class must lie in"):
            plan(KEY, [0], 1, per_class=bad)


@pytest.mark.parametrize("bad", [2.0, True, "2"])
def test_sizes_are_python_ints(bad):
    for plan in PLANS:
        with pytest.raises(TypeError):
            plan(KEY, [0], bad)
    for plan in (undersample_plan, oversample_plan, balanced_plan):
        with pytest.raises(TypeError):
            plan(KEY, [0], 1, per_class=bad)


def test_a_plan_longer_than_int32_counts_is_refused():
    for plan in (oversample_plan, balanced_plan):
        with pytest.raises(ValueError, match=r"2147483648 positions.*per_class"):
            plan(KEY, [0, 1], 2, per_class=2**30)
    half = 50_000
    labels = np.concatenate([np.arange(half), np.zeros(half, np.int64)])
    with pytest.raises(ValueError, match=r"2500050000 positions.*per_class"):
        label_shuffle_plan(KEY, labels, half)
