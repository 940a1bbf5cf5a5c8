"""Checks values, speed and training on the accelerator at hand: `python -m tests.accelerator`.

One JSON and one Markdown table are left in `--out`; the exit code is 1 if any number failed.
"""

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

import jax
import jaxlib

from tests.accelerator import speed, training, values
from tests.accelerator.report import Report

PARTS = ("training", "values", "speed")


def machine():
    """What it ran on."""
    devices = jax.devices()
    version = importlib.metadata.version
    packages = ", ".join(f"{name} {version(name)}" for name in ("flax", "optax", "numpy"))
    return {
        "device": devices[0].device_kind,
        "devices": len(devices),
        "platform": jax.default_backend(),
        "runtime": devices[0].client.platform_version.splitlines()[0],
        "jax": f"{jax.__version__}, jaxlib {jaxlib.__version__}, Python {sys.version.split()[0]}",
        "packages": packages,
    }


def checks(part, small, folder):
    if part == "training":
        return training.checks(folder)
    return (values if part == "values" else speed).checks(small)


def options(arguments):
    parser = argparse.ArgumentParser("python -m tests.accelerator", description=__doc__)
    parser.add_argument("--out", default="out/accelerator", help="folder of the two tables")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--only", nargs="+", help="checks with one of these words in their name")
    parser.add_argument("--minutes", type=float, default=5, help="no check is begun after them")
    parser.add_argument("--rehearse", action="store_true", help="small sizes, to try it on a CPU")
    return parser.parse_args(arguments)


def wanted(name, words):
    return words is None or any(word in name for word in words)


def main(arguments=None):
    """Runs the parts; training first, since a TPU belongs to one process at a time."""
    chosen = options(arguments)
    report = Report(chosen.out, chosen.minutes)
    with tempfile.TemporaryDirectory(prefix="accelerator-") as folder:
        for part in PARTS:
            if part in chosen.parts:
                for name, function in checks(part, chosen.rehearse, Path(folder)).items():
                    if wanted(name, chosen.only):
                        report.run(part, name, function)
                        report.write()
                report.machine = machine() | {"sizes": "small" if chosen.rehearse else "full"}
                report.write()
    print(
        f"{len(report.rows)} numbers, {len(report.failures)} failed, {report.spent():.0f} s of "
        f"{60 * chosen.minutes:.0f} s, {report.machine['device']}: {report.folder}"
    )
    return 1 if report.failures or not report.rows else 0


if __name__ == "__main__":
    sys.exit(main())
