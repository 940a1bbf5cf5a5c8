"""A number to predict, of which some values are rare: what do weights by its density change?

Absolute errors, plain and weighted by the inverse density of the prices, smoothed or not, or by its
root, train the same network on the prices of diamonds from the same initial weights, for each of
`--seeds` splits. Prints errors over all test rows and by how rare prices are, each with its paired
difference to the plain mean.
"""

import dataclasses
import shlex
import sys
import time
from pathlib import Path

import tyro

from examples.regression.figure import draw
from examples.regression.report import page
from examples.regression.settings import Settings
from examples.regression.trials import run
from examples.report import files
from examples.report.prose import Took


def main() -> None:
    """Reads the command line, trains, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.regression", description=__doc__)
        outcome = run(settings)
        brief = run(dataclasses.replace(settings, epochs=-(-settings.epochs // 4)))
        command = shlex.join(["python", "-m", "examples.regression", *sys.argv[1:]])
        text = page(outcome, brief, settings, command, Took.since(start))
        print(text)
        if settings.report is not None:
            path = Path(settings.report)
            draw(path.with_suffix(".png"), outcome)
            files.write(path, text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.regression: {error}")


if __name__ == "__main__":
    main()
