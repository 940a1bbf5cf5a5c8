"""One backbone, eight classifiers: is it the features or the head that suffers from rare classes?

Every trial trains one network on long-tailed images, jointly, with cross-entropy and every image
drawn alike. Its backbone is then frozen, and only what comes after it changes: a head trained anew
on class-balanced draws (cRT), one scale per class learnt on such draws (LWS), columns divided by
a power of their norm (τ-normalisation), the nearest class mean (NCM), or logits minus τ times the
log of the class prior. Each τ is chosen on a small balanced validation set.

Each of `--seeds` trials has its own images, initial weights and order of the classes by size. All
train together in one `jax.vmap`. Prints a table.

Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
"""

import sys
from pathlib import Path

import numpy as np
import tyro

from examples.decoupling.report import page
from examples.decoupling.settings import Settings
from examples.decoupling.trials import run
from examples.report import files


def main() -> None:
    """Reads the command line, trains, prints the table."""
    try:
        settings = tyro.cli(Settings, prog="python -m examples.decoupling", description=__doc__)
        results, counts = run(settings)
        text = page(results, np.asarray(counts), f"{settings.dataset}, {settings.seeds} seeds")
        print(text)
        if settings.report is not None:
            files.write(Path(settings.report), text + "\n")
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"examples.decoupling: {error}")


if __name__ == "__main__":
    main()
