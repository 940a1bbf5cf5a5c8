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
    "multi-hot labels": (("jimb/_multi_hot.py", "jimb/_pos_weight.py"), 12),
    "label density": (("jimb/_label_density.py",), 10),
    "adaptive losses": (
        ("jimb/losses/_seesaw.py", "jimb/losses/_equalization.py", "jimb/gradient_ratio.py"),
        18,
    ),
    "draws": (
        tuple(
            f"jimb/sampling/_{name}.py"
            for name in ("repeat_factors", "subset_plan", "stratified_batches")
        ),
        18,
    ),
    "calibration": (
        (
            "jimb/metrics/calibration",
            "jimb/posthoc/_temperature.py",
            "jimb/posthoc/_vector_scaling.py",
            "jimb/posthoc/_validation.py",
        ),
        26,
    ),
}


def files(area):
    """The modules of an area, without those that only import, or that another area names."""
    named = {Path(place) for places, _ in AREAS.values() for place in places}
    for place in map(Path, AREAS[area][0]):
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        inside = {other for other in named if place in other.parents}
        for path in found:
            if path.name != "__init__.py" and inside.isdisjoint([path, *path.parents]):
                yield path
