"""The command, killed at named points, on several hosts, and where it cannot go on."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.train import events
from tests.helpers import joined, kills

ROOT = Path(__file__).parents[3]
TRAIN = [sys.executable, "-m", "examples.train"]
KILLED = [sys.executable, "-m", "tests.helpers.launch"]
# Two calls an epoch, so that some checkpoints are in the middle of a plan.
OPTIONS = ["--loss", "cb-focal", "--sampler", "difficulty", "--batch-size", "2", "--epochs", "4"]
OPTIONS += ["--save-minutes", "0"]
# Takes the limit and becomes the command, so that no process of JAX's has to fork Python code.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
os.execv(sys.argv[1], sys.argv[1:])
"""
NO_LARGE_FILES = [sys.executable, "-c", LIMITED]

pytestmark = pytest.mark.slow  # each process takes seconds to start


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Each process compiles what the one before did not."""
    cache = tmp_path_factory.mktemp("compiled")
    return os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def run(environment, *arguments, command=TRAIN):
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def results(folder):
    (path,) = folder.glob("*/results.json")
    found = json.loads(path.read_text())
    del found["settings"]  # they have the name of the folder
    return found


@pytest.fixture(scope="module")
def uninterrupted(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = run(environment, *OPTIONS, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def killed(environment, folder, point, number, *arguments):
    """A run that dies at this point of that save of its own."""
    command = [*KILLED, point, str(number)]
    done = run(environment, *OPTIONS, "--out", folder, *arguments, command=command)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list(folder.glob("*/results.json"))


def test_killed_at_six_points_it_ends_with_the_same_bits(environment, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    for point in kills.POINTS:
        killed(environment, folder, point, 1, "--resume")
    done = run(environment, *OPTIONS, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    assert results(folder) == results(uninterrupted)


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def checkpoints(folder):
    return sorted(p.name for p in folder.glob("*/checkpoints/*") if p.name[-1].isdigit())


def test_a_cut_checkpoint_is_told_of_and_the_one_before_taken(environment, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    killed(environment, folder, "complete", 2)
    _, newest = checkpoints(folder)[-2:]
    (largest,) = sorted(
        (p for p in folder.glob(f"*/checkpoints/{newest}/**/*") if p.is_file()),
        key=lambda p: p.stat().st_size,
    )[-1:]
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    done = run(environment, *OPTIONS, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    (told,) = (line for line in done.stderr.splitlines() if "damaged" in line)
    assert "going on from" in told
    assert results(folder) == results(uninterrupted)


def test_a_full_disk_is_one_sentence_and_what_was_saved_stays(environment, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    killed(environment, folder, "complete", 2)
    before = files(folder)

    # What is compiled cannot be kept either, so this run has no cache.
    bare = {k: v for k, v in environment.items() if not k.startswith("JAX_")}
    failed = run(bare, *OPTIONS, "--out", folder, "--resume", command=[*NO_LARGE_FILES, *TRAIN])
    check_one_sentence(failed, "could not be written")
    after = files(folder)
    kept = {p: x for p, x in before.items() if not p.name.startswith("events.")}  # written again
    assert kept.items() <= after.items()
    assert len(list(folder.glob("*/events.*"))) == events.can_be_written()
    done = run(environment, *OPTIONS, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    assert results(folder) == results(uninterrupted)


def check_one_sentence(failed, words):
    assert failed.returncode not in (0, None)
    last = failed.stderr.strip().splitlines()[-1]
    assert last.startswith("examples.train: "), failed.stderr
    assert words in last
    assert "Traceback" not in failed.stderr


def test_a_run_is_neither_overwritten_nor_gone_on_with_by_other_options(environment, uninterrupted):
    before, numbers = files(uninterrupted), results(uninterrupted)
    check_one_sentence(run(environment, *OPTIONS, "--out", uninterrupted), "holds a run")
    other = run(environment, *OPTIONS, "--out", uninterrupted, "--resume", "--gamma", "1")
    check_one_sentence(other, "--gamma")
    assert files(uninterrupted) == before
    again = run(environment, *OPTIONS, "--out", uninterrupted, "--resume")
    assert again.returncode == 0, again.stderr
    assert results(uninterrupted) == numbers
    changed = {p for p, x in files(uninterrupted).items() if before.get(p) != x}
    assert {p.name.split(".")[0] for p in changed} <= {"results", "figure", "events"}


def test_what_cannot_be_done_is_one_sentence(environment, tmp_path):
    """All in one: each process takes seconds to start."""
    taken = tmp_path / "file"
    taken.write_text("mine")
    fashion = tmp_path / "fashion"
    fashion.mkdir()
    name = fashion / "train-images-idx3-ubyte"
    name.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 40, 4, 4) + bytes(639))
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / name.name).write_bytes(struct.pack(">BBBB3I", 0, 0, 9, 3, 40, 4, 4) + bytes(640))
    out = "--out", tmp_path / "out"
    cases = [
        (["--out", taken / "run"], "Name another folder by --out"),
        (["--dataset", "fashion-mnist", "--data-dir", fashion, *out], "its header says"),
        (["--dataset", "fashion-mnist", "--data-dir", wrong, *out], "is no IDX file"),
        (["--dataset", "fashion-mnist", "--data-dir", tmp_path, *out], "get_data.sh"),
        (["--epochs", "0", *out], "--epochs must be at least 1"),
        (["--batch-size", "342", *out], "at most its 341 examples"),
        (["--batch-size", "63", "--cpu-devices", "2", *out], "does not divide among 2 devices"),
        (["--resume"], "--resume needs --out"),
        (["--learning-rate", "1e30", "--loss", "ce", *out], "is not finite at step"),
    ]
    processes = [
        subprocess.Popen(
            [*TRAIN, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments, _ in cases
    ]
    for process, (arguments, words) in zip(processes, cases, strict=True):
        _, stderr = process.communicate(timeout=300)
        check_one_sentence(
            subprocess.CompletedProcess(arguments, process.returncode, "", stderr), words
        )
    assert taken.read_text() == "mine"


# --------------------------------------------------------------------------------- several hosts


def run_two(environment, folder, *arguments):
    """Two processes of two devices."""

    def command_of(port, i):
        return [
            *(*TRAIN, *OPTIONS, "--out", str(folder), "--cpu-devices", "2", "--distributed"),
            *("--coordinator", f"127.0.0.1:{port}", "--num-processes", "2"),
            *("--process-id", str(i), *arguments),
        ]

    return joined.run_two(command_of, environment=environment)


def check_close(found, expected):
    """The first 50 losses differed by 6e-7 at most."""
    np.testing.assert_allclose(found["losses"][:50], expected["losses"][:50], rtol=2e-6)
    n = np.sum(expected["confusion"], axis=1)
    recall = np.array(expected["recall"])
    error = np.sqrt((recall * (1 - recall) / n).sum()) / len(n)
    assert abs(found["balanced_accuracy"] - expected["balanced_accuracy"]) < error


TOGETHER = "--batch-size", "4", "--epochs", "2"


@pytest.fixture(scope="module")
def alone(environment, tmp_path_factory):
    """What two processes are compared to."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    done = run(environment, *OPTIONS, *TOGETHER, "--out", folder)
    assert done.returncode == 0, done.stderr
    return results(folder)


def test_two_processes_train_as_one(environment, alone, tmp_path):
    lead, other = run_two(environment, tmp_path / "run", *TOGETHER)
    assert "balanced" in lead
    assert "balanced" not in other
    check_close(results(tmp_path / "run"), alone)
    assert len(list(tmp_path.glob("run/*/events.*"))) == events.can_be_written()  # of the lead


def test_a_run_of_one_process_goes_on_in_two_that_read_through_grain(environment, alone, tmp_path):
    folder = tmp_path / "run"
    killed(environment, folder, "complete", 2, *TOGETHER, "--feed", "grain")
    lead, _ = run_two(environment, folder, *TOGETHER, "--feed", "grain", "--resume")
    assert "going on after step" in lead
    check_close(results(folder), alone)
