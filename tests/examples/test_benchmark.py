"""The benchmark trains what each row says, compares it to cross-entropy, and keeps what is done."""

import dataclasses
import json
import operator
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tqdm import tqdm

import jimb
from examples import training
from examples.benchmark import __main__ as benchmark
from examples.benchmark import draws, effects, measures, methods, report, trials
from examples.benchmark import results as benchmark_results
from examples.benchmark import run as benchmark_run
from examples.benchmark import task as benchmark_task
from examples.benchmark import tasks as benchmark_tasks
from examples.benchmark.results import Result
from examples.data import datasets, sources, subsets

METHODS = {method.name: method for method in methods.METHODS}
SPEC = dataclasses.replace(benchmark_tasks.TASKS["digits"], epochs=3, seeds=2)
BAR = tqdm(disable=True)
CALIBRATION = np.stack([np.full((3, 3), 0.1), np.full((3, 3), 0.3)])


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def task():
    return SPEC.make(np.arange(2), None)


@pytest.mark.parametrize("function", sorted({method.functions for method in METHODS.values()}))
def test_each_row_names_a_function_of_jimb(function):
    operator.attrgetter(function)(jimb)


def test_every_loss_of_the_training_loop_is_compared():
    assert {method.loss for method in METHODS.values()} == {*training.LOSSES, *training.ADAPTIVE}


# --------------------------------------------------------------------------------------- tasks


@pytest.mark.parametrize("name", ["digits", "parity"])
def test_no_image_is_both_trained_on_or_held_out_and_tested(name):
    task = benchmark_tasks.TASKS[name].make(np.arange(2), None)
    trained, held_out = (part.inputs.shape[1] for part in (task.train, task.held_out))
    assert held_out == 100
    assert trained == task.counts.sum()
    assert task.tested.shape == (2, 1797 - trained - held_out)
    mean, deviation = (np.asarray(part) for part in task.statistics)
    pool = np.asarray(task.pool)
    for s in range(2):
        known = {row.tobytes() for row in (pool - mean[s]) / deviation[s]}
        parts = (task.train, task.held_out)
        used = {row.tobytes() for part in parts for row in np.asarray(part.inputs[s])}
        tested = {row.tobytes() for row in ((pool - mean[s]) / deviation[s])[task.tested[s]]}
        assert used <= known
        assert not used & tested


def test_digits_have_the_sizes_of_the_tail(task):
    np.testing.assert_array_equal(task.counts, np.round(120 * 20.0 ** (-np.arange(10) / 9)))


def write_idx(folder, name, array):
    header = bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())


def test_fashion_has_the_sizes_of_its_order_and_spares_ten_of_each_class(tmp_path):
    labels = np.repeat(np.arange(10), 6000)
    images = np.broadcast_to(labels[:, None, None], (60000, 1, 2))
    write_idx(tmp_path, "train-images-idx3-ubyte", images)
    write_idx(tmp_path, "train-labels-idx1-ubyte", labels)
    write_idx(tmp_path, "t10k-images-idx3-ubyte", images[::600])
    write_idx(tmp_path, "t10k-labels-idx1-ubyte", labels[::600])
    order = subsets.HARD_TAIL
    task = benchmark_task.fashion(np.arange(2), str(tmp_path), 100.0, order)
    sizes = [round(6000 * 100 ** (-k / 9)) for k in range(10)]
    np.testing.assert_array_equal(task.counts[list(order)], sizes)
    for s in range(2):
        own = np.asarray(task.train.labels[s])
        np.testing.assert_array_equal(np.bincount(own), task.counts)
        np.testing.assert_array_equal(np.bincount(own[task.spared[s]]), np.full(10, 10))
    np.testing.assert_allclose(
        task.train.inputs[..., 0], (task.train.labels / 255 - 0.2860) / 0.3530, rtol=1e-5
    )
    np.testing.assert_array_equal(task.groups[task.tested], np.stack([labels[::600]] * 2))


def words_of(name, data_dir, *, imbalance, seed):
    """45 classes of 12 to 56 texts, each class known by its first word."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(45), np.arange(56, 11, -1)).astype(np.int32)
    words = rng.integers(50, 60, (len(labels), 4), np.int32)
    words[:, 0] = labels + 1
    return datasets.Dataset(words, labels, words[::3], labels[::3], 45, vocabulary=60)


# One of each kind of epoch, draw and plan: the others differ in a function that has its own tests.
@pytest.mark.parametrize(
    "name",
    [
        "LDAM-DRW",
        pytest.param("equalized focal", marks=pytest.mark.slow),
        pytest.param("progressively balanced", marks=pytest.mark.slow),
        pytest.param("under-sampling", marks=pytest.mark.slow),
        "class-balanced, interpolated",
        "OHEM, hardest half",
        pytest.param("hard-example pool", marks=pytest.mark.slow),
        pytest.param("class-wise difficulty", marks=pytest.mark.slow),
        pytest.param("logit adjustment, post hoc", marks=pytest.mark.slow),
    ],
)
def test_methods_train(monkeypatch, task, name):
    monkeypatch.setattr(trials, "calibration_of", lambda task, logits: logits.shape)
    confusion, shape = trials.run_method(METHODS[name], task, SPEC, 0, BAR)
    assert shape == (2, 1797 - task.counts.sum() - 100, 10)
    assert confusion.shape == (2, 10, 10)
    np.testing.assert_array_equal(confusion.sum((1, 2)), 1797 - task.counts.sum() - 100)
    recalls = np.einsum("skk->sk", confusion) / confusion.sum(-1)
    assert recalls.mean() > 0.15  # it has begun to learn: guessing is 0.1


@pytest.mark.slow
def test_one_vs_all_probabilities_are_corrected(task):
    """Its focusing leaves it unsure of what it knows."""
    _, found = trials.run_method(METHODS["one-vs-all focal"], task, SPEC, 0, BAR)
    assert found.shape == (2, 3, 3)
    trained, temperature, scaled = np.moveaxis(found[:, :, 0], 1, 0)
    assert (trained > 0.2).all()
    assert (temperature < 0.5 * trained).all()
    assert (scaled < 0.5 * trained).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["batches of half the classes", "label shuffling", "over-sampling"]
)
def test_plans_fill_the_epochs_of_45_classes_of_texts(monkeypatch, name):
    monkeypatch.setattr(datasets, "load", words_of)
    spec = dataclasses.replace(benchmark_tasks.TASKS["wordnet"], epochs=8, batch_size=50, seeds=2)
    task = spec.make(np.arange(2), None)
    monkeypatch.setattr(trials, "calibration_of", lambda task, logits: None)
    confusion, _ = trials.run_method(METHODS[name], task, spec, 0, BAR)
    assert confusion.shape == (2, 45, 45)
    assert (np.einsum("skk->s", confusion) / confusion.sum((1, 2)) > 0.5).all()


def test_a_batch_of_half_the_classes_has_as_many_of_each():
    labels = np.repeat(np.arange(45), np.arange(56, 11, -1))
    size = draws.whole_classes(45, 512)
    assert size == 22 * 23
    plan = draws.class_batches(jax.random.key(0), labels, 45, size)
    for batch in np.asarray(plan).reshape(-1, size):
        counts = np.bincount(labels[batch], minlength=45)
        assert sorted(set(counts)) == [0, 23]


def test_what_has_no_meaning_is_left_out_with_its_reason():
    half, between = METHODS["batches of half the classes"], METHODS["class-balanced, interpolated"]
    assert "one class" in methods.misfit(half, 2, 0)
    assert "word" in methods.misfit(between, 45, 100)
    for method in METHODS.values():
        if method is not half:
            assert not methods.misfit(method, 2, 0)
        if method is not between:
            assert not methods.misfit(method, 45, 100)


def test_label_plans_fill_an_epoch(task):
    keys = jax.random.split(jax.random.key(0), 2)
    plans = trials.label_plans(METHODS["under-sampling"], keys, task, 192, 64)
    assert plans.shape == (2, 192)
    smallest = task.counts.min()
    for plan, labels in zip(np.asarray(plans), np.asarray(task.train.labels), strict=True):
        first = np.bincount(labels[plan[: 10 * smallest]], minlength=10)
        np.testing.assert_array_equal(first, np.full(10, smallest))


# -------------------------------------------------------------------------------------- report


def outcome_of(columns, counts, class_of_group, **confusions):
    spec = dataclasses.replace(benchmark_tasks.TASKS["digits"], columns=columns)
    results = {name: Result(np.array(each), CALIBRATION, 60.0) for name, each in confusions.items()}
    return measures.Outcome(
        "digits", spec, np.array(counts), np.array(class_of_group), results, {}, 0
    )


def confusion_with(recalls, of=10):
    """Two classes, `of` test examples of each."""
    return [[[round(of * a), of - round(of * a)], [of - round(of * b), round(of * b)]]
            for a, b in recalls]  # fmt: skip


def test_the_table_is_the_paired_difference():
    baseline = confusion_with([(0.5, 0.0), (0.7, 0.0)])
    other = confusion_with([(0.5, 0.3), (0.7, 0.6)])
    confusions = {"cross-entropy (CE)": baseline, "label smoothing": other}
    lines = report.table(outcome_of("shots", [101, 19], [0, 1], **confusions))
    lines = lines.splitlines()
    assert lines[0].endswith("| balanced accuracy | many | few |")
    assert lines[2].endswith("| 30.0 | 60.0 | 0.0 |")
    assert lines[3].endswith("| 52.5 (+22.5 ± 7.5) | 60.0 (+0.0 ± 0.0) | 45.0 (+45.0 ± 15.0) |")


def test_an_event_that_nobody_calls_has_no_precision():
    baseline = confusion_with([(0.9, 0.5), (1.0, 0.5)])
    silent = confusion_with([(1.0, 0.0), (1.0, 0.0)])
    confusions = {"cross-entropy (CE)": baseline, "label smoothing": silent}
    outcome = outcome_of("event", [99, 1], [0, 1], **confusions)
    _, _, first, second = report.table(outcome).splitlines()
    assert first.endswith("| 72.5 | 50.0 | 91.7 |")  # 5 / 6 and 5 / 5
    assert second.endswith("| 50.0 (-22.5 ± 2.5) | 0.0 (-50.0 ± 0.0) | – |")


def test_the_columns_of_parity_are_means_over_digits():
    confusion = np.zeros((2, 10, 2), int)
    confusion[:, np.arange(10), np.arange(10) % 2] = 10
    confusion[:, 8] = [4, 6]
    confusions = {"cross-entropy (CE)": confusion}
    outcome = outcome_of("parity", [490, 125], np.arange(10) % 2, **confusions)
    assert report.table(outcome).endswith("| 94.0 | 40.0 | 100.0 | 100.0 |")


def test_thirds_are_by_size_and_accuracy_is_over_examples():
    confusion = np.zeros((2, 3, 3), int)
    confusion[:, 0], confusion[:, 1], confusion[:, 2] = [6, 0, 4], [0, 20, 0], [0, 70, 0]
    confusions = {"cross-entropy (CE)": confusion}
    outcome = outcome_of("thirds", [50, 900, 300], [0, 1, 2], **confusions)
    assert report.table(outcome).endswith("| 53.3 | 26.0 | 100.0 | 0.0 | 60.0 |")


def test_the_summary_goes_between_the_markers_of_the_page(tmp_path):
    baseline, other = confusion_with([(0.5, 0.0), (0.7, 0.0)]), confusion_with([(0.5, 0.3)] * 2)
    confusions = {"cross-entropy (CE)": baseline, "label smoothing": other}
    outcome = outcome_of("shots", [101, 19], [0, 1], **confusions)
    path = tmp_path / "effects.md"
    row = "| label smoothing | `f` | Szegedy 2016 | `benchmark` | {} |"
    path.write_text(f"a {row.format('+9.9 ± 9.9')}\n{effects.BEGIN}\nold\n{effects.END}\nz\n")
    for _ in range(2):
        effects.update(path, [outcome])
    rows = "| method | digits |\n|---|---|\n| label smoothing | +10.0 ± 5.0 |"
    between = f"{effects.BEGIN}\n{rows}\n{effects.END}"
    assert path.read_text() == f"a {row.format('+10.0 ± 5.0')}\n{between}\nz\n"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="has no lines <!-- results"):
        effects.update(path, [outcome])


# ------------------------------------------------------------------------------------- results

SETTINGS = {"task": "digits", "method": "focal, γ = 2", "epochs": 3}


def test_a_result_is_found_by_its_settings_and_by_no_others(tmp_path):
    result = Result(np.arange(8).reshape(2, 2, 2), CALIBRATION, 1.5)
    benchmark_results.write(tmp_path, SETTINGS, result)
    found = benchmark_results.read(tmp_path, SETTINGS)
    np.testing.assert_array_equal(found.confusion, result.confusion)
    np.testing.assert_array_equal(found.calibration, result.calibration)
    assert found.seconds == 1.5
    assert benchmark_results.read(tmp_path, {**SETTINGS, "epochs": 4}) is None
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".json"]


@pytest.mark.parametrize("content", ["", '{"settings": 1}', '{"confusion": [[1], 2]}', "[]"])
def test_a_damaged_result_is_one_sentence(tmp_path, content):
    path = benchmark_results.path_of(tmp_path, SETTINGS)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ValueError, match=r"\.json is damaged; remove it"):
        benchmark_results.read(tmp_path, SETTINGS)


def test_a_result_under_another_s_name_is_not_taken(tmp_path):
    benchmark_results.write(tmp_path, SETTINGS, Result(np.zeros((2, 2, 2), int), CALIBRATION, 1.0))
    path = benchmark_results.path_of(tmp_path, SETTINGS)
    path.rename(benchmark_results.path_of(tmp_path, {**SETTINGS, "epochs": 4}))
    with pytest.raises(ValueError, match="is of other settings"):
        benchmark_results.read(tmp_path, {**SETTINGS, "epochs": 4})


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"\.json could not be written: No space left on device\."):
        benchmark_results.write(
            tmp_path, SETTINGS, Result(np.zeros((2, 2, 2), int), CALIBRATION, 1.0)
        )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --------------------------------------------------------------------------------- command line


def start(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["examples.benchmark", *map(str, arguments)])
    benchmark.main()


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_the_page_is_what_is_printed(
    monkeypatch, capsys, tmp_path
):
    page, figure, results = tmp_path / "page.md", tmp_path / "a.png", tmp_path / "results"
    calibration = tmp_path / "calibration.md"
    options = ["--task", "digits", "--seeds", 2, "--epochs", 1, "--only", "γ = 2"]
    options += ["--results", results, "--page", page, "--figure", figure]
    options += ["--calibration", calibration]
    start(monkeypatch, *options)
    printed = capsys.readouterr().out
    assert page.read_text() == printed
    assert "| focal, γ = 2 |" in calibration.read_text()
    assert "1 epochs" in printed
    assert "2 trials from seed 0" in printed
    assert printed.count("±") == 1 + 4
    assert figure.read_bytes()[:4] == b"\x89PNG"
    kept = sorted(results.rglob("*"))
    assert len(kept) == 1 + 2
    settings = json.loads(kept[1].read_text())["settings"]
    assert (settings["epochs"], settings["seeds"], settings["batch_size"]) == (1, 2, 64)

    def again(*_):
        raise AssertionError("it is done")

    monkeypatch.setattr(benchmark_run, "run_method", again)
    start(monkeypatch, *options)
    assert capsys.readouterr().out == printed
    with pytest.raises(SystemExit, match=r"^examples.benchmark: .* be written: Is a directory"):
        start(monkeypatch, *options[:-1], results)
    options[5] = 2
    with pytest.raises(AssertionError, match="it is done"):
        start(monkeypatch, *options)


@pytest.mark.slow
def test_tasks_without_data_are_skipped_with_a_sentence(monkeypatch, capsys, tmp_path):
    def missing(*_):
        raise sources.MissingData("fashion-mnist is not here; get it with `that`.")

    tasks = benchmark_tasks.TASKS
    absent = dataclasses.replace(tasks["fashion-100"], make=missing)
    present = {"digits": tasks["digits"], "fashion-100": absent}
    monkeypatch.setattr(benchmark_run, "TASKS", present)
    options = ["--seeds", 2, "--epochs", 1, "--only", "γ = 2", "--results", tmp_path]
    start(monkeypatch, *options)
    said = capsys.readouterr()
    assert said.err.endswith("fashion-100 is skipped: fashion-mnist is not here; get it with "
                             "`that`.\n")  # fmt: skip
    assert "## Digits" in said.out
    with pytest.raises(SystemExit, match=r"examples.benchmark: fashion-mnist is not here"):
        start(monkeypatch, "--task", "fashion-100", *options)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--only", "nothing"], "no method has 'nothing' in its name"),
        (["--task", "nothing"], "--task nothing is none of digits, parity"),
        (["--data-dir", "nowhere"], "add --task"),
        (["--task", "shuttle", "--data-dir", "nowhere"], "get_data.sh r-cran-mlbench"),
        (["--task", "fashion-10", "--data-dir", "nowhere"], "get_data.sh dataset-fashion-mnist"),
        (["--page", "nowhere/page.md"], "nowhere"),
        (["--effects", "nowhere.md"], "nowhere.md is not there"),
    ],
)
def test_a_bad_command_line_is_one_sentence_and_a_failure(monkeypatch, capsys, arguments, sentence):
    with pytest.raises(SystemExit) as stopped:
        start(monkeypatch, *arguments)
    said = "".join(capsys.readouterr()) + str(stopped.value)
    assert sentence in " ".join(said.replace("│", " ").split())
    assert stopped.value.code not in (0, None)
