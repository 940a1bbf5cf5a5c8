"""Region losses: their digits, other ways to call them, and what they refuse."""

import functools
import inspect

import jax
import numpy as np
import optax
import pytest

import jimb
from tests.helpers import regions_oracle
from tests.losses.test_regions import BINARY, HYPER, IDS, ONE_HOT, K, Z


def tails():
    """Pixels of which all are nearly right, or nearly wrong."""
    z = np.float32([[30, -20, 0], [-18, 20, 1], [40, 90, 0]])[None] * np.float32([[[1]], [[-1]]])
    return z, np.array([[0, 1, 1]] * 2, np.int32)


@pytest.mark.parametrize("sigmoid", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_small_losses_have_all_their_digits(sigmoid):
    """Measured 1e-6."""
    z, ids = tails()
    y = np.eye(3)[ids]
    wide = np.float64(z)
    if sigmoid:
        p, q = 1 / (1 + np.exp(-wide)), 1 / (1 + np.exp(wide))
    else:
        odds = np.exp(wide)
        p = odds / odds.sum(-1, keepdims=True)
        q = np.stack([odds[..., [j for j in range(3) if j != c]].sum(-1) for c in range(3)], -1)
        q = q / odds.sum(-1, keepdims=True)
    lost = 0.3 * ((1 - y) * p).sum(1) + 0.7 * (y * q).sum(1)
    expected = (lost / ((y * p).sum(1) + lost + 0.5)) ** 0.75
    labels = y.astype(np.float32) if sigmoid else ids

    @jax.jit
    def run(z):
        loss = functools.partial(jimb.tversky_loss, axis=1, sigmoid=sigmoid, **HYPER)
        return loss(z, labels)

    np.testing.assert_allclose(run(z), expected, rtol=2e-6)


@pytest.mark.slow
def test_a_million_pixels():
    """Measured 5e-8."""
    rng = np.random.default_rng(2)
    z = rng.normal(0, 3, (2**20, K)).astype(np.float32)
    labels = (rng.uniform(size=2**20) ** 20 * K).astype(np.int32)
    losses = jax.jit(functools.partial(jimb.dice_loss, axis=0))(z, labels)
    np.testing.assert_allclose(losses, regions_oracle.tversky(z, np.eye(K)[labels], 0), rtol=5e-7)


# Other ways to call it.


@pytest.mark.slow
def test_an_image_by_vmap_and_dice_as_optax_has_it():
    mapped = jax.jit(jax.vmap(functools.partial(jimb.dice_loss, axis=0)))(Z, IDS)
    expected = optax.losses.dice_loss(Z, ONE_HOT, reduction="none")
    np.testing.assert_allclose(mapped, expected, rtol=3e-7)


TVERSKY = functools.partial(jimb.tversky_loss, alpha=0.3, beta=0.7, gamma=0.75)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [TVERSKY, jimb.lovasz_softmax_loss], ids=["tversky", "lovasz"])
def test_float64_stays_and_gradients_lower_for_cpu_gpu_and_tpu(loss):
    with jax.enable_x64(True):
        assert jax.eval_shape(lambda z: loss(z, IDS, axis=1), np.float64(Z)).dtype == np.float64
    platforms = ("cpu", "cuda", "tpu")
    gradient = jax.jit(jax.grad(lambda z: loss(z, IDS, axis=1).sum()))
    assert jax.export.export(gradient, platforms=platforms)(Z).platforms == platforms


BAD_CALLS = [
    (IDS, {"axis": 2}, ValueError, r"axis must name .* but for the last"),
    (IDS, {"axis": (1, -2)}, ValueError, "axis must name"),
    (IDS, {"axis": ()}, ValueError, "axis must name"),
    (BINARY, {"axis": 3, "sigmoid": True}, ValueError, r"axis must name .* \[2, 5, 3\] to sum"),
    (IDS, {"axis": 1, "sigmoid": True}, ValueError, r"of class ids take jax.nn.one_hot"),
    (IDS + 1, {"axis": 1}, ValueError, r"labels must lie in \[0, 3\)"),
    (IDS, {"axis": 1, "where": IDS}, TypeError, "where must be boolean"),
    (IDS, {"axis": 1, "where": ONE_HOT > 0}, ValueError, r"where must have the shape \[2, 5\]"),
]


@pytest.mark.parametrize("row", BAD_CALLS, ids=lambda row: row[3][:30])
def test_bad_input_is_refused_in_a_sentence(row):
    labels, kwargs, error, match = row
    with pytest.raises(error, match=match):
        jimb.dice_loss(Z, labels, **kwargs)


def test_numbers_out_of_range_are_refused():
    valid = {"alpha": 0.5, "beta": 0.5}
    for name, value in {"alpha": -1.0, "beta": np.nan, "gamma": 0.0, "smooth": -1.0}.items():
        with pytest.raises(ValueError, match=f"{name} must lie in"):
            jax.eval_shape(lambda: jimb.tversky_loss(Z, IDS, axis=1, **valid | {name: value}))  # noqa: B023


def test_the_axis_has_no_default():
    """Per image and over the batch are two functions."""
    for function in (jimb.dice_loss, jimb.tversky_loss, jimb.lovasz_softmax_loss):
        assert inspect.signature(function).parameters["axis"].default is inspect.Parameter.empty
