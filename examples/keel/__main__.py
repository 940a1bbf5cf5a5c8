"""A hundred imbalanced data sets: every method for two classes on each, in a few programs.

Without options: all data sets of KEEL, five folds of one seed, an MLP and a linear model. What is
done is kept under `--results`: started again, it goes on from there. Prints mean ranks by six
measures, tests, and effects against cross-entropy.
"""

import os
import shlex
import sys
import time
from pathlib import Path

import jax
import tyro

from examples.keel import effects, figure, peers, race, report, run
from examples.keel.settings import Settings
from examples.report import files
from examples.report.prose import Took


def main() -> None:
    """Reads the command line, trains, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.keel", description=__doc__)
        if settings.peers:
            peers.versions()  # says what is missing before anything is trained
        # A device for each core: each trains data sets of its own.
        jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
        outcome = run.run(settings)
        beside = peers.run(settings, outcome.tables) if settings.peers else None
        times = race.race(settings, outcome.tables) if settings.race else None
        command = shlex.join(["python", "-m", "examples.keel", *sys.argv[1:]])
        text = report.page(outcome, settings, command, Took.since(start), beside, times)
        print(text)
        if settings.page:
            path = Path(settings.page)
            files.write(path, report.put(path, text))
        if settings.effects:
            effects.update(Path(settings.effects), outcome)
        if settings.figures:
            figure.draw(Path(settings.figures), outcome)
    except (ValueError, FloatingPointError, OSError, ImportError) as error:
        sys.exit(f"examples.keel: {error}")
    except KeyboardInterrupt:
        sys.exit("examples.keel: interrupted; the same command goes on from what is kept.")


if __name__ == "__main__":
    main()
