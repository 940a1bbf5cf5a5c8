"""What was found, as Markdown. The first method, joint training, is the baseline."""

from typing import NamedTuple

import numpy as np


class Result(NamedTuple):
    """One method's accuracies over the test images, a number per trial."""

    balanced: np.ndarray  # [S], mean recall of all classes
    many: np.ndarray  # of the classes with more than 100 training images
    medium: np.ndarray  # 20 to 100
    few: np.ndarray  # fewer than 20
    tau: np.ndarray  # chosen on validation; NaN where there is nothing to choose


def markdown(results: dict[str, Result], counts: np.ndarray, title: str) -> str:
    """The table, what its columns are, and which τ were chosen."""
    sizes = ", ".join(str(count) for count in counts)
    return "\n".join(
        [
            f"Mean recall in per cent (paired difference to joint training ± its standard error), "
            f"{title}. Training images per class: {sizes}.",
            "",
            table(results, counts),
            "",
            *(taus(name, result.tau) for name, result in results.items() if not none(result.tau)),
        ]
    )


def table(results: dict[str, Result], counts: np.ndarray) -> str:
    """A row per method, in per cent; the differences are in points."""
    columns = {
        "balanced": len(counts),
        "many": int((counts > 100).sum()),
        "medium": int(((counts >= 20) & (counts <= 100)).sum()),
        "few": int((counts < 20).sum()),
    }
    baseline, *_ = results.values()
    width = max(map(len, results))
    titles = [
        f"{name} ({n} classes)" if n != 1 else f"{name} (1 class)" for name, n in columns.items()
    ]
    lines = [f"| {'method':<{width}} | " + " | ".join(f"{t:^21}" for t in titles) + " |"]
    lines.append(f"|{'-' * (width + 2)}|" + "|".join("-" * 23 for _ in titles) + "|")
    for name, result in results.items():
        cells = [
            cell(getattr(result, c), getattr(baseline, c), result is baseline) for c in columns
        ]
        lines.append(f"| {name:<{width}} | " + " | ".join(f"{c:<21}" for c in cells) + " |")
    return "\n".join(lines)


def cell(accuracy: np.ndarray, baseline: np.ndarray, is_baseline: bool) -> str:
    """`71.3 ( +4.1 ± 0.6)`; a dash where there is no such class."""
    if none(accuracy):
        return "–"
    text = f"{100 * accuracy.mean():5.1f}"
    if is_baseline:
        return text
    mean, error = paired_difference(100 * accuracy, 100 * baseline)
    return f"{text} ({mean:+5.1f} ± {error:3.1f})"


def paired_difference(values: np.ndarray, baseline: np.ndarray) -> tuple[float, float]:
    """Mean and standard error over the trials of `values - baseline`."""
    difference = values - baseline
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def taus(name: str, tau: np.ndarray) -> str:
    """A sentence on the τ that the trials chose."""
    return f"τ of {name}: {tau.mean():.2f} on average, {tau.min():.1f} to {tau.max():.1f}."


def none(values: np.ndarray) -> bool:
    """Nothing was measured."""
    return bool(np.isnan(values).all())
