"""Would the tests notice? Changes one line of jimb at a time and runs the tests that run it.

`python -m tests.mutants` records what each test runs, draws a sample, runs it and writes the table
docs/why/mutants.md. It goes on where it was stopped. See docs/why/mutants.md for its parts.
"""

import argparse
import fnmatch
import json
import os
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.report import page
from tests.mutants.run import Copy, environment, outcome
from tests.mutants.sample import sample

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "mutants"
RECORDING, RESULTS = OUT / "recording.json", OUT / "results.json"
LIBRARY = ["tests", "jimb", "--ignore=tests/examples"]  # those of examples/ take minutes each


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("part", nargs="?", choices=["record", "sample", "run", "report"])
    parser.add_argument("tests", nargs="*", help="record: these, beside what is known")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of each area's mutants")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", metavar="WHICH", help="again: survivors, or killed-by:PATTERN")
    settings = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if settings.part == "record" or (settings.part is None and not RECORDING.exists()):
        _record(settings.tests)
    if settings.part == "sample" or (settings.part is None and not RESULTS.exists()):
        _write(RESULTS, sample(settings.seed, settings.share))
    if settings.part in (None, "run"):
        _run(settings)
    if settings.part in (None, "report"):
        (ROOT / "docs" / "why" / "mutants.md").write_text(page(_read(RESULTS)))


def _record(tests):
    """What each test runs, and how long; a test that fails is left out."""
    if not tests:
        RECORDING.unlink(missing_ok=True)
    plugin = ["-p", "tests.mutants.recorder", "--recording", str(RECORDING)]
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", *plugin]
    cached = environment(ROOT, OUT / "jax-cache")
    subprocess.run([*command, *(tests or LIBRARY)], cwd=ROOT, env=cached, check=False)


def _run(settings):
    results, recording = _read(RESULTS), _read(RECORDING)
    waiting = [mutant for mutant in results if _chosen(mutant, settings.only)]
    copies = queue.Queue()
    for worker in range(settings.workers):
        copies.put(Copy(ROOT, OUT / f"copy-{worker}"))

    def one(mutant):
        copy = copies.get()
        try:
            found = outcome(copy, mutant, recording, environment(copy.place, OUT / "jax-cache"))
        finally:
            copies.put(copy)
        mutant.update(found)
        mutant.setdefault("before", found)
        _write(RESULTS, results)
        print(f"{mutant['file']}:{mutant['line']} {found['outcome']} {found['test']}", flush=True)

    with ThreadPoolExecutor(settings.workers) as pool:
        list(pool.map(one, waiting))


def _chosen(mutant, only):
    if only is None:
        return "outcome" not in mutant
    if only == "survivors":
        return mutant.get("outcome") == "survived"
    return fnmatch.fnmatch(mutant.get("test") or "", only.removeprefix("killed-by:"))


def _read(file):
    return json.loads(file.read_text())


def _write(file, content):
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    draft.replace(file)


if __name__ == "__main__":
    main()
