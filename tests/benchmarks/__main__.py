"""Runs the benchmarks and prints one table of ratios: `python tests/benchmarks [pytest options]`.

Each case runs in two settings. The first is a process as it comes. In the second, glibc keeps the
memory that a call frees, so that the next call has no page faults, and OpenMP's threads (PyTorch's)
sleep between calls instead of spinning on the cores that JAX needs. All numbers go to
`out/benchmarks.json`.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SETTINGS: dict[str, dict[str, str]] = {
    "as it comes": {},
    "memory kept": {
        "MALLOC_MMAP_THRESHOLD_": str(2**33),
        "MALLOC_TRIM_THRESHOLD_": str(2**34),
        "OMP_WAIT_POLICY": "PASSIVE",
    },
}


def run(setting: str, options: list[str], folder: Path) -> dict[str, Any]:
    """One run of the suite: its cases by name."""
    file = folder / f"{setting.replace(' ', '-')}.json"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini"), str(HERE)]
    command += [f"--benchmark-json={file}", *options]
    done = subprocess.run(command, env={**os.environ, **SETTINGS[setting]}, check=False)
    if done.returncode:
        sys.exit(f"the benchmarks failed with {setting!r}; pytest's output above says where.")
    report = json.loads(file.read_text())
    file.unlink()
    return {case["name"].removeprefix("bench_"): case for case in report["benchmarks"]}


def table(results: dict[str, dict[str, Any]]) -> str:
    """A row for each case and peer: the peer's time over jimb's in each setting.

    The bytes and the exponentials are XLA's own count of jimb's compiled program.
    """
    settings = list(results)
    lines = [
        f"| case | jimb, ms ({' / '.join(settings)}) | MB, 10⁶ exp or log | against "
        "| times as long | error |",
        "|---|---|---|---|---|---|",
    ]
    for name in results[settings[0]]:
        cases = [results[setting][name] for setting in settings]
        spent = " / ".join(f"{1e3 * case['stats']['median']:.3g}" for case in cases)
        infos = [case["extra_info"] for case in cases]
        cost = infos[0].get("cost")
        work = (
            f"{cost['bytes accessed'] / 1e6:.0f}, {cost['transcendentals'] / 1e6:.0f}"
            if cost
            else ""
        )
        error = ", ".join(f"{who} {value:.1e}" for who, value in infos[0]["errors"].items())
        for peer in infos[0]["ratios"]:
            ratios = " / ".join(f"{info['ratios'][peer]:.2f}" for info in infos)
            lines.append(f"| {name} | {spent} | {work} | {peer} | {ratios} | {error} |")
            name, spent, work, error = "", "", "", ""
    return "\n".join(lines)


def memory(results: dict[str, dict[str, Any]]) -> str:
    """What the compiled programs need beside their inputs and outputs, where a case says so."""
    lines = ["| case | program | MB of temporaries |", "|---|---|---|"]
    for name, case in next(iter(results.values())).items():
        for program, size in case["extra_info"].get("temporaries", {}).items():
            lines.append(f"| {name} | {program} | {size / 1e6:.0f} |")
            name = ""
    return "\n".join(lines) if len(lines) > 2 else ""


def counts(results: dict[str, dict[str, Any]]) -> str:
    """A row for each case that was counted: XLA's operations and bytes, jimb's and the other's."""
    lines = ["| case | whose | 10⁶ operations | MB | 10⁶ exp or log |", "|---|---|---|---|---|"]
    for name, case in next(iter(results.values())).items():
        for who, cost in case["extra_info"].get("counts", {}).items():
            keys = "flops", "bytes accessed", "transcendentals"
            cells = (f"{cost.get(key, 0) / 1e6:.1f}" for key in keys)
            lines.append(f"| {name} | {who} | {' | '.join(cells)} |")
            name = ""
    return "\n".join(lines)


def processor() -> str:
    """Its name, and how many of its cores there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main() -> None:
    """Runs, prints, writes."""
    folder = Path("out")
    folder.mkdir(exist_ok=True)
    results = {setting: run(setting, sys.argv[1:], folder) for setting in SETTINGS}
    (folder / "benchmarks.json").write_text(json.dumps(results, indent=1))
    print(f"{processor()}\n\n{table(results)}\n\n{counts(results)}\n\n{memory(results)}")


if __name__ == "__main__":
    main()
