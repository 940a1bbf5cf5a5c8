"""Runs the tests on one mutant: those that run its line first, the quickest ahead."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_QUICK = 12  # tests in the first process; most mutants go no further
_PYTEST = ["-m", "pytest", "-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
_PYTEST += ["-m", "not slow"]  # which the default command leaves out too
# A process that checks no types starts in a third of the time.
_UNTYPED = ["-p", "no:xdist", "-p", "no:hypothesispytest", "-o", "addopts=--doctest-modules"]
_ALWAYS = ("tests/test_processes.py", "tests/sampling/test_grain_hosts.py")  # run jimb elsewhere


class Copy:
    """A throw-away copy of the repository's files, in which one line at a time is changed."""

    def __init__(self, root, place):
        self.place = place
        shutil.rmtree(place, ignore_errors=True)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.check_output(listed, cwd=root, text=True).split("\0")
        for name in filter(None, names):
            if (root / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, place / name)

    def change(self, mutant):
        """Writes the mutant; gives the file's own text back."""
        path = self.place / mutant["file"]
        own = path.read_text()
        lines = own.splitlines()
        first = mutant["line"] - 1
        last = first + len(mutant["old"])
        assert lines[first:last] == mutant["old"], f"{mutant['file']} is not what was sampled"
        self.write(path, "\n".join([*lines[:first], *mutant["new"], *lines[last:]]) + "\n")
        return own

    def write(self, path, text):
        path.write_text(text)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()


def outcome(copy, mutant, recording, environment):
    """`{"outcome": "caught" or "survived", "test": the one that noticed}`."""
    path = copy.place / mutant["file"]
    own = copy.change(mutant)
    try:
        for options, tests in _batches(mutant, recording):
            killer = _first_failure(copy.place, options, tests, recording, environment)
            if killer is not None:
                return {"outcome": "caught", "test": killer}
        return {"outcome": "survived", "test": None}
    finally:
        copy.write(path, own)


def _batches(mutant, recording):
    """Options and tests: a few likely ones, one case of each test function, then every test.

    A test that finds a function compiled runs none of its lines. So a test function counts as
    near with one of its cases, and a file of tests as a whole.
    """
    seconds, file = recording["seconds"], mutant["file"]
    ran = {test: set(lines) for test, lines in recording["lines"][file].items() if test in seconds}
    first, last = mutant["statement"]
    near = [test for test, lines in ran.items() if lines & set(range(first, last + 1))] or list(ran)
    near.sort(key=lambda test: (not _is_own(test, file), seconds[test], test))
    functions = {}
    for test in near:
        functions.setdefault(test.partition("[")[0], test)
    likely = list(functions.values())
    files = tuple({test.partition("::")[0] + "::" for test in ran}) + _ALWAYS
    every = [test for test in seconds if test.startswith(files)]
    every.sort(key=lambda test: (test.partition("[")[0] not in functions, seconds[test], test))
    batches = (_UNTYPED, likely[:_QUICK]), (_UNTYPED, likely[_QUICK:]), (["-n0"], every)
    return [batch for batch in batches if batch[1]]


def _is_own(test, file):
    """Whether a test is in the module itself, its package's folder, or the file of its name."""
    package, name = Path(file).parent.name, Path(file).stem.strip("_")
    folder = f"tests/{package}/" if package != "jimb" else f"tests/test_{name}"
    return test.startswith((file, folder))


def _first_failure(place, options, tests, recording, environment):
    """The id of the first test that fails, or None; "timeout" counts as a failure."""
    listed = place / "tests.txt"
    listed.write_text("\n".join(tests))
    limit = 90 + 5 * sum(recording["seconds"][test] for test in tests)
    command = [sys.executable, *_PYTEST, *options, f"@{listed}"]
    context = {"cwd": place, "env": environment, "timeout": limit}
    try:
        run = subprocess.run(command, **context, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return "timeout"
    if run.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        return None
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", run.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(run.stdout[-2000:] + run.stderr[-2000:])
    return found[1]


def environment(place, cache):
    """That of the tests: the copy's modules, and programs compiled once for all mutants."""
    return os.environ | {
        "PYTHONPATH": str(place),
        "COLUMNS": "1000",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
