"""Several labels for one text, most of them rare: what do losses, weights and sampling change?

One-vs-all cross-entropy, with a bias from frequencies, class weights, `pos_weight` and repeat
factors, focal and asymmetric losses train the same network on WordNet's lemmas from the same
initial weights, for each of `--seeds` splits. Prints macro-F1 with thresholds of ½ and such as are
chosen by label, and mean average precision, each with its paired difference to cross-entropy.
"""

import shlex
import sys
import time
from pathlib import Path

import tyro

from examples.multi_label.report import page
from examples.multi_label.settings import Settings
from examples.multi_label.trials import run
from examples.report import files
from examples.report.prose import Took


def main() -> None:
    """Reads the command line, trains, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.multi_label", description=__doc__)
        outcome = run(settings)
        command = shlex.join(["python", "-m", "examples.multi_label", *sys.argv[1:]])
        text = page(outcome, settings, command, Took.since(start))
        print(text)
        if settings.report is not None:
            files.write(Path(settings.report), text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.multi_label: {error}")


if __name__ == "__main__":
    main()
