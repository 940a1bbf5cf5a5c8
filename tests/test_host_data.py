"""Tables of pandas, tensors of others, and what is no array of numbers: used right, or a sentence.

Functions are called as users call them, without the type checks of the tests.
"""

import collections
import fractions
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import jimb
from jimb import sampling
from jimb.sampling import grain as jgrain
from tests.helpers.weights_oracle import HOST, effective_weights

KEY = jax.random.key(0)
Z = jnp.zeros((3, 3))


class Tensor:
    """What another library's tensor shows of itself."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype) if dtype else self.values


def call(function, *args, **kwargs):
    return inspect.unwrap(function)(*args, **kwargs)


# --- a column is host data ----------------------------------------------------------------------

HOSTS = {
    "Series": pd.Series,
    "Index": pd.Index,
    "column": lambda values: pd.DataFrame({"n": values})["n"],
    "nullable": lambda values: pd.Series(values, dtype="Int64"),
    "objects": lambda values: np.array(values, object),
    "Fraction": lambda values: list(map(fractions.Fraction, values)),
    "tensor": Tensor,
    "sorted index": lambda values: pd.Series(values[::-1], index=[2, 1, 0]).sort_index(),
}
hosts = pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)


@hosts
def test_counts_of_a_column_are_those_of_the_list(host):
    expected = effective_weights([50, 7, 3], [0.99] * 3)
    got = call(jimb.effective_number_weights, host([50, 7, 3]), beta=0.99)
    np.testing.assert_allclose(got, expected, rtol=HOST)
    losses = jimb.class_balanced_softmax_loss(Z, jnp.arange(3), host([50, 7, 3]), beta=0.99)
    np.testing.assert_allclose(losses, np.log(3) * expected, rtol=3e-7)


@hosts
def test_numbers_of_a_column_are_looked_at(host):
    with pytest.raises(ValueError, match=r"counts must lie in \[0, .*got -1.0 \(1 of 3\)"):
        call(jimb.effective_number_weights, host([50, -1, 3]), beta=0.99)
    with pytest.raises(ValueError, match="no example of class 1"):
        call(jimb.inverse_frequency_weights, host([50, 0, 3]))


@pytest.mark.parametrize("host", [h for name, h in HOSTS.items() if name != "Fraction"])
def test_labels_of_a_column_give_numpy_counts(host):
    counts = jimb.class_counts(host([0, 2, 2]), 3)
    assert type(counts) is np.ndarray
    np.testing.assert_array_equal(counts, [1, 0, 2])
    np.testing.assert_array_equal(jimb.take_class([1.0, 2.0, 3.0], host([0, 2, 2])), [1, 3, 3])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\)"):
        jimb.class_counts(host([0, 3, 1]), 3)


def test_what_is_per_example_is_taken_in_its_order_whatever_the_index():
    """As after a filter, or a split."""
    index = [7, 2, 9, 4]
    labels = pd.Series([0, 1, 1, 2], index=index)
    weights = pd.Series([1.0, 0.0, 3.0, 4.0], index=index)
    where = pd.Series([True, True, False, True], index=index)
    np.testing.assert_array_equal(jimb.class_counts(labels, 3, where=where), [1, 1, 1])
    np.testing.assert_array_equal(jimb.take_class([1.0, 2.0, 3.0], labels), [1, 2, 2, 3])
    for plan, host in (
        (sampling.epoch_plan(KEY, weights, 8), sampling.epoch_plan(KEY, weights.to_numpy(), 8)),
        (
            sampling.oversample_plan(KEY, labels, 3),
            sampling.oversample_plan(KEY, labels.to_numpy(), 3),
        ),
    ):
        np.testing.assert_array_equal(plan, host)
    losses = jimb.class_balanced_softmax_loss(jnp.zeros((4, 3)), labels, [3, 2, 1], where=where)
    assert losses[2] == 0
    assert jimb.weighted_mean(weights, where=where) == np.float32(5 / 3)


LABELS = pd.Series([0] * 5 + [1] * 9 + [2] * 2)
IN_CLASS_ORDER = {
    "effective_number_weights": lambda n: jimb.effective_number_weights(n, beta=0.99),
    "effective_number": lambda n: jimb.effective_number(n, beta=0.99),
    "inverse_frequency_weights": jimb.inverse_frequency_weights,
    "mean_one": lambda n: jimb.mean_one([1.0, 2.0, 3.0], n),
    "mean_one's weights": lambda n: jimb.mean_one(n, [5, 9, 2]),
    "class_power": lambda n: sampling.class_power([0, 1], n, power=0.0),
    "take_class": lambda n: jimb.take_class(n, [0, 1]),
    "class-balanced": lambda n: jimb.class_balanced_focal_loss(Z, jnp.arange(3), n),
    "balanced softmax": lambda n: jimb.balanced_softmax_loss(Z, jnp.arange(3), n),
    "ldam": lambda n: jimb.ldam_loss(Z, jnp.arange(3), n, scale=30.0),
    "shots": lambda n: jimb.metrics.shot_accuracy(jimb.metrics.init(3), n),
    "threshold": lambda n: jimb.posthoc.move_threshold(jnp.zeros(2), n[:2]),
    "beta": lambda n: jimb.effective_number_weights([5, 9, 2], beta=n / 16),
    "class_weights": lambda n: jgrain.ClassBalancedSelection(
        [0, 1, 2], 3, 9, class_weights=n.astype(float)
    ),
    "class_weights of a loss": lambda n: jimb.softmax_focal_loss(Z, jnp.arange(3), class_weights=n),
    "pos_weight": lambda n: jimb.sigmoid_cross_entropy_loss(Z, jnp.eye(3), pos_weight=n),
    "alpha": lambda n: jimb.sigmoid_focal_loss(Z, jnp.eye(3), alpha=n / 16),
    "prior": lambda n: jimb.logit_adjusted_loss(Z, jnp.arange(3), n / 16),
    "target_prior": lambda n: jimb.posthoc.correct_prior(jnp.ones((1, 3)) / 3, n / 16, n / 16),
}
ordered = pytest.mark.parametrize("function", IN_CLASS_ORDER.values(), ids=IN_CLASS_ORDER)


@ordered
def test_a_column_in_the_order_of_frequency_is_refused(function):
    """`value_counts()` begins with the largest class: here 1, 0, 2."""
    with pytest.raises(ValueError, match=r"has an index that is not 0, 1, 2, .*\.reindex\("):
        function(LABELS.value_counts())


@ordered
def test_the_advice_for_such_a_column_can_be_followed(function):
    counts = LABELS.value_counts()
    by_class = counts.reindex(range(3), fill_value=0)
    np.testing.assert_array_equal(by_class, [5, 9, 2])
    function(by_class)


def test_class_names_are_no_order():
    with pytest.raises(ValueError, match=r"counts\.to_numpy\(\)"):
        jimb.inverse_frequency_weights(pd.Series({"cat": 5, "dog": 9}))


# --- what is no array of numbers ----------------------------------------------------------------

WEIGHTS = [
    lambda n: call(jimb.effective_number_weights, n, beta=0.99),
    lambda n: call(jimb.effective_number, n, beta=0.99),
    lambda n: call(jimb.inverse_frequency_weights, n),
    lambda n: call(jimb.balanced_alpha, n),
    lambda n: call(jimb.mean_one, [1.0, 2.0], n),
]
NO_COUNTS = [
    ({0: 5, 1: 3}, TypeError, r"\[counts\.get\(c, 0\) for c in range\(num_classes\)\]"),
    (collections.Counter([0, 0, 1]), TypeError, r"counts\.get\(c, 0\)"),
    ({5, 3}, TypeError, "pass a list"),
    ((n for n in (5, 3)), TypeError, "pass a list"),
    (["5", "3"], TypeError, r"np\.asarray\(counts, dtype=int\)"),
    (np.array(["5", "3"], object), TypeError, r"np\.asarray\(counts, dtype=int\)"),
    ("53", TypeError, "got the string '53'"),
    (None, TypeError, "got None"),
    ([5, None], TypeError, r"got \[5, None\]"),
    ([[1], [1, 2]], TypeError, "counts must be an array of numbers"),
    ([10**400, 1], TypeError, "counts must be an array of numbers"),
    (KEY, TypeError, "counts must be numbers, got a key"),
    ([5 + 1j, 3], TypeError, "counts must be real, got complex128"),
    (jnp.array([5 + 1j, 3]), TypeError, "counts must be real, got complex64"),
    ([True, False], TypeError, r"numbers of examples, got bool\[2\]"),
    (jnp.array([True, False]), TypeError, r"numbers of examples, got bool\[2\]"),
    (np.array(["2020-01-01"], "datetime64[D]"), TypeError, "counts must be an array of numbers"),
    (np.ma.array([5, 3], mask=[False, True]), TypeError, r"masked array.*counts\.data"),
    ([], ValueError, r"one number per class, \[K\], got shape \[0\]"),
    (5, ValueError, r"one number per class, \[K\], got shape \[\]"),
    (pd.DataFrame({"n": [5, 3]}), ValueError, r"one number per class"),
    (pd.Series([5, np.nan]), ValueError, r"got nan \(1 of 2\)"),
    (np.array([np.inf, 5], np.float16), ValueError, "float16 ends at 65504: keep it in float32"),
]


@pytest.mark.parametrize("row", NO_COUNTS, ids=lambda row: f"{type(row[0]).__name__}-{row[2][:20]}")
def test_what_is_no_counts_is_refused_in_a_sentence(row):
    counts, error, sentence = row
    for weights in WEIGHTS:
        with pytest.raises(error, match=sentence) as caught:
            weights(counts)
        assert "counts" in str(caught.value)
        assert str(caught.value).endswith(".")


FRACTIONS = [0.6, 0.2, 0.15, 0.05]
SCALED = {
    "effective_number": lambda n: jimb.effective_number(n, beta=0.99),
    "effective_number_weights": lambda n: jimb.effective_number_weights(n, volume=100.0),
    "class_power": lambda n: sampling.class_power([0, 1, 3], n, power=0.5),
    "loss": lambda n: jimb.class_balanced_softmax_loss(jnp.zeros((3, 4)), jnp.arange(3), n),
}


@pytest.mark.parametrize("function", SCALED.values(), ids=SCALED)
def test_fractions_are_no_counts_where_the_scale_matters(function):
    for given in (FRACTIONS, np.float32(FRACTIONS), pd.Series(FRACTIONS)):
        with pytest.raises(ValueError, match="counts must be numbers of examples, got fractions"):
            function(given)
    assert np.all(np.isnan(function(jnp.array(FRACTIONS))))
    function([0.5, 0.2, 3.0, 0.25])  # weighted counts may be small


def test_fractions_are_counts_where_only_their_ratios_matter():
    np.testing.assert_allclose(jimb.inverse_frequency_weights([0.75, 0.25]), [0.5, 1.5], rtol=HOST)
    np.testing.assert_allclose(jimb.balanced_alpha([0.75, 0.25]), 0.75, rtol=HOST)


PARAMETERS = {
    "gamma": lambda x: jimb.class_balanced_focal_loss(Z, jnp.arange(3), [3, 2, 1], gamma=x),
    "beta": lambda x: call(jimb.effective_number_weights, [3, 2], beta=x),
    "volume": lambda x: call(jimb.effective_number_weights, [3, 2], volume=x),
    "power": lambda x: call(jimb.inverse_frequency_weights, [3, 2], power=x),
    "power of class_power": lambda x: call(sampling.class_power, [0, 1], [3, 2], power=x),
    "power of a selection": lambda x: call(jgrain.ClassBalancedSelection, [0, 1], 2, 9, power=x),
    "amount": lambda x: call(sampling.mix_uniform, [1.0, 2.0], amount=x),
    "q": lambda x: call(sampling.clip_quantile, [1.0, 2.0], q=x),
    "multiplier": lambda x: call(jimb.single_class_weight, 2, 0, x),
    "keep": lambda x: call(jimb.mining.hard_example_weights, [1.0, 2.0], keep=x),
}


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("wrong", ["2", ["2", "3"], 1j, {"a": 1}, None])
def test_a_parameter_that_is_no_number_is_named(name, wrong):
    if name == "gamma" and not isinstance(wrong, list | complex):
        return  # the type checks come first
    if name in ("beta", "volume") and wrong is None:
        return
    with pytest.raises((TypeError, ValueError), match=name.split()[0]):
        PARAMETERS[name](wrong)


# --- labels -------------------------------------------------------------------------------------

TAKERS = {
    "class_counts": lambda y: call(jimb.class_counts, y, 3),
    "take_class": lambda y: call(jimb.take_class, [1.0, 2.0, 3.0], y),
    "class_power": lambda y: call(sampling.class_power, y, [1, 2, 3], power=0.0),
    "undersample_plan": lambda y: call(sampling.undersample_plan, KEY, y, 3),
    "class_batches": lambda y: call(
        sampling.class_batches, KEY, y, classes_per_batch=1, per_class=1
    ),
    "interpolate": lambda y: call(sampling.interpolate_within_class, KEY, jnp.ones(3), y),
    "selection": lambda y: call(jgrain.ClassBalancedSelection, y, 3, 9),
    "shuffled": lambda y: call(jgrain.LabelShuffledSelection, y, 3),
    "loss": lambda y: call(jimb.class_balanced_softmax_loss, Z, y, [3, 2, 1]),
    "group": lambda y: call(jimb.mining.hard_example_weights, jnp.ones(3), keep=1, group=y),
}
takers = pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
NAMES = ["cat", "dog", "cat"]


@takers
def test_names_of_classes_are_told_how_to_become_numbers(take):
    for names in (NAMES, np.array(NAMES), pd.Series(NAMES), pd.Series(NAMES, dtype="category")):
        with pytest.raises(
            TypeError, match=r"np\.unique\((labels|group), return_inverse=True\)\[1"
        ):
            take(names)
    take(np.unique(NAMES, return_inverse=True)[1])
    with pytest.raises(TypeError, match=r"np\.asarray\((labels|group), dtype=int\)"):
        take(["0", "1", "0"])


@takers
def test_labels_that_are_no_integers_are_told_how_to_become_some(take):
    for wrong in ({0: 1}, {0, 1}, KEY, [0, 1j, 1], [None, 0]):
        with pytest.raises((TypeError, ValueError), match=r"labels|group"):
            take(wrong)
    sentence = "cast with|write np|class ids must be integers"
    for floats in ([0.0, 1.0], np.array([0.0, 1.0]), pd.Series([0.0, 1.0]), jnp.zeros(2)):
        with pytest.raises((TypeError, ValueError), match=sentence):
            take(floats)


def test_the_cast_that_is_advised_works():
    for floats, cast in (
        (np.array([0.0, 1.0]), lambda y: y.astype(np.int32)),
        (pd.Series([0.0, 1.0]), lambda y: y.astype(np.int32)),
        (jnp.array([0.0, 1.0]), lambda y: y.astype(jnp.int32)),
        ([0.0, 1.0], lambda y: np.asarray(y, np.int32)),
    ):
        sentence = "write np.asarray" if isinstance(floats, list) else "cast with .astype"
        with pytest.raises(TypeError, match=sentence):
            jimb.class_counts(floats, 2)
        np.testing.assert_array_equal(jimb.class_counts(cast(floats), 2), [1, 1])


def test_an_empty_list_of_labels_is_of_integers():
    assert jimb.take_class([1.0, 2.0], []).shape == (0,)
    assert sampling.class_power([], [1, 2], power=0.0).shape == (0,)
    assert jimb.class_balanced_softmax_loss(jnp.zeros((0, 2)), [], [1, 2]).shape == (0,)


def test_a_list_of_traced_numbers_is_an_array():
    @jax.jit
    def weights(a, b):
        return jimb.inverse_frequency_weights([a, b]), jimb.take_class([a, b], [1, 0])

    inverse, taken = weights(np.float32(3), np.float32(1))
    np.testing.assert_allclose(inverse, [0.5, 1.5], rtol=3e-7)
    np.testing.assert_array_equal(taken, [1, 3])
