"""The key of every random function: a seed, a swapped argument, several keys."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jimb import sampling

KEY = jax.random.key(0)
LABELS = [0, 0, 1]
WEIGHTS = jnp.array([1.0, 0.5, 2.0])
RANDOM = {
    "epoch_plan": (sampling.epoch_plan, WEIGHTS, {"num": 5}),
    "undersample_plan": (sampling.undersample_plan, LABELS, {"num_classes": 2}),
    "oversample_plan": (sampling.oversample_plan, LABELS, {"num_classes": 2}),
    "label_shuffle_plan": (sampling.label_shuffle_plan, LABELS, {"num_classes": 2}),
    "balanced_plan": (sampling.balanced_plan, LABELS, {"num_classes": 2, "per_class": 2}),
    "class_batches": (sampling.class_batches, LABELS, {"classes_per_batch": 1, "per_class": 1}),
    "interpolate": (sampling.interpolate_within_class, WEIGHTS, {"labels": LABELS}),
}
random = pytest.mark.parametrize(("function", "values", "rest"), RANDOM.values(), ids=RANDOM)


def call(function, key, values, rest):
    """As users call it: in the tests, type checks come first."""
    return inspect.unwrap(function)(key, values, **rest)


@random
def test_a_seed_is_no_key(function, values, rest):
    for seed in (0, np.int64(0), np.array(0), jnp.int32(0)):
        with pytest.raises(TypeError, match=r"key must be a key.*jax\.random\.key\("):
            call(function, seed, values, rest)


@random
def test_swapped_arguments_are_named(function, values, rest):
    name = list(inspect.signature(function).parameters)[1]
    for key in (KEY, jax.random.PRNGKey(0)):
        with pytest.raises(TypeError, match=f"key and {name} are swapped"):
            call(function, values, key, rest)


@random
def test_what_is_no_key_is_refused(function, values, rest):
    for wrong in (None, "0", 1.5, True, np.random.default_rng(0), WEIGHTS, jnp.zeros((2, 3))):
        with pytest.raises(
            TypeError, match=r"key, the first argument, must be made by jax\.random"
        ):
            call(function, wrong, values, rest)


@random
def test_several_keys_are_for_vmap(function, values, rest):
    with pytest.raises(ValueError, match=r"key must be one key, got \[3\] of them; use jax.vmap"):
        call(function, jax.random.split(KEY, 3), values, rest)


@pytest.mark.slow
@random
def test_an_old_key_is_the_new_one(function, values, rest):
    got = call(function, jax.random.PRNGKey(0), values, rest)
    np.testing.assert_array_equal(got, call(function, KEY, values, rest))


def test_a_key_is_no_array_of_numbers():
    for bad in (
        lambda: sampling.mix_uniform(KEY, amount=0.5),
        lambda: sampling.class_power(KEY, [1, 2], power=0.0),
    ):
        with pytest.raises(TypeError, match="got a key"):
            bad()
