"""Part one: values and gradients of all losses against float64, and what must hold exactly."""

import functools

import jax.numpy as jnp

from tests.accelerator import contract, promises
from tests.helpers import accuracy, bounds, class_bounds

HALVES = {"bfloat16": jnp.bfloat16, "float16": jnp.float16}


def checks(small):
    """Name -> function of figures. The inputs are those of the tests; fewer of them if small."""
    size, rows = (20_000, {"rows": 20}) if small else (1_280_000, {})
    found = {
        f"the table's {f} losses": functools.partial(contract.contract, f)
        for f in contract.FAMILIES
    }
    for classes in (10,) if small else (2, 10, 1000):
        name = f"softmax, {classes} classes"
        found[name] = functools.partial(accuracy.softmax, classes, **rows)
    found["sigmoid"] = functools.partial(accuracy.sigmoid, **rows)
    for is_focal, name in enumerate(("cross-entropy", "focal")):
        for family in ("softmax", "sigmoid"):
            check = getattr(bounds, f"{family}_soft")
            found[f"{family} {name}, soft labels"] = functools.partial(
                check, bool(is_focal), **rows
            )
    for weighted, name in enumerate(("smoothing", "smoothing, class weights")):
        found[name] = functools.partial(bounds.smoothed, bool(weighted), **rows)
    found["prior shift"] = functools.partial(class_bounds.prior_shift, **rows)
    found["class-balanced"] = functools.partial(class_bounds.class_balanced, **rows)
    for clip in (0.05,) if small else (0.0, 0.05, 0.4):
        found[f"asymmetric, clip {clip}"] = functools.partial(bounds.asymmetric, clip, **rows)
    for name, dtype in list(HALVES.items())[: 1 if small else 2]:
        found |= half_checks(name, dtype, rows)
    return found | {
        "cosine logits": promises.cosines,
        "soft look-up": promises.soft_look_up,
        "weighted mean": functools.partial(promises.means, size),
        "difficulty deltas": promises.deltas,
        "epoch plan visits": functools.partial(promises.plans, size),
        "counts": functools.partial(promises.counts, 2**22 if not small else 2**20),
    }


def half_checks(name, dtype, rows):
    """Rounded once."""
    shifted = tuple(class_bounds.PRIOR_SHIFT)
    return {
        f"softmax, {name}": functools.partial(accuracy.half, "softmax", dtype, **rows),
        f"sigmoid, {name}": functools.partial(accuracy.half, "sigmoid", dtype, **rows),
        f"prior shift, {name}": functools.partial(
            class_bounds.prior_shift_half, shifted, dtype, **rows
        ),
        f"asymmetric, {name}": functools.partial(bounds.asymmetric_half, dtype, **rows),
    }
