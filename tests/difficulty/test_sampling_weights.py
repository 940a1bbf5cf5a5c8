"""Score and sampling weights, read from the state, and what their pseudocount may be."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jimb import difficulty
from tests.helpers.difficulty_oracle import K, N, f64, swept


def test_score_and_sampling_weights_are_the_papers():
    state = swept(jnp.float32)
    unlearned, learned = f64(state.unlearned), f64(state.learned)
    for c in (0.1, 1.0, 10.0):
        expected = (c + unlearned) / (c + learned)
        np.testing.assert_allclose(difficulty.score(state, pseudocount=c), expected, rtol=3e-7)
        weights = difficulty.sampling_weights(state, pseudocount=c)
        np.testing.assert_allclose(weights, expected / expected.sum(), rtol=6e-7)
        np.testing.assert_allclose(f64(weights).sum(), 1, rtol=3e-7)


def test_unseen_examples_score_one_and_share_equally():
    state = difficulty.init(8, 3)
    np.testing.assert_array_equal(difficulty.score(state, pseudocount=3.0), np.ones(8))
    np.testing.assert_array_equal(difficulty.sampling_weights(state), np.full(8, 0.125))


def test_where_takes_examples_out_of_the_sampling_weights():
    state, where = swept(jnp.float32), np.arange(N) % 4 != 0
    weights = difficulty.sampling_weights(state, where=where)
    score = np.where(where, (1 + f64(state.unlearned)) / (1 + f64(state.learned)), 0)
    np.testing.assert_allclose(weights, score / score.sum(), rtol=6e-7)
    np.testing.assert_array_equal(np.asarray(weights)[~where], 0)
    nothing = difficulty.sampling_weights(state, where=np.zeros(N, bool))
    np.testing.assert_array_equal(nothing, np.zeros(N))


def test_where_takes_out_an_example_whose_sums_are_nan():
    state = difficulty.DifficultyState(jnp.array([1.0, jnp.nan]), jnp.array([0.0, 1.0]), None)
    weights = difficulty.sampling_weights(state, where=jnp.array([True, False]))
    np.testing.assert_array_equal(weights, [1, 0])


def test_vmap_over_the_pseudocount():
    state, values = swept(jnp.float32), jnp.array([0.1, 1.0, 5.0])
    got = jax.jit(jax.vmap(lambda c: difficulty.sampling_weights(state, pseudocount=c)))(values)
    for row, c in zip(got, f64(values), strict=True):
        score = (c + f64(state.unlearned)) / (c + f64(state.learned))
        np.testing.assert_allclose(row, score / score.sum(), rtol=1e-6)


def test_gradient_by_the_state_is_zero():
    state = difficulty.DifficultyState(jnp.array([1.0, 2.0]), jnp.array([3.0, 0.5]), None)
    for read in (difficulty.score, difficulty.sampling_weights):
        for grad in jax.tree.leaves(jax.grad(lambda s, f=read: (f(s) ** 2).sum())(state)):
            np.testing.assert_array_equal(grad, 0)


def test_read_outs_fit_eval_shape():
    state = jax.eval_shape(lambda: difficulty.init(N, K))
    out = jax.eval_shape(difficulty.sampling_weights, state)
    assert (out.shape, out.dtype) == ((N,), jnp.float32)
    after = jax.eval_shape(
        difficulty.update,
        state,
        jax.ShapeDtypeStruct((N, K), jnp.bfloat16),
        jax.ShapeDtypeStruct((N,), jnp.int32),
    )
    assert after == state


@pytest.mark.parametrize("read", [difficulty.score, difficulty.sampling_weights])
def test_the_pseudocount_is_a_positive_scalar(read):
    state = difficulty.init(3, 2)
    for bad in (0, 0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="pseudocount must lie in"):
            read(state, pseudocount=bad)
    with pytest.raises(ValueError, match="pseudocount must be a scalar"):
        read(state, pseudocount=jnp.ones(3))
    with pytest.warns(UserWarning, match="pseudocount=0.05 is below 0.1"):
        read(state, pseudocount=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(state, pseudocount=0.1)


def test_a_traced_pseudocount_that_is_not_positive_gives_nan_and_a_message():
    state = difficulty.init(3, 2)
    check = jax.jit(checkify.checkify(lambda c: difficulty.score(state, pseudocount=c)))
    for bad in (-1.0, 0.0):
        error, got = check(np.float32(bad))
        assert np.isnan(got).all()
        assert "pseudocount must lie in" in error.get()


def test_sampling_weights_refuse_a_wrong_mask():
    state = difficulty.init(3, 2)
    with pytest.raises(TypeError, match="where must be boolean"):
        difficulty.sampling_weights(state, where=jnp.ones(3))
    with pytest.raises(ValueError, match="where must have the shape"):
        difficulty.sampling_weights(state, where=jnp.ones(2, bool))
