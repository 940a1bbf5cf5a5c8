"""What was found, as Markdown. The first method, CE, is the baseline."""

from itertools import pairwise

import numpy as np

from examples.bbn.settings import Settings
from examples.bbn.trials import Outcome
from examples.report import paired
from examples.report.prose import filled

COLUMNS = ("balanced accuracy", "many-shot", "medium-shot", "few-shot")
THAN = {
    "higher": "higher than that of",
    "lower": "lower than that of",
    "not told apart": "not told apart from that of",
}
HEAD = """# Two branches: BBN

`examples/bbn` is the bilateral-branch network (Zhou et al., CVPR 2020) in some 300 lines. It
needs nothing of its own from the library: the reversed sampling is
`jimb.sampling.class_power(labels, counts, power=-1)` and an `epoch_plan` from it, the schedule is
one of Optax's, and the mixed loss is a `weighted_mean` with the weights α and 1 - α.

This page is what this command wrote:

```sh
{command}
```

The rows:

- **CE**: one batch for both branches and α = ½, which makes the network a plain MLP. Its epochs
  are drawn uniformly, class-balanced (each class alike), or reversed (class c ∝ 1 / n_c).
- **BBN**: one uniform and one reversed batch, α = 1 - (t/T)² in epoch t of T, t from 0.
- **BBN α=…**: the same with another schedule.
- **BBN both uniform**: the schedule of BBN, but nothing reversed: what the mixing alone does.

All rows have the same network, initial weights, training images and learning rate: of 0.01, 0.03
and 0.1 the one that, on other seeds, was best for plain CE and let every row converge. A step of
BBN takes two batches, one per branch, so an epoch of BBN draws twice as many images as one of CE;
the rows named 2T train for twice the epochs and draw as many as BBN. The network is an MLP, not the
residual networks of the paper, and the training sets are small: the tables show how the method
behaves here, not what the paper reports.

Many-shot classes have more than 100 training images, medium-shot ones 20 to 100, few-shot ones
fewer than 20; their accuracy is the mean recall. Below, "higher" and "lower" mean by more than two
standard errors of the paired difference. With so many comparisons a few are that far apart by
chance.
"""


def page(outcomes: list[Outcome], settings: Settings) -> str:
    """The Markdown page: the rows explained, then for each data set the table and what it shows."""
    parts = [HEAD.format(command=command(settings))]
    for outcome in outcomes:
        parts.append(
            f"## {outcome.dataset}\n\n{describe(outcome, settings)}\n\n{table(outcome)}\n\n"
            + "\n".join(findings(outcome))
            + "\n"
        )
    return "\n".join(parts)


def command(settings: Settings) -> str:
    """The command line that wrote the page, but for where the data lie."""
    options = [f"--dataset {' '.join(settings.dataset)}"]
    for field, value in vars(settings).items():
        default = type(settings).__dataclass_fields__[field].default
        if field not in ("dataset", "data_dir", "report") and value != default:
            options.append(f"--{field.replace('_', '-')} {value}")
    return f"python -m examples.bbn {' '.join(options)} --report docs/results/bbn.md"


def describe(outcome: Outcome, settings: Settings) -> str:
    """What the table is of: data, sizes, how long."""
    recipe, counts = outcome.recipe, outcome.counts
    sizes = recipe.features, recipe.hidden, 2 * recipe.hidden, recipe.classes
    plain = sum((m + 1) * n for m, n in pairwise(sizes))
    layers = "-".join(map(str, sizes))
    return filled(
        f"{outcome.dataset}; training images per class {', '.join(map(str, counts))}. In per cent "
        f"after the last of T = {recipe.epochs} epochs, mean of {settings.seeds} seeds; in "
        "brackets the paired difference to the first row ± its standard error. BBN has "
        f"{outcome.parameters:,} parameters, CE (the MLP {layers}) {plain:,}. Batches of "
        f"{recipe.batch_size} for each branch, peak learning rate {recipe.learning_rate:g}."
    )


def table(outcome: Outcome) -> str:
    """Accuracies in per cent, and the paired difference to CE ± its standard error."""
    return paired.table(outcome.measures, COLUMNS)


def findings(outcome: Outcome) -> list[str]:
    """What the standard errors show: every row against CE, and BBN against the other rows."""
    baseline, *others = outcome.measures
    sentences = []
    for column, title in enumerate(COLUMNS):
        groups = grouped({n: difference(outcome, n, baseline, column) for n in others})
        if groups:
            listed = "; ".join(f"{group} for {', '.join(names)}" for group, names in groups.items())
            sentences.append(f"- {title.capitalize()} against {baseline}: {listed}.")
    rest = {n: difference(outcome, "BBN", n, 0) for n in others if n != "BBN"}
    listed = "; ".join(
        f"{THAN[group]} " + ", ".join(f"{n} ({rest[n][0]:+.1f} ± {rest[n][1]:.1f})" for n in names)
        for group, names in grouped(rest).items()
    )
    sentences.append(f"- BBN's {COLUMNS[0]} is {listed}.")
    return [filled(sentence, "  ") for sentence in sentences]


def grouped(differences: dict[str, tuple[float, float]]) -> dict[str, list[str]]:
    """The names by verdict; those without a difference (no class of that size) left out."""
    groups: dict[str, list[str]] = {}
    for group in THAN:
        names = [n for n, d in differences.items() if verdict(*d) == group]
        if names:
            groups[group] = names
    return groups


def difference(outcome: Outcome, name: str, baseline: str, column: int) -> tuple[float, float]:
    """Mean and standard error of the paired difference, in points."""
    ours, theirs = outcome.measures[name], outcome.measures[baseline]
    return paired.difference(ours[:, column], theirs[:, column])


def verdict(mean: float, error: float) -> str:
    """Whether a difference is more than two standard errors from 0."""
    if np.isnan(mean):
        return "unknown"
    if not paired.told_apart(mean, error):
        return "not told apart"
    return "higher" if mean > 0 else "lower"
