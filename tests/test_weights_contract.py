"""What every class weighting keeps to: its sum, weight 0 for empty classes, what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from tests.helpers.weights_oracle import COUNTS, TRACED

TRACEABLE = {
    "inverse frequency": jimb.inverse_frequency_weights,
    "beta": lambda n, **kw: jimb.effective_number_weights(n, beta=0.99, **kw),
    "volume": lambda n, **kw: jimb.effective_number_weights(n, volume=1e3, **kw),
}


# --- sums -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_weights_sum_to_the_number_of_non_empty_classes(weights):
    for counts in ([5], [0, 7], [3, 0, 900, 0, 10**9], COUNTS):
        filled = np.count_nonzero(counts)
        host = weights(counts, allow_empty=True)
        np.testing.assert_allclose(np.asarray(host, np.float64).sum(), filled, rtol=1e-7)
    traced = weights(jnp.array([3, 0, 900, 0, 10**9]))
    np.testing.assert_allclose(np.asarray(traced, np.float64).sum(), 3, rtol=3e-7)


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_one_class_has_weight_one(weights):
    for count in (1, 3, 10**9):
        np.testing.assert_array_equal(weights([count]), [1])
    np.testing.assert_allclose(jax.jit(weights)(jnp.array([5])), [1], rtol=1e-7)


# --- empty classes ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_empty_classes_in_host_counts_are_named(weights):
    with pytest.raises(ValueError, match=r"no example of class 1, 3 \(2 of 4 classes empty\)"):
        weights([4, 0, 2, 0])
    with pytest.raises(ValueError, match="class 0"):
        weights(np.array([0, 3]))


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_an_empty_class_has_weight_zero_and_leaves_the_others_alone(weights):
    without = np.asarray(weights([40, 2, 700]))
    for got in (
        weights([40, 0, 2, 700, 0], allow_empty=True),
        weights(jnp.array([40, 0, 2, 700, 0])),
    ):
        np.testing.assert_array_equal(np.asarray(got)[[1, 4]], 0)
        np.testing.assert_allclose(np.asarray(got)[[0, 2, 3]], without, rtol=TRACED)


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_only_empty_classes_give_zero_weights(weights):
    np.testing.assert_array_equal(weights([0, 0], allow_empty=True), [0, 0])
    np.testing.assert_array_equal(weights(jnp.zeros(5, jnp.int32)), np.zeros(5))


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_a_traced_empty_class_leaves_a_message_unless_allowed(weights):
    for allow_empty in (False, True):
        check = jax.jit(checkify.checkify(functools.partial(weights, allow_empty=allow_empty)))
        message = check(jnp.array([3, 0]))[0].get()
        assert message is None if allow_empty else "empty class" in message


def test_host_counts_with_an_empty_class_are_refused_under_a_traced_beta_too():
    with pytest.raises(ValueError, match="no example of class 1"):
        jax.vmap(lambda b: jimb.effective_number_weights(np.array([5, 0]), beta=b))(jnp.ones(2))


# --- wrong input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=1.01)),
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=-0.1)),
        ("beta", lambda: jimb.effective_number_weights([1, 2], beta=float("nan"))),
        ("beta", lambda: jimb.effective_number_weights(jnp.array([1, 2]), beta=[0.5, 2.0])),
        ("beta", lambda: jimb.effective_number([1, 2], beta=1.01)),
        ("volume", lambda: jimb.effective_number_weights([1, 2], volume=0.9)),
        ("power", lambda: jimb.inverse_frequency_weights([1, 2], power=-1.0)),
        ("counts", lambda: jimb.inverse_frequency_weights([1, -2])),
        ("counts", lambda: jimb.effective_number_weights(np.array([1, -2]), beta=0.9)),
        ("counts", lambda: jimb.effective_number([np.inf, 1], beta=0.9)),
    ],
)
def test_wrong_host_numbers_raise(name, call):
    with pytest.raises(ValueError, match=f"{name} must lie in"):
        call()


@pytest.mark.parametrize("weights", TRACEABLE.values(), ids=TRACEABLE)
def test_wrong_traced_counts_give_nan_and_a_message(weights):
    check = jax.jit(checkify.checkify(weights))
    for bad in (-2.0, np.nan, np.inf):
        error, got = check(np.array([1.0, bad], np.float32))
        assert np.isnan(got).any()
        assert "counts must lie in" in error.get()


@pytest.mark.parametrize("name", ["beta", "volume", "power"])
def test_a_wrong_traced_parameter_gives_nan_and_a_message(name):
    weights = jimb.inverse_frequency_weights if name == "power" else jimb.effective_number_weights
    check = jax.jit(checkify.checkify(lambda v: weights(jnp.array([1, 2]), **{name: v})))
    for bad in {"beta": (1.5, -0.1, np.nan), "volume": (0.5,), "power": (-1.0,)}[name]:
        error, got = check(np.float32(bad))
        np.testing.assert_array_equal(got, [np.nan, np.nan])
        assert f"{name} must lie in" in error.get()


@pytest.mark.parametrize("asarray", [np.array, jnp.array])
@pytest.mark.parametrize("shape", [(), (0,), (1, 2)])
def test_counts_must_be_one_number_per_class(asarray, shape):
    counts = asarray(np.ones(shape))
    for weights in TRACEABLE.values():
        with pytest.raises(ValueError, match=r"counts must be one number per class"):
            weights(counts)
    with pytest.raises(ValueError, match=r"counts must be one number per class"):
        jimb.effective_number(counts, beta=0.5)


@pytest.mark.parametrize("asarray", [np.array, jnp.array])
def test_parameters_must_be_scalar_or_one_per_class(asarray):
    for name in ("beta", "volume"):
        with pytest.raises(ValueError, match="scalar or one number per class"):
            jimb.effective_number_weights([1, 2], **{name: asarray([1.0, 1.0, 1.0])})
    with pytest.raises(ValueError, match="power"):
        jimb.inverse_frequency_weights([1, 2], power=asarray([1.0, 1.0, 1.0]))


def test_exactly_one_of_beta_and_volume_is_given():
    with pytest.raises(TypeError, match="exactly one of beta and volume"):
        jimb.effective_number_weights([1, 2])
    with pytest.raises(TypeError, match="exactly one of beta and volume"):
        jimb.effective_number_weights([1, 2], beta=0.9, volume=10.0)
