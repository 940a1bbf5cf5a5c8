"""What is mutated: the files of each area, and how many mutants are drawn there."""

from pathlib import Path

_SHARED = ("labels", "numerics", "checks", "pairs", "sweep", "report")

AREAS = {
    "losses": (("jimb/losses",), 45),
    "weights": (
        (
            "jimb/weights.py",
            "jimb/_class_numbers.py",
            "jimb/_pixel_weights.py",
            "jimb/_fractions.py",
        ),
        18,
    ),
    "counting": (("jimb/counting.py", "jimb/_clock.py", "jimb/_ids.py"), 12),
    "reduction": (("jimb/reduction.py",), 10),
    "difficulty": (("jimb/difficulty",), 32),
    "sampling": (("jimb/sampling",), 34),
    "metrics": (("jimb/metrics",), 26),
    "mining": (("jimb/mining",), 20),
    "posthoc": (("jimb/posthoc",), 26),
    "heads": (("jimb/heads", "jimb/_axes.py"), 24),
    "shared": (tuple(f"jimb/_{name}.py" for name in _SHARED), 19),
}


def files(area):
    """The modules of an area, without those that only import."""
    for place in map(Path, AREAS[area][0]):
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        yield from (path for path in found if path.name != "__init__.py")
