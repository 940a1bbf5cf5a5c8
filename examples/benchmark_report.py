"""What `benchmark.py` found, as a Markdown page. The first method, CE, is the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmark_methods import METHODS

if TYPE_CHECKING:
    from benchmark import Settings


def columns(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Which classes each column averages: all, and many, medium and few shots."""
    return {
        "balanced accuracy": np.ones(len(counts), bool),
        "many": counts > 100,
        "medium": (counts >= 20) & (counts <= 100),
        "few": counts < 20,
    }


def difference(
    recalls: np.ndarray, baseline: np.ndarray, classes: np.ndarray
) -> tuple[float, float, float]:
    """Mean recall over these classes; paired difference to the baseline, and its s.e.; per cent."""
    ours, theirs = (100 * r[:, classes].mean(1) for r in (recalls, baseline))
    paired = ours - theirs
    error = paired.std(ddof=1) / np.sqrt(len(paired))
    return float(ours.mean()), float(paired.mean()), float(error)


def table(results: dict[str, np.ndarray], counts: np.ndarray) -> str:
    """Mean recalls in per cent, and the paired difference to CE ± its standard error."""
    baseline, *_ = results.values()
    groups = {name: classes for name, classes in columns(counts).items() if classes.any()}
    lines = ["| method | function | paper | " + " | ".join(groups) + " |"]
    lines.append("|---|---|---|" + "---|" * len(groups))
    for method in METHODS:
        if method.name not in results:
            continue
        cells = []
        for classes in groups.values():
            mean, moved, error = difference(results[method.name], baseline, classes)
            of_ce = method is METHODS[0]
            cells.append(f"{mean:.1f}" if of_ce else f"{mean:.1f} ({moved:+.1f} ± {error:.1f})")
        function = f"`{method.functions}`"
        lines.append(f"| {method.name} | {function} | {method.paper} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(results: dict[str, np.ndarray], counts: np.ndarray, settings: Settings) -> str:
    """The table, and what was run."""
    sizes = ", ".join(map(str, counts.tolist()))
    return "\n".join(
        [
            f"# Methods on {settings.dataset}",
            "",
            f"Recall on the test images of {settings.dataset} in per cent (paired difference to "
            f"cross-entropy ± its standard error): {settings.seeds} trials, {settings.epochs} "
            f"epochs, the last of them; training images per class {sizes}; seeds from "
            f"{settings.seed}.",
            "",
            table(results, counts),
        ]
    )
