"""Runs one peer's tests on jimb, and then once more with wrong answers in jimb's place."""

import dataclasses
import json
import os
import subprocess

from tests.peers import environment, outcomes
from tests.peers.environment import FOLDER, ROOT


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a peer: its version, and each test's outcome; or why it was not run."""

    version: str | None
    tests: dict[str, outcomes.Outcome] | None = None
    skipped: str | None = None


def run(module, peer, python):
    """A `Result`."""
    version = environment.version(python, peer.package)
    if version is None:
        return Result(None, skipped="not installed, and pip could not bring it")
    if numbers(version) < numbers(peer.floor):
        return Result(version, skipped=f"the adapters are written for {peer.floor} and later")
    arguments = targets(peer, python, version)
    if arguments is None:
        return Result(version, skipped="pip could not bring its source, in which its tests are")
    plain = FOLDER / f"{module}.json"
    records, said = pytest(module, peer, python, arguments, plain)
    if not records:
        return Result(version, skipped=f"pytest ended without a test: {said[-300:].strip()}")
    spoiled, _ = pytest(
        module, peer, python, [*arguments, "--spoil", str(plain)], FOLDER / f"{module}-spoiled.json"
    )
    return Result(version, outcomes.of(peer, records, spoiled))


def numbers(version):
    return [int(part) for part in version.split(".") if part.isdigit()]


def targets(peer, python, version):
    """What pytest is pointed to."""
    if peer.examples:
        return ["--noconftest", str(ROOT / "tests" / "peers" / "examples_of_a_peer.py")]
    if not peer.sdist:
        return ["--pyargs", *peer.tests]
    folder = environment.source(python, peer.package, version)
    return folder and [str(folder / path) for path in peer.tests]


def pytest(module, peer, python, arguments, records):
    """The records of one run of pytest, and the end of what it printed."""
    records.unlink(missing_ok=True)
    (FOLDER / "pytest.ini").write_text("[pytest]\n")
    command = [python, "-m", "pytest", "-q", "-c", "pytest.ini", "-p", "no:cacheprovider"]
    command += ["-p", "tests.peers.plugin", "--peer", module, "--records", str(records)]
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | peer.environment
    # Elsewhere than at the root, where pytest would load the configuration of jimb's own tests.
    done = subprocess.run(
        [*command, *arguments], cwd=FOLDER, env=variables, text=True, capture_output=True
    )
    found = json.loads(records.read_text()) if records.exists() else {}
    return found, done.stdout + done.stderr
