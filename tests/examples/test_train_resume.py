"""A training killed at a named point goes on as if it had not been, bit by bit."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from examples.data import datasets
from examples.train import loop
from examples.train.settings import Settings
from tests.helpers import kills

# Two calls an epoch, so that every second checkpoint is in the middle of a plan.
SETTINGS = Settings(loss="cb-focal", sampler="difficulty", batch_size=2, epochs=2, save_minutes=0)
STEPS = 172


@pytest.fixture(autouse=True, scope="module")
def _as_users_have_it():
    """One device; and Flax promotes dtypes and ranks, the library is tested strictly elsewhere."""
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.set_mesh(jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])),
    ):
        yield


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", None, imbalance=20, seed=0)


def killed(settings, digits, folder, point, number):
    """A run that dies at this point of that save of its own."""
    with pytest.MonkeyPatch.context() as patch:
        kills.arrange(point, number, kills.raise_killed, patch.setattr)
        with pytest.raises(kills.Killed):
            loop.train(settings, digits, folder)


@pytest.mark.parametrize("feed", ["device", "grain"])
def test_it_ends_with_the_same_bits(digits, tmp_path, capsys, feed):
    """Killed while it first writes, then in the middle of a plan, then at the end of an epoch."""
    settings = dataclasses.replace(SETTINGS, feed=feed)
    uninterrupted = loop.train(settings, digits)
    resumed = dataclasses.replace(settings, resume=True)
    killed(settings, digits, tmp_path, "undescribed", 1)
    killed(resumed, digits, tmp_path, "complete", 1)
    killed(resumed, digits, tmp_path, "unnamed", 2)
    outcome = loop.train(resumed, digits, tmp_path)
    said = capsys.readouterr().err
    assert "no checkpoint in" in said
    steps = [int(step) for step in re.findall(r"going on after step (\d+)", said)]
    assert steps == [STEPS // 2, STEPS]
    assert outcome.digest == uninterrupted.digest
    for name in ("confusion", "difficulty", "losses"):
        np.testing.assert_array_equal(getattr(outcome, name), getattr(uninterrupted, name))
    assert outcome.epochs == uninterrupted.epochs
