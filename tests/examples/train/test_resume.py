"""A training killed at a named point goes on as if it had not been, bit by bit."""

import contextlib
import dataclasses
import io
import re
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

from examples.data import datasets
from examples.train import loop
from examples.train.outcome import Outcome
from examples.train.settings import Settings
from tests.helpers import kills, scalars

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


class Resumed(NamedTuple):
    """A run that was killed three times, and one that was not."""

    outcome: Outcome
    uninterrupted: Outcome
    folder: Path
    said: str


RUNS = {
    "grain": {"feed": "grain"},
    "device": {"feed": "device"},
    "a loss that learns": {"loss": "equalized-focal", "sampler": None},
}


@pytest.fixture(
    scope="module",
    params=[
        name if name == "grain" else pytest.param(name, marks=pytest.mark.slow) for name in RUNS
    ],
)
def resumed(request, digits, tmp_path_factory):
    """Killed while it first writes, then in the middle of a plan, then at the end of an epoch."""
    folder, said = tmp_path_factory.mktemp("run"), io.StringIO()
    settings = dataclasses.replace(SETTINGS, **RUNS[request.param])
    again = dataclasses.replace(settings, resume=True)
    with contextlib.redirect_stderr(said):
        killed(settings, digits, folder, "undescribed", 1)
        killed(again, digits, folder, "complete", 1)
        killed(again, digits, folder, "unnamed", 2)
        outcome = loop.train(again, digits, folder)
    return Resumed(outcome, loop.train(settings, digits), folder, said.getvalue())


def test_it_ends_with_the_same_bits(resumed):
    assert "no checkpoint in" in resumed.said
    steps = [int(step) for step in re.findall(r"going on after step (\d+)", resumed.said)]
    assert steps == [STEPS // 2, STEPS]
    outcome, uninterrupted = resumed.outcome, resumed.uninterrupted
    assert outcome.digest == uninterrupted.digest
    for name in ("confusion", "difficulty", "losses"):
        np.testing.assert_array_equal(getattr(outcome, name), getattr(uninterrupted, name))
    assert outcome.epochs == uninterrupted.epochs
    counted = map(jax.tree.leaves, (outcome.calibration, uninterrupted.calibration))
    for one, other in zip(*counted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_its_events_have_each_step_once(resumed):
    pytest.importorskip("tensorboardX")
    expected = {}
    for first in range(0, 2 * STEPS, STEPS // 2):
        last = first + STEPS // 2
        expected["call/loss", last] = resumed.uninterrupted.losses[first:last].mean()
    for row in resumed.uninterrupted.epochs:
        for name in ("loss", "balanced_accuracy", "effective_share", "largest_share"):
            expected[f"epoch/{name}", row.step] = np.float32(getattr(row, name))
    written = scalars.read(resumed.folder)
    assert len(written) == len(expected) == 4 + 2 * 4
    assert {(tag, step): value for tag, step, value in written} == expected
