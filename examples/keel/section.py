"""A model's part of the page: ranks, effects, what they cost, and what was chosen."""

import numpy as np

from examples.keel.choice import Chosen
from examples.keel.comparison import Compared, compare, shown, sizes
from examples.keel.measures import MEASURES
from examples.keel.methods import METHODS
from examples.keel.models import Model
from examples.keel.outcome import Outcome
from examples.report import tables
from examples.report.prose import filled

OF_NAME = {method.name: method for method in METHODS}
FEWEST_SETS = 5  # below, tests over data sets say nothing
EFFECTS = filled(
    "Points from cross-entropy ± the standard error over the data sets; a star: told apart by "
    "Wilcoxon's test, which goes by the ranks of the differences and not by their mean."
)
CALLS = filled(
    "How many rows of the rarer class are found, and how many others are called rare, false "
    "alarms: all data sets together, for cross-entropy, and how many more for each method."
)
CHOSEN = filled(
    "How often each number was chosen, in per cent of the folds, and in how many of them others "
    "were as good, so that the first was taken:"
)


def section(outcome: Outcome, model: Model, figure: str) -> list[str]:
    """Of one model; with a figure, if there is one."""
    compared = compare(outcome.test[model])
    parts = ["Mean ranks, 1 is best:", ranks(compared), tested(compared)]
    if figure:
        parts.append(f"![Critical-difference diagrams, {model}]({figure})")
    parts += [EFFECTS, effects(compared), "\n".join(findings(compared))]
    parts += [CALLS, calls(compared, outcome)]
    choices = chosen(outcome.chosen[model])
    return [*parts, CHOSEN, choices] if choices else parts


def ranks(compared: Compared) -> str:
    """A row a method, in the order of the first measure."""
    columns = [compared.rankings[name].ranks for name in MEASURES]
    rows = []
    for k in np.argsort(columns[0], kind="stable"):
        method = OF_NAME[compared.names[k]]
        function = f"`{method.functions}`" if method.functions else ""
        rows.append([method.name, function, method.paper, *(f"{each[k]:.1f}" for each in columns)])
    header = ["method", "function", "paper", *MEASURES]
    return tables.markdown(header, rows, lined_up=False)


def tested(compared: Compared) -> str:
    """Friedman's test, and the difference that tells two ranks apart."""
    number, (_, sets, _) = len(compared.names), compared.scores.shape
    if number < 3 or sets < FEWEST_SETS:
        return f"Friedman's test needs three methods, and here {FEWEST_SETS} data sets."
    p = max(compared.rankings[name].friedman for name in MEASURES)
    difference = compared.rankings[MEASURES[0]].difference
    return filled(
        f"Friedman's test that all {number} are alike has p {chance(p)} for every measure. Two "
        f"mean ranks are told apart by Nemenyi's test at 0.05 if they differ by {difference:.1f}."
    )


def chance(p: float) -> str:
    """A bound, to one digit."""
    return "below 1e-16" if p < 1e-16 else f"up to {p:.0e}"


def effects(compared: Compared) -> str:
    """A row a method, in the order of METHODS."""
    rows = (
        [name, *(shown(compared, name, measure) for measure in MEASURES)] for name in compared.names
    )
    return tables.markdown(["method", *MEASURES], rows, lined_up=False)


def findings(compared: Compared) -> list[str]:
    """How many methods Wilcoxon's test tells apart from cross-entropy, and which are lower."""
    lines = []
    for measure in MEASURES:
        higher, lower = (compared.told_apart(measure)[side] for side in ("higher", "lower"))
        rest = len(compared.names) - 1 - len(higher) - len(lower)
        worse = f" ({', '.join(lower)})" if lower else ""
        line = f"- {measure}: {len(higher)} higher, {len(lower)} lower{worse}, {rest} neither."
        lines.append(filled(line, "  "))
    return lines


def calls(compared: Compared, outcome: Outcome) -> str:
    """A row a method: rows found and false alarms, means over the seeds."""
    positive = np.array([table.labels.sum() for table in outcome.tables.values()])
    negative = sizes(outcome) - positive
    recall, specificity = compared.scores[..., len(MEASURES) :].transpose(2, 0, 1)
    counts = np.stack([recall @ positive, (1 - specificity) @ negative], 1)
    first = (
        f"{count:.0f} of {rows.sum()}"
        for count, rows in zip(counts[0], (positive, negative), strict=True)
    )
    rows = [[compared.names[0], *first]]
    for name, more in zip(compared.names[1:], counts[1:] - counts[0], strict=True):
        rows.append([name, *(f"{each:+.0f}" for each in more)])
    return tables.markdown(["method", "found", "false alarms"], rows, lined_up=False)


# How the numbers that may be chosen are called.
SYMBOLS = {
    "gamma": "γ",
    "negatives": "γ of negatives",
    "beta": "β",
    "tau": "τ",
    "exponent": "exponent",
    "margin": "margin",
    "keep": "share",
    "pseudocount": "c",
}


def chosen(found: dict[str, Chosen]) -> str:
    """A line a tuned method: how often it took each of its numbers."""
    lines = []
    for name, choices in found.items():
        grid = OF_NAME[name].grid
        if OF_NAME[name].tuned:
            fields = [field for field in SYMBOLS if len({getattr(n, field) for n in grid}) > 1]
            counts = np.bincount(choices.positions.ravel(), minlength=len(grid))
            shares = 100 * counts / choices.positions.size
            each = (
                f"{'/'.join(f'{getattr(numbers, field):g}' for field in fields)} ({share:.0f} %)"
                for numbers, share in zip(grid, shares, strict=True)
            )
            symbols = "/".join(SYMBOLS[field] for field in fields)
            tied = 100 * choices.tied.mean()
            line = f"- {name}, {symbols}: {', '.join(each)}; others as good in {tied:.0f} %."
            lines.append(filled(line, "  "))
    return "\n".join(lines)
