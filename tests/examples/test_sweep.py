"""The grid of a sweep is one program, and each cell of it the training that it stands for."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jimb
from examples.sweep import __main__ as sweep
from examples.sweep import grid, report, settings, task, timing

SETTINGS = settings.Settings(x_values=(0.0, 2.0), y_values=(0.0, 0.99, 0.9999), seeds=2, calls=2)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def trials():
    return task.make_trials(SETTINGS)


@pytest.fixture(scope="module")
def grids():
    return {name: jnp.asarray(values) for name, values in SETTINGS.grids.items()}


def test_what_is_chosen_by_is_neither_trained_on_nor_reported(trials):
    halves = np.asarray(trials.halves)
    assert not (halves[:, 0] & halves[:, 1]).any()
    left = (~halves.any(1)).sum(1)
    np.testing.assert_array_equal(left, task.SIZES.sum())  # those that are trained on
    digits = np.asarray(trials.digits[0])
    for half in halves.reshape(-1, len(digits)):
        assert np.bincount(digits[half], minlength=10).min() >= 25


@pytest.mark.slow
def test_every_cell_is_its_own_training_in_one_trace(trials, grids, monkeypatch):
    """Six cells on eight devices: two devices train a cell that is there already."""
    traces = []
    train = grid.training_of("cb-focal")

    def counted(trial, **given):
        traces.append(1)
        return train(trial, **given)

    with jax.set_mesh(jax.make_mesh((8,), ("points",))):
        swept = jimb.sweep(grid.over_seeds(counted), grids, mesh_axis="points")
        found = np.asarray(swept(trials))
        assert np.array_equal(np.asarray(swept(trials)), found)
    assert len(traces) == 1
    assert found.shape == (3, 2, 2, 2, 10)

    @jax.jit
    def one(trial, beta, gamma):
        return train(trial, beta=beta, gamma=gamma)

    first = timing.first_of(trials)
    for i, beta in enumerate(grids["beta"]):
        for j, gamma in enumerate(grids["gamma"]):
            alone = np.asarray(one(first, beta, gamma))
            # A recall is a share of 25 to 91 images, and no prediction differed.
            np.testing.assert_allclose(found[i, j, 0], alone, atol=1e-6)
    assert len(np.unique(found.mean((2, 3, 4)))) > 3


def test_a_factor_of_the_rate_is_the_rate(trials):
    first = timing.first_of(trials)
    train = grid.training_of("focal")
    still = np.asarray(train(first, rate=jnp.float32(0), gamma=jnp.float32(0)))
    again = np.asarray(train(first, rate=jnp.float32(0), gamma=jnp.float32(3)))
    np.testing.assert_array_equal(still, again)  # nothing was learnt


@pytest.mark.slow
def test_it_prints_the_table_and_draws_the_map(monkeypatch, capsys, tmp_path):
    figure, page = tmp_path / "new" / "map.png", tmp_path / "page.md"
    arguments = ["--x-values", "0", "2", "--y-values", "0", "0.99", "--seeds", "2", "--calls", "2"]
    arguments += ["--figure", str(figure), "--report", str(page)]
    monkeypatch.setattr(sys, "argv", ["examples.sweep", *arguments])
    sweep.main()
    printed = capsys.readouterr().out
    assert printed.partition("\nfigure:")[0].strip() in page.read_text()
    assert page.read_text().startswith(report.INTRODUCTION)
    assert "| β \\ γ | 0          | 2          |" in printed
    assert printed.count("±") == 1 + 4 + 1
    assert "would take an estimated" in printed
    assert max(map(len, printed.partition("figure:")[0].splitlines())) <= 100
    assert "8 trainings (4 cells, 2 seeds) on 8 cpu devices" in printed
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_best_cell_is_that_of_the_held_out_images():
    recalls = np.zeros((2, 2, 3, 2, 10))
    recalls[1, 0, :, report.HELD_OUT] = 0.5
    recalls[0, 1, :, report.REPORTED] = 0.9
    recalls[0, 0, :, report.HELD_OUT, 8] = 1.0
    assert report.best_cell(recalls, "mean of ten") == (1, 0)
    assert report.best_cell(recalls, "digit 8") == (0, 0)


def test_a_cell_is_as_good_as_the_best_if_its_paired_difference_is_within_two_errors():
    recalls = np.zeros((1, 4, 3, 2, 10))
    held_out = recalls[0, :, :, report.HELD_OUT]
    held_out[0] = np.array([0.5, 0.7, 0.9])[:, None]
    held_out[1] = held_out[0]  # equal: no worse, and not chosen
    held_out[2] = held_out[0] - np.array([0.04, 0.05, 0.06])[:, None]  # always a little worse
    held_out[3] = np.array([0.9, 0.6, 0.5])[:, None]  # worse on average, by chance
    assert report.best_cell(recalls, "mean of ten") == (0, 0)
    assert report.as_good(recalls, "mean of ten").tolist() == [[True, True, False, True]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--x", "beta"], "--x and --y are both beta"),
        (["--x", "power"], "beta and power are both class weights"),
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--y-values", "0.5", "1.5"], "values of beta must lie in [0, 1]"),
        (["--x-values", "-1"], "values of gamma must lie in [0, inf]"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["examples.sweep", *arguments])
    with pytest.raises(SystemExit) as stopped:
        sweep.main()
    assert str(stopped.value.code).startswith("examples.sweep: ")
    assert sentence in str(stopped.value.code)
