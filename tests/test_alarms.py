"""Valid input raises no alarm: `jax_debug_nans`, `jax_debug_infs`, checkify's own checks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jimb
from jimb import sampling
from tests.helpers.valid_calls import CALLS, WITH_EMPTY
from tests.test_api import FUNCTIONS

INDICES = checkify.user_checks | checkify.index_checks


def test_the_table_has_every_public_function():
    short = {name.removeprefix("jimb.") for name in FUNCTIONS}
    losses = {name for name in short if name.startswith("losses.")}  # each is at the top, too
    of_no_traced_arrays = {"sampling.grain.select", "counting.to_numpy", "metrics.report"}
    assert set(CALLS) == short - losses - of_no_traced_arrays


# By default the losses, weights and counts; of states, plans and measures among the slow tests.
DOTTED = [pytest.param(n, marks=pytest.mark.slow) if "." in n else n for n in CALLS]
# Without jit each operation is compiled by itself: a call of each family.
FEW = ("softmax_focal_loss", "sigmoid_asymmetric_loss", "tversky_loss", "weighted_mean", "mean_one")
EAGER = [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in CALLS]


@pytest.mark.parametrize("name", EAGER)
def test_no_nan_or_inf_is_computed_without_jit(name):
    function, arrays = CALLS[name]
    with jax.debug_nans(True), jax.debug_infs(True):
        jax.block_until_ready(function(*arrays))


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_under_jit_no_index_is_outside_and_no_nan_or_inf_comes_out(name):
    """And, where checkify's checks of floats compile in time, no NaN is computed."""
    function, arrays = CALLS[name]
    slow = name.startswith(("difficulty.", "metrics."))
    checks = INDICES if slow else INDICES | checkify.float_checks
    if name == "posthoc.choose":  # checkify cannot follow the scatter of a vmap
        checks = checkify.user_checks
    with jax.debug_nans(True), jax.debug_infs(True):
        error, _ = jax.jit(checkify.checkify(lambda *x: function(*x), checks))(*arrays)
    error.throw()


@pytest.mark.slow
def test_the_ends_of_the_parameters_raise_no_alarm():
    with jax.debug_nans(True), jax.debug_infs(True):
        for counts in ([6, 2, 1], jnp.array([6, 2, 1]), jnp.array([6, 0, 1])):
            for given in ({"beta": 0.0}, {"beta": 1.0}, {"volume": 1.0}, {"volume": np.inf}):
                jimb.effective_number_weights(counts, **given)
            for power in (1.0, 0.0, -1.0):
                sampling.class_power(jnp.array([0, 2]), counts, power=power)
        for beta in (0.0, 0.999, 1.0):
            jax.grad(lambda b: jimb.effective_number_weights(WITH_EMPTY, beta=b)[0])(beta)
        for q in (0.0, 0.3, 1.0):
            sampling.clip_quantile(jnp.zeros(3), q=q)
