"""The accelerator command on a CPU: what it leaves behind, and that it tells what is missed."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jimb
from tests.accelerator.__main__ import main
from tests.accelerator.report import Report
from tests.accelerator.training import differences
from tests.helpers.figures import Figure

ROOT = Path(__file__).parents[2]
QUICK = ["class_balanced losses", "cosine", "look-up", "mean", "deltas", "visits", "counts"]
QUICK += ["sigmoid focal, value", "update, float16"]


def left_in(folder):
    return json.loads((folder / "accelerator.json").read_text())


@pytest.mark.slow
def test_the_quick_checks_pass_and_leave_two_tables(tmp_path):
    parts = "--parts", "values", "speed", "--minutes", "30"
    code = main(["--rehearse", *parts, "--only", *QUICK, "--out", str(tmp_path)])
    found = left_in(tmp_path)
    assert code == 0, [row for row in found["rows"] if not row["ok"]]
    assert found["machine"]["device"] == "cpu"
    assert found["checks"] == len(found["rows"]) > 40
    assert {row["part"] for row in found["rows"]} == {"values", "speed"}
    lines = (tmp_path / "accelerator.md").read_text().splitlines()
    assert sum(line.endswith(("| ok |", "| measured |")) for line in lines) == found["checks"]


def test_a_product_that_rounds_its_factors_to_tf32_fails_with_its_figure(tmp_path, monkeypatch):
    exact = jimb.cosine_logits

    def rounded(features, kernel):
        short = functools.partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=10)
        return exact(short(features), short(kernel))

    monkeypatch.setattr(jimb, "cosine_logits", rounded)
    parts = "--parts", "values", "--minutes", "30"
    assert main(["--rehearse", *parts, "--only", "cosine", "--out", str(tmp_path)]) == 1
    error, *_ = left_in(tmp_path)["rows"]
    assert not error["ok"]
    assert error["seen"] > 10 * error["bound"]
    assert "**failed**" in (tmp_path / "accelerator.md").read_text()


def test_an_exception_nan_and_spent_time_are_failed_rows_and_the_rest_goes_on(tmp_path):
    def breaks():
        raise ValueError("no such thing")

    report = Report(tmp_path, minutes=1)
    report.run("values", "broken", breaks)
    report.run("values", "silent", list)
    report.run("values", "nan", lambda: [Figure("error", np.nan, 1), Figure("ms", np.inf, None)])
    report.run("values", "good", lambda: [Figure("error", 0.5, 1)])
    report.minutes = 0
    report.run("speed", "late", lambda: [Figure("error", 0, 1)])
    report.write()
    rows = left_in(tmp_path)["rows"]
    assert [row["ok"] for row in rows] == [False, False, False, False, True, False]
    assert rows[0]["what"] == "ValueError: no such thing"
    assert (rows[2]["seen"], rows[3]["seen"]) == ("nan", "inf")
    assert "not run" in rows[-1]["what"]
    assert left_in(tmp_path)["failed"] == 5


def test_results_that_differ_are_named():
    whole = {"losses": [1.0, 2.0], "recall": [1.0], "state_sha256": "a"}
    assert all(figure.ok for figure in differences(whole, whole, "twice"))
    other = whole | {"losses": [1.0, 2.5], "state_sha256": "b"}
    keys, losses = differences(other, whole, "twice")
    assert (keys.seen, losses.seen) == (2, 0.5)
    assert "losses, state_sha256" in keys.what
    assert not keys.ok
    assert not losses.ok


@pytest.mark.slow
def test_the_whole_rehearsal_passes(tmp_path):
    """As a command: the examples are not written for strict promotion."""
    command = [sys.executable, "-m", "tests.accelerator", "--rehearse", "--minutes", "30"]
    command += ["--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = {row["part"] for row in left_in(tmp_path)["rows"]}
    assert parts == {"training", "values", "speed"}
