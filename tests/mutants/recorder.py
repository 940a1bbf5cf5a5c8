"""A pytest plugin that notes how long each test takes and which lines of jimb it runs.

`pytest -p tests.mutants.recorder --recording FILE`
"""

import json
from pathlib import Path

import coverage
import pytest


def pytest_addoption(parser):
    parser.addoption("--recording", required=True, type=Path)


class _Recorder:
    def __init__(self, file):
        self.file = file
        self.seconds = {}
        self.coverage = coverage.Coverage(data_file=None, source=["jimb"], config_file=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.start()
        self.coverage.switch_context(item.nodeid)
        result = yield
        self.coverage.stop()
        return result

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = round(report.duration, 3)

    def pytest_sessionfinish(self):
        data = self.coverage.get_data()
        root = Path.cwd()
        lines = {
            str(Path(name).relative_to(root)): _by_test(data.contexts_by_lineno(name))
            for name in data.measured_files()
        }
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.file.write_text(json.dumps(_joined(known, {"seconds": self.seconds, "lines": lines})))


def _joined(known, new):
    """What was known, and what is new in its place."""
    lines = known.get("lines", {})
    return {
        "seconds": known.get("seconds", {}) | new["seconds"],
        "lines": {file: lines.get(file, {}) | tests for file, tests in new["lines"].items()},
    }


def _by_test(contexts):
    by_test = {}
    for line, tests in contexts.items():
        for test in tests:
            by_test.setdefault(test, []).append(line)
    return {test: sorted(lines) for test, lines in by_test.items()}


def pytest_configure(config):
    config.pluginmanager.register(_Recorder(config.getoption("recording")))
