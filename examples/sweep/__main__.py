"""γ × β in one program: every training of a grid of two hyper-parameters at once, over seeds.

With no argument: the focusing exponent γ and the effective number's β of the class-balanced focal
loss, five values each, on the task of `examples/parity` (is a digit odd or even, with digit 8
rare). `--x` and `--y` take any two of the traced numbers. One compilation; the grid is divided over
the devices, on a CPU one for each core. The cell is chosen on held-out images, and what it gives on
others is printed. Prints how long a single training takes, and so how long the grid would take one
training at a time; writes a heat map.
"""

import os
import shlex
import sys
from pathlib import Path

import jax
import tyro

from examples.report import files
from examples.sweep.figure import draw
from examples.sweep.grid import run
from examples.sweep.report import page, text
from examples.sweep.settings import Settings


def main() -> None:
    """Reads the command line, trains, prints, draws."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.sweep", description=__doc__)
        settings.check()
        recalls, timing = run(settings)
        said = text(settings.grids, recalls, settings.measure, timing)
        print(said)
        draw(Path(settings.figure), settings.grids, recalls, settings.measure)
        if settings.report is not None:
            command = shlex.join(["python", "-m", "examples.sweep", *sys.argv[1:]])
            files.write(Path(settings.report), page(said, command, Path(settings.figure).name))
    except (ValueError, OSError) as error:
        sys.exit(f"examples.sweep: {error}")
    print(f"\nfigure: {settings.figure}")


def use_every_core() -> None:
    """A device for each core, before the first use of any; not for GPUs and TPUs, if there are."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux only
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    jax.config.update("jax_num_cpu_devices", cores)


if __name__ == "__main__":
    use_every_core()
    main()
