"""What was found, as Markdown. The first method, joint training, is the baseline."""

import numpy as np

from examples.decoupling.trials import Result
from examples.report import paired, tables


def page(results: dict[str, Result], counts: np.ndarray, title: str) -> str:
    """The table, what its columns are, and which τ were chosen."""
    sizes = ", ".join(str(count) for count in counts)
    chosen = {name: r.tau for name, r in results.items() if not np.isnan(r.tau).all()}
    return "\n".join(
        [
            f"Mean recall in per cent (paired difference to joint training ± its standard error), "
            f"{title}. Training images per class: {sizes}.",
            "",
            table(results, counts),
            "",
            *(taus(name, tau) for name, tau in chosen.items()),
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
    rows = []
    for name, result in results.items():
        theirs = {c: None if result is baseline else getattr(baseline, c) for c in columns}
        rows.append([name, *(paired.cell(getattr(result, c), theirs[c]) for c in columns)])
    titles = (f"{c} ({n} class{'es' * (n != 1)})" for c, n in columns.items())
    return tables.markdown(["method", *titles], rows)


def taus(name: str, tau: np.ndarray) -> str:
    """A sentence on the τ that the trials chose."""
    return f"τ of {name}: {tau.mean():.2f} on average, {tau.min():.1f} to {tau.max():.1f}."
