"""A rare event: what does each remedy do to the ranking, and what only to the threshold?

Two tables: the Shuttle's valve faults, an event of 0.42 %, and Caravan policies, 6 % and noisy, as
the control (`examples/data/tabular.py` says where they come from). For each seed a stratified
60/20/20 split into training, validation and test. Every method starts from the same split and
initial weights, and all that do not draw differently see the same batches; the seeds train together
in one `jax.vmap`.

PR-AUC judges the ranking, which no threshold changes. Recall and precision are reported at three
thresholds: 0.5, the prior of the event, and the one with the best F1 on the validation part.
Prints a table for each data set and what can be said from its numbers.
"""

import sys
from pathlib import Path

import tyro

from examples.rare_event.report import page
from examples.rare_event.settings import Settings
from examples.rare_event.trials import run
from examples.report import files


def main() -> None:
    """Reads the command line, trains, prints the tables, writes the page."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.rare_event", description=__doc__)
        outcomes = run(settings)
        text = page(outcomes)
        print(text)
        if settings.report is not None:
            files.write(Path(settings.report), text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.rare_event: {error}")


if __name__ == "__main__":
    main()
