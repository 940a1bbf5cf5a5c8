"""Every method of jimb on every data set, side by side.

With no argument: all methods on all tasks whose data are here, five trials of each (twenty on
digits). All methods share a trial's examples, initial weights and number of steps, and the last
epoch counts, never the best one. What is done is kept under `--results`: started again, it goes on
from there. `--page`, `--effects`, `--calibration` and `--figure` say where the outcome goes.
`--help` lists all.
"""

import sys
from pathlib import Path

import tyro

from examples.benchmark import effects, report
from examples.benchmark.calibration_page import calibration_page
from examples.benchmark.figure import draw
from examples.benchmark.run import run
from examples.benchmark.settings import Settings
from examples.report import files


def main() -> None:
    """Reads the command line, trains, prints the tables."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.benchmark", description=__doc__)
        outcomes, skipped = run(settings)
        page = report.page(outcomes, settings.figure)
        if settings.effects:
            effects.update(Path(settings.effects), outcomes)
        print(page)
        for sentence in skipped:
            print(sentence, file=sys.stderr)
        if settings.page:
            files.write(Path(settings.page), page + "\n")
        if settings.calibration:
            files.write(Path(settings.calibration), calibration_page(outcomes) + "\n")
        if settings.figure:
            draw(Path(settings.figure), outcomes)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.benchmark: {error}")
    except KeyboardInterrupt:
        sys.exit("examples.benchmark: interrupted; the same command goes on from what is kept.")


if __name__ == "__main__":
    main()
