"""Runs other libraries' own tests on jimb: `python -m tests.peers`.

Brings the peers by pip into out/peers, which takes a few hundred megabytes (PyTorch, of which PyPI
has a build for GPUs, several gigabytes: name the peers to leave it out). A peer that cannot be
brought is left out, and the table says why.
"""

import argparse
import importlib
import sys

from tests.peers import environment, figures, report
from tests.peers.run import run

MODULES = (
    "optax_losses",
    "optax_regions",
    "keras_losses",
    "keras_scores",
    "sklearn_metrics",
    "sklearn_weights",
    "imblearn_metrics",
    "imblearn_sampling",
    "torchmetrics_measures",
    "balanced_loss",
)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("peers", nargs="*", help=f"default: all; of {', '.join(MODULES)}")
    parser.add_argument("--python", help="an interpreter that has jimb and the peers already")
    parser.add_argument("--write", action="store_true", help="put them into docs/why/peers.md")
    arguments = parser.parse_args()
    names = arguments.peers or MODULES
    if unknown := set(names) - set(MODULES):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    peers = [importlib.import_module(f"tests.peers.{name}").PEER for name in names]
    environment.FOLDER.mkdir(parents=True, exist_ok=True)
    python = arguments.python or environment.python_with(peers)
    results = []
    for name, peer in zip(names, peers, strict=True):
        print(f"{name} …", file=sys.stderr, flush=True)
        results.append((peer, run(name, peer, python)))
    text = report.tables(results)
    if not arguments.peers:
        text += "\n\n### Where a peer is wrong\n\n" + figures.printed(python)
    print(text)
    if arguments.write:
        report.write(text)
    if report.unexpected(results):
        sys.exit("Some tests fail for no reason that is given here.")


if __name__ == "__main__":
    main()
