"""A detector with a thousand easy negatives for each object: what do focal loss and mining change?

Cross-entropy with and without a prior at the start, α-balanced, with hard example mining, focal and
class-balanced focal loss train the same fully convolutional network on the same canvases of real
images, from the same initial weights, for each of `--seeds` trials. Prints COCO's average precision
of each, with its paired difference to cross-entropy.
"""

import shlex
import sys
import time
from pathlib import Path

import jax
import tyro

from examples.detection.figure import draw_boxes, draw_losses
from examples.detection.report import page
from examples.detection.settings import Settings
from examples.detection.trials import run
from examples.report import files
from examples.report.prose import Took


def main() -> None:
    """Reads the command line, trains, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.detection", description=__doc__)
        jax.config.update("jax_num_cpu_devices", settings.devices)
        outcome = run(settings)
        command = shlex.join(["python", "-m", "examples.detection", *sys.argv[1:]])
        text = page(outcome, settings, command, Took.since(start))
        print(text)
        if settings.report is not None:
            path = Path(settings.report)
            draw_boxes(path.with_suffix(".png"), outcome.last.test, outcome.last.found)
            draw_losses(path.with_name(f"{path.stem}_loss.png"), outcome.last.curves)
            files.write(path, text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.detection: {error}")


if __name__ == "__main__":
    main()
