"""The log, the numbers and the figure of a training."""

import csv
import dataclasses
import json
import math
import os
import pathlib
import resource
from typing import NamedTuple

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection

from examples.train import comparison, events, figure, log, terminal
from examples.train.calibration import Calibration, Measured
from examples.train.log import Epoch
from examples.train.outcome import Outcome
from examples.train.recall import recalls
from examples.train.settings import Settings
from jimb.metrics.calibration import CalibrationMeasures, Reliability
from tests.helpers import scalars

EPOCHS = [
    Epoch(1, 30, 2.302585092994046, 0.123, 1.0, 1 / 1437),
    Epoch(2, 60, float("nan"), 1.5e-9, 0.123456789012345, 0.5),
]


@dataclasses.dataclass
class Options:
    """As of a command line."""

    data: pathlib.Path
    gamma: float | None
    verbose: bool


class Measures(NamedTuple):
    """As of an evaluation."""

    accuracy: object
    recall: object


def read_log(path):
    with path.open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_a_log_has_every_digit(tmp_path):
    path = tmp_path / "new" / "log.csv"
    log.write_log(path, EPOCHS[:1])
    log.write_log(path, EPOCHS)
    assert list(path.parent.iterdir()) == [path]
    found = read_log(path)
    assert found[0] == EPOCHS[0]._asdict()
    assert math.isnan(found[1].pop("loss"))
    assert found[1].items() <= EPOCHS[1]._asdict().items()


def test_json_has_every_number_and_null_for_what_is_not_finite(tmp_path):
    path = tmp_path / "numbers.json"
    contents = {
        "settings": Options(pathlib.Path("data"), None, True),
        "measures": Measures(jnp.bfloat16(0.5), np.array([[1.0, np.nan], [-np.inf, 0.1]])),
        "counts": jnp.arange(3),
        "floats": [np.float64(0.1), math.inf, np.int8(-3), np.bool_(False)],
        "name": "β",
        7: EPOCHS[:1],
    }
    log.write_json(path, contents)
    text = path.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == {
        "settings": {"data": "data", "gamma": None, "verbose": True},
        "measures": {"accuracy": 0.5, "recall": [[1.0, None], [None, 0.1]]},
        "counts": [0, 1, 2],
        "floats": [0.1, None, -3, False],
        "name": "β",
        "7": [EPOCHS[0]._asdict()],
    }


def test_the_table_is_aligned_and_has_one_header(capsys):
    for i, row in enumerate([*EPOCHS, Epoch(999, 12_345_678, 1e-4, 0.0, 0.01, 1.0)]):
        terminal.print_epoch(row, first=i == 0)
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[0].split()) == " ".join(terminal.COLUMNS)
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["1", "30", "2.3026", "12.3%", "100.0%", "0.07%"]
    assert lines[2].split()[2] == "nan"


# -------------------------------------------------------------------------------------- errors


def test_a_full_disk_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "log.csv"
    log.write_log(path, EPOCHS[:1])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match=f"{path} could not be written: File too large."):
            log.write_log(path, EPOCHS * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_log(path) == [EPOCHS[0]._asdict()]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "log.csv"
    with pytest.raises(OSError, match=f"{path} could not be written: (File exists|Not a dir)"):
        log.write_log(path, EPOCHS)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match=f"{folder} could not be written: Is a directory"):
        log.write_log(folder, EPOCHS)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_folder_one_may_not_write_is_a_sentence(tmp_path, monkeypatch):
    def refused(self, data):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(pathlib.Path, "write_bytes", refused)
    with pytest.raises(OSError, match=r"log.csv could not be written: Permission denied\.$"):
        log.write_log(tmp_path / "log.csv", EPOCHS)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- events


def test_events_replace_those_of_an_earlier_process(tmp_path):
    pytest.importorskip("tensorboardX")
    for values in ([0.5, 0.25, 0.125], [2.0]):
        written = events.Events(tmp_path)
        for step, value in enumerate(values):
            written.write(step, {"a": value, "b": -value})
        assert len(list(tmp_path.iterdir())) == 1 + len(written.earlier)
        written.drop_earlier()
        written.close()
        assert len(list(tmp_path.iterdir())) == 1
        pairs = [(("a", step, x), ("b", step, -x)) for step, x in enumerate(values)]
        assert scalars.read(tmp_path) == [one for pair in pairs for one in pair]


def test_events_of_nothing_are_no_file(tmp_path):
    events.Events(tmp_path).close()
    assert not list(tmp_path.iterdir())


def test_events_on_a_full_disk_are_a_sentence(tmp_path):
    pytest.importorskip("tensorboardX")
    written = events.Events(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        written.write(0, {f"scalar {i}": 0.0 for i in range(20)})
        with pytest.raises(OSError, match=f"events in {tmp_path} could not be written: File too"):
            written.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    written.close()


# -------------------------------------------------------------------------------------- figure


def task(classes, rng):
    """Counts, confusion, difficulty and labels of a long tail."""
    counts = (500 * 0.01 ** (np.arange(classes) / max(classes - 1, 1))).astype(int)
    confusion = rng.integers(0, 5, (classes, classes)) + np.diag(np.full(classes, 20))
    labels = np.repeat(np.arange(classes), counts)
    return counts, confusion, rng.exponential(size=labels.size), labels


def calibrated(value):
    """With points at one value, in per cent."""
    errors, points = CalibrationMeasures(*[value] * 5), Reliability(*[np.full(15, value)] * 3)
    return Calibration(np.full(2, value), Measured(errors, points), Measured(errors, points))


def outcome(confusion, **options):
    """Of which only the confusion is known."""
    recall = recalls(np.diagonal(confusion), confusion.sum(1))
    nothing = np.zeros(0)
    return Outcome(Settings(**options), recall, confusion, None, nothing, nothing, [], "")


@pytest.mark.parametrize(
    "classes", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in (10, 45)), 100]
)
def test_figures_of_any_number_of_classes(tmp_path, classes):
    rng = np.random.default_rng(0)
    counts, confusion, difficulty, labels = task(classes, rng)
    alone, compared = tmp_path / "figure.png", tmp_path / "comparison.png"
    other = confusion + rng.integers(0, 9, (classes, classes))
    outcomes = [outcome(confusion), outcome(other, loss="focal")]
    figure.draw(
        alone,
        "a recipe",
        counts=counts,
        recall=outcomes[0].recall,
        confusion=confusion if classes < 100 else None,
        calibration=calibrated(0.5),
        difficulty=difficulty,
        labels=labels,
    )
    comparison.draw(compared, "digits", outcomes, counts)
    for path in (alone, compared):
        pixels = plt.imread(path)
        assert min(pixels.shape[:2]) > 600
        assert pixels[..., :3].std() > 0.05
        assert pixels[..., 3:].min() == 1  # a card that is as white on a dark page
    assert not plt.get_fignums()


def points(axes):
    """Of every scatter of the axes."""
    collections = [x for x in axes.collections if isinstance(x, PathCollection)]
    return [np.asarray(x.get_offsets()) for x in collections]


@pytest.mark.parametrize("classes", [10, 45])
def test_what_the_figure_shows(classes):
    counts, confusion, difficulty, labels = task(classes, np.random.default_rng(0))
    confusion[4] = 0  # the test set lacks it
    whole, (one, two, three) = plt.subplots(1, 3)
    figure.draw_recall(one, counts, outcome(confusion).recall)
    present = [k for k in range(classes) if k != 4]
    # Ten have a place by their rank, which is their number here; 45 are drawn by their size.
    expected = [
        (k if classes == 10 else counts[k], 100 * confusion[k, k] / sum(confusion[k]))
        for k in present
    ]
    found = np.concatenate(points(one)).tolist()
    np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-12)
    assert one.get_xscale() == ("linear" if classes == 10 else "log")
    if classes == 10:
        ticks = [text.get_text() for text in one.get_xticklabels()]
        assert ticks == [f"{k}\n{counts[k]}" for k in range(10)]
    _, names = one.get_legend_handles_labels()
    assert len(names) == 4  # three groups, and the line of their mean

    figure.draw_confusion(two, confusion)
    shown = np.asarray(two.images[0].get_array()) ** 2
    for k in present:
        np.testing.assert_allclose(shown[k], 100 * confusion[k] / sum(confusion[k]), rtol=1e-12)
    np.testing.assert_array_equal(shown[4], 0)

    figure.draw_difficulty(three, counts, difficulty, labels)
    shares = [line.get_ydata() for line in three.lines]
    assert [x[[0, -1]].tolist() for x in shares] == [[0, 100]] * 3
    of_few = difficulty[(counts < 20)[labels]]
    np.testing.assert_array_equal(three.lines[-1].get_xdata()[1:], np.sort(of_few))
    plt.close(whole)


def test_what_the_comparison_shows():
    counts = np.array([500, 50, 5])
    recall = np.array([[90.0, 60.0, 10.0], [80.0, np.nan, 40.0]])
    whole, (left, right) = plt.subplots(1, 2)
    comparison.draw_classes(left, ["ce", "focal"], recall, counts)
    comparison.draw_groups(right, recall, counts)
    assert [x.tolist() for x in points(left)] == [
        [[0, 90], [2, 10]],
        [[0, 80], [2, 40]],
    ]
    segments = left.collections[0].get_segments()
    assert np.array(segments).tolist() == [[[0, 80], [0, 90]], [[2, 10], [2, 40]]]
    assert [text.get_text() for text in right.texts] == [
        *("90.0", "60.0", "10.0", "53.3"),
        *("80.0", "nan", "40.0", "60.0"),
    ]
    plt.close(whole)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_training_of_which_little_is_known_is_drawn(tmp_path, bad):
    figure.draw(
        tmp_path / "figure.png",
        "",
        counts=np.array([5, 1, 0]),
        recall=np.full(3, np.nan),
        confusion=np.zeros((3, 3), int),
        calibration=calibrated(np.nan),
        difficulty=np.array([0, 0, 1e9, 1, 1, bad]) if bad == np.inf else np.full(6, bad),
        labels=np.array([0, 0, 0, 0, 0, 1]),
    )
    nothing = outcome(np.zeros((3, 3), int))
    comparison.draw(tmp_path / "comparison.png", "", [nothing, nothing], np.array([5, 1, 0]))
