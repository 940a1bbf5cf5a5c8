"""Pixels of rare classes against background: what do weights and losses of regions change?

Cross-entropy, plain, weighted by class frequency and of hard pixels alone, focal loss, and losses
of overlap (Dice, Tversky) train the same network on the same canvases of real images, from the same
initial weights, for each of `--seeds` trials. Prints the IoU of each, with its paired difference to
cross-entropy.
"""

import shlex
import sys
import time
from pathlib import Path

import tyro

from examples.report import files
from examples.report.prose import Took
from examples.segmentation.figure import draw
from examples.segmentation.report import page
from examples.segmentation.settings import Settings
from examples.segmentation.trials import run


def main() -> None:
    """Reads the command line, trains, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.segmentation", description=__doc__)
        outcome = run(settings)
        command = shlex.join(["python", "-m", "examples.segmentation", *sys.argv[1:]])
        text = page(outcome, settings, command, Took.since(start))
        print(text)
        if settings.report is not None:
            path = Path(settings.report)
            draw(path.with_suffix(".png"), outcome)
            files.write(path, text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.segmentation: {error}")


if __name__ == "__main__":
    main()
