"""Odd or even? The task in which class weights hurt the rare images and difficulty helps them.

Digits are classed as odd or even. The even class is the larger one, but inside it digit 8 is rare:
120 images each of 0, 2, 4 and 6, ten of 8, and 25 of each odd digit. A class weight sees only that
"even" is frequent, and turns down the 8s with it. Instance difficulty looks at each image.

Every method starts from the same images and the same initial weights in each of `--seeds` trials,
which train together in one `jax.vmap`. Prints a table, writes a figure.
"""

import sys
from pathlib import Path

import tyro

from examples.parity.figure import draw
from examples.parity.report import table
from examples.parity.settings import Settings
from examples.parity.trials import run


def main() -> None:
    """Reads the command line, trains, prints the table, draws the figure."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.parity", description=__doc__)
        results = run(settings)
        print("Recall in per cent (paired difference to CE ± its standard error),")
        print(f"{settings.title}:\n")
        print(table(results))
        draw(Path(settings.figure), results, settings.title)
        print(f"\nfigure: {settings.figure}")
    except (ValueError, OSError) as error:
        sys.exit(f"examples.parity: {error}")


if __name__ == "__main__":
    main()
