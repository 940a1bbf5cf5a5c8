"""Sixteen thousand classes, six thousand of one example: what do the softmax losses change?

A noun's definition in WordNet says what kind of thing it is: its first hypernym, one of 16 897
classes. Cross-entropy, focal loss, balanced softmax, logit adjustment in training and after it, and
class-balanced sampling train the same network from the same initial weights, for each of `--seeds`
splits. Prints top-1 and balanced accuracy, and those of classes with many, medium and few training
examples, each with its paired difference to cross-entropy.

Then what a step takes, in time and memory, with logits that are stored and with such as are not, on
one CPU device and on eight that divide the batch and the classes.
"""

import shlex
import sys
import time
from pathlib import Path

import jax
import tyro

from examples.large_head.report import Took, page
from examples.large_head.settings import Settings
from examples.large_head.timing import measure_steps
from examples.large_head.trials import run
from examples.report import files


def main() -> None:
    """Reads the command line, trains, measures steps, prints."""
    start = time.perf_counter()
    try:
        settings = tyro.cli(Settings, prog="python -m examples.large_head", description=__doc__)
        outcome = run(settings)
        costs = measure_steps(outcome.recipe, settings)
        took = Took((time.perf_counter() - start) / 60, time.process_time() / 60)
        command = shlex.join(["python", "-m", "examples.large_head", *sys.argv[1:]])
        text = page(outcome, costs, settings.rounds, command, took)
        print(text)
        if settings.report is not None:
            files.write(Path(settings.report), text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.large_head: {error}")


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    main()
