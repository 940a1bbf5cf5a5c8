"""The examples: `python -m examples.NAME` runs one, README.md lists them.

Floors, from the lowest up: `data`, `options` and `report`; `training`, what the classifiers
compile, and `dense`, what detection and segmentation do; then the programs, of which none imports
another.
"""

import importlib.util
import sys

# What the extra `examples` brings, by the names under which it is imported.
EXTRA = (
    *("PIL", "equinox", "flax", "imblearn", "matplotlib", "optax", "orbax"),
    *("pycocotools", "rdata", "sklearn", "tqdm", "tyro"),
)


def check_extra() -> None:
    """Ends the program with what to do if a library of the extra is not there."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        sys.exit(f"examples: {names} not installed: run `pip install -e '.[examples]'`.")


if sys.argv[0] == "-m":  # Python looks for the module of `python -m examples.NAME`
    check_extra()
