"""Part three: the example trains, is killed, resumes, and ends with the bits of a whole run."""

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.helpers.figures import Figure

ROOT = Path(__file__).parents[2]
# Two calls an epoch, so that every second checkpoint is in the middle of a plan.
OPTIONS = ["--loss", "cb-focal", "--sampler", "difficulty", "--batch-size", "2"]
OPTIONS += ["--save-minutes", "0"]


def run(folder, *options, point="never", number=0):
    """The example in a process of its own; an error if it does not end as it should."""
    environment = {"CUDA_VISIBLE_DEVICES": "0"} | os.environ  # a batch of two is for one device
    environment |= {
        # Each process compiles what the one before did not.
        "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-m", "tests.helpers.launch", point, str(number)]
    command += [*OPTIONS, "--out", str(folder.absolute()), *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    expected = 0 if point == "never" else -signal.SIGKILL
    if done.returncode != expected:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise RuntimeError(f"examples.train, killed {point}, ended with {done.returncode}: {said}")
    return done.stderr


def results(folder):
    (path,) = folder.glob("*/results.json")
    found = json.loads(path.read_text())
    del found["settings"]  # they have the name of the folder
    return found


def differences(found, expected, name):
    """Numbers of the results that differ, and the largest distance of two losses."""
    keys = [key for key in expected if found[key] != expected[key]]
    losses = np.float64(found["losses"]), np.float64(expected["losses"])
    return [
        Figure(f"{name}: entries of results.json that differ{of(keys)}", len(keys), 0),
        Figure(f"{name}: losses, furthest apart", np.max(np.abs(np.subtract(*losses))), 0),
    ]


def of(keys):
    return f" ({', '.join(keys)})" if keys else ""


def resumed(folder):
    """Killed while it writes its third checkpoint, resumed, killed after its third, resumed."""
    epochs = "--epochs", "3"
    whole, parts = folder / "whole", folder / "parts"
    run(whole, *epochs)
    run(parts, *epochs, point="undescribed", number=3)
    steps = [told(run(parts, *epochs, "--resume", point="complete", number=3))]
    steps.append(told(run(parts, *epochs, "--resume")))
    figures = differences(results(parts), results(whole), "killed twice")
    if not all(figure.ok for figure in figures):
        # Is it the resuming, or does this device not repeat itself?
        run(folder / "again", *epochs)
        figures += differences(results(folder / "again"), results(whole), "a second whole run")
    lost = sum(step is None for step in steps) + (steps[0] == steps[1])
    return [*figures, Figure("resumed runs that did not go on from a checkpoint", lost, 0)]


def told(stderr):
    """The step that a resumed run says it goes on after."""
    lines = [line for line in stderr.splitlines() if "going on after step" in line]
    return int(lines[0].rstrip(".").split()[-1]) if lines else None


def in_bfloat16(folder):
    """An epoch of the network in bfloat16: finite, and the loss falls."""
    run(folder / "bfloat16", "--epochs", "1", "--dtype", "bfloat16")
    found = results(folder / "bfloat16")
    losses = np.array(found["losses"], np.float64)  # what was not finite is null, that is NaN
    tenth = max(len(losses) // 10, 1)
    return [
        Figure("losses that are not finite", np.sum(~np.isfinite(losses)), 0),
        Figure("last tenth of the losses over the first", fall(losses, tenth), 1),
        Figure("balanced accuracy after an epoch", found["balanced_accuracy"], None),
    ]


def fall(losses, tenth):
    return losses[-tenth:].mean() / losses[:tenth].mean()


def checks(folder):
    """Name -> function of figures. Each starts processes: before this one takes the device."""
    return {
        "killed and resumed": functools.partial(resumed, folder),
        "an epoch in bfloat16": functools.partial(in_bfloat16, folder),
    }
