"""The pytest plugin that puts jimb into a peer and writes what became of each of its tests."""

import importlib
import json
import re
from pathlib import Path

import jax
import pytest

from tests.peers.calls import CALLS
from tests.peers.peer import install

RECORDS = {}
PEER = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--peer", help="module of tests.peers")
    parser.addoption("--records", help="file for what became of each test")
    parser.addoption("--spoil", help="records of tests to run once more, with wrong answers")


def pytest_configure(config):
    peer = importlib.import_module(f"tests.peers.{config.getoption('--peer')}").PEER
    jax.config.update("jax_enable_x64", peer.x64)
    # What is traced anew is not compiled anew.
    jax.config.update(
        "jax_compilation_cache_dir", str(Path(config.getoption("--records")).parent / "cache")
    )
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    config.stash[PEER] = peer
    install(peer, spoil=config.getoption("--spoil"))


def pytest_collection_modifyitems(config, items):
    peer, spoil = config.stash[PEER], config.getoption("--spoil")
    passed = passed_before(spoil) if spoil else None
    items[:] = [
        item
        for item in items
        if re.search(peer.select, item.nodeid) and (passed is None or item.nodeid in passed)
    ]


def passed_before(path):
    """The tests of an earlier run that jimb made pass."""
    records = json.loads(Path(path).read_text())
    return {test for test, r in records.items() if r["calls"] and r["outcome"] == "passed"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    # What an earlier test compiled is not traced again, and an adapter then not called.
    if item.config.stash[PEER].traced:
        jax.clear_caches()
    CALLS.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    record = RECORDS.setdefault(item.nodeid, {"outcome": "passed", "error": ""})
    record |= {"calls": CALLS.number, "missing": sorted(set(CALLS.missing))}
    if report.outcome != "passed" and record["outcome"] == "passed":
        record["outcome"] = report.outcome
        record["error"] = str(call.excinfo.value)[:600] if call.excinfo else ""
    if getattr(report, "wasxfail", None) is not None:
        record |= {"outcome": "skipped", "error": report.wasxfail}
    return report


def pytest_sessionfinish(session):
    path = session.config.getoption("--records")
    Path(path).write_text(json.dumps(RECORDS, indent=1))
