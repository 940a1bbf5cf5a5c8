"""The bilateral-branch network (BBN), on long-tailed images.

Two branches share a trunk. One sees batches drawn uniformly, the other batches in which class c
comes with probability proportional to 1 / n_c. Their features are mixed by α into one classifier,
and so are their losses; α falls as 1 - (t/T)² over the epochs t, so that the network learns to
represent first and turns to the rare classes later. At inference both branches see the same image,
with α = ½.

Cross-entropy (CE) is the same network with one batch for both branches and α = ½: a plain MLP.
So every row of the table has the same parameters, initial weights and images, and all rows with the
same number of epochs share one compiled program; the seeds train together in one `jax.vmap`.

Reference: Zhou et al., BBN: Bilateral-Branch Network with Cumulative Learning for Long-Tailed
Visual Recognition, CVPR 2020.
"""

import sys
from pathlib import Path

import tyro

from examples.bbn.report import describe, page, table
from examples.bbn.settings import Settings
from examples.bbn.trials import run
from examples.report import files


def main() -> None:
    """Reads the command line, trains, prints the tables, writes the page."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.bbn", description=__doc__)
        outcomes = [run(name, settings) for name in settings.dataset]
        for outcome in outcomes:
            print(f"{describe(outcome, settings)}\n\n{table(outcome)}\n")
        if settings.report is not None:
            files.write(Path(settings.report), page(outcomes, settings))
            print(f"page: {settings.report}")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.bbn: {error}")


if __name__ == "__main__":
    main()
