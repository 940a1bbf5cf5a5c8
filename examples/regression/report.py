"""What was found, as Markdown. The first method, the plain mean, is the baseline."""

from pathlib import Path

import numpy as np

from examples.regression.methods import METHODS
from examples.regression.settings import Settings
from examples.regression.trials import Outcome
from examples.report import paired
from examples.report.prose import Took, filled

BIN = 500  # dollars; of the measures
GROUPS = ("all rows", "even over prices", "many", "medium", "few")
COLUMNS = (*GROUPS, "mean error")
HEAD = """# Numbers as targets

What do weights change where a number is to be predicted, of which some values are rare? The data
are the prices of diamonds, from 326 to 18 823 US dollars: a quarter is below a thousand, a tenth
above ten thousand. They are ggplot2's table, as the package plotnine ships it, less rows that
repeat another and rows of impossible lengths. This page is what

```sh
sh examples/data/get_wheel.sh plotnine
{command}
```

wrote. Each seed has its own random split: four fifths to train on, one is the test. The network has
two hidden layers; it sees carat, proportions, lengths, and cut, colour and clarity one-hot. All
methods share the splits, the initial weights, the order of the rows and the number of steps; the
last step counts. The learning rate is, of 0.003, 0.01 and 0.03, the one with the smallest error of
the plain mean on other seeds. A second run, of a quarter of the epochs, shows how much of a
difference is only faster convergence.

All train on absolute errors, `weighted_mean(abs(z - y), w, normalizer=B)`, since it is by them that
we judge; plain, this estimates the median price of such a diamond.

The rows:

- **plain**: all weights 1;
- **inverse**: `label_density_weights(prices, num_bins={bins}, radius=0)`, the inverse
  of the number of training rows in the price's bin;
- **smoothed inverse**: without `radius=0`: label distribution smoothing (LDS), the kernel reaches
  two bins to each side;
- **smoothed root**: with `power=0.5`;
- **inverse of wide bins**: `num_bins={wide}, radius=0`;
- **logarithm of the price**: all weights 1, and the network learns the logarithm, which has no
  long tail. That is another question, errors in per cent: it counts a dollar the less, the dearer
  the stone, where the weights count it more. So the other rows learn the price itself.

Errors are in dollars. Prices are divided into bins of {width} dollars. *All rows* is the mean of
the absolute errors over the test rows, what a user of natural data meets. *Even over prices* is the
mean over the bins of the bin's mean, as if all prices were as frequent. *Many*, *medium* and *few*
are the same over the third of the bins with the most training rows, the next, and the fewest. The
*mean error*, predicted less true, is over all test rows. Below, "higher" and "lower" mean by more
than two standard errors of the paired difference; lower errors are better.
"""
GEOMETRIC = """
The geometric mean of the same errors, where one below a dollar counts as a dollar. It is of the
typical row, where the mean is of the large errors.
"""


def page(outcome: Outcome, brief: Outcome, settings: Settings, command: str, took: Took) -> str:
    """The whole page; `brief` is of fewer epochs."""
    errors, geometric = errors_of(outcome), geometric_of(outcome)
    parts = [
        head(settings, command),
        sizes(outcome),
        paired.table(errors, COLUMNS),
        "\n".join([*gains(outcome), *gains(brief), *findings(errors)]),
    ]
    if settings.report is not None:
        parts.append(f"![Errors by price]({Path(settings.report).stem}.png)")
    parts += [GEOMETRIC.strip(), paired.table(geometric, GROUPS)]
    return "\n\n".join([*parts, took.sentence()])


def head(settings: Settings, command: str) -> str:
    """What is compared, and on what."""
    wide = settings.bins // 10
    return HEAD.format(command=command, bins=settings.bins, wide=wide, width=BIN).rstrip()


def sizes(outcome: Outcome) -> str:
    """What the table is of."""
    counts = np.stack([counted(prices) for prices in outcome.train_prices]).mean(0)
    (seeds, rows), tested = outcome.train_prices.shape, outcome.test_prices.shape[1]
    recipe = outcome.recipe
    worth = ", ".join(
        f"{100 * equal_rows(weights).mean():.0f} % ({name})"
        for name, weights in outcome.weights.items()
        if METHODS[name].power > 0
    )
    return filled(
        f"{rows} rows to train on, {tested} to test. Of {len(counts)} bins the fullest has "
        f"{counts.max():.0f} training rows, the emptiest {counts.min():.0f}. Weighted rows are "
        f"worth fewer equal ones, (Σ w)² / (N Σ w²) of them: {worth}. Mean of {seeds} seeds; in "
        "brackets the paired difference to the first row ± its standard error. "
        f"{recipe.epochs} epochs in batches of {recipe.batch_size}, {recipe.hidden} units a layer, "
        f"AdamW from {recipe.learning_rate:g} to 0."
    )


def equal_rows(weights: np.ndarray) -> np.ndarray:
    """The effective sample size as a share of the rows, `[S]`."""
    share: np.ndarray = weights.mean(1) ** 2 / (weights**2).mean(1)
    return share


def errors_of(outcome: Outcome) -> dict[str, np.ndarray]:
    """Of each method `[S, columns]`, in hundreds of dollars: the tables print hundredths."""
    return {
        name: np.column_stack([by_rarity(np.abs(errors), outcome), errors.mean(1)]) / 100
        for name, errors in outcome.errors.items()
    }


def geometric_of(outcome: Outcome) -> dict[str, np.ndarray]:
    """The same of geometric means, without the mean error."""
    return {
        name: np.exp(by_rarity(np.log(np.maximum(np.abs(errors), 1)), outcome)) / 100
        for name, errors in outcome.errors.items()
    }


def by_rarity(values: np.ndarray, outcome: Outcome) -> np.ndarray:
    """Means of `[S, n]` over the rows, over the bins, and over each third of them: `[S, 5]`."""
    found = []
    for of, train, test in zip(values, outcome.train_prices, outcome.test_prices, strict=True):
        bins = mean_by_bin(of, test)
        thirds = np.array_split(np.argsort(-counted(train)[: len(bins)], kind="stable"), 3)
        found.append([of.mean(), np.nanmean(bins), *(np.nanmean(bins[third]) for third in thirds)])
    return np.array(found)


def counted(prices: np.ndarray) -> np.ndarray:
    """Rows in each bin."""
    return np.bincount((prices // BIN).astype(int))


def mean_by_bin(values: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """NaN where no row is."""
    bins, counts = (prices // BIN).astype(int), counted(prices)
    return np.where(counts > 0, np.bincount(bins, values) / np.maximum(counts, 1), np.nan)


def gains(outcome: Outcome) -> list[str]:
    """What smoothed weights gain where prices are rare, and what they cost over all rows."""
    errors, epochs = errors_of(outcome), outcome.recipe.epochs
    baseline = errors["plain"].mean(0)
    few, everywhere = COLUMNS.index("few"), COLUMNS.index("all rows")
    lines = []
    for name in ("smoothed inverse (LDS)", "smoothed root (LDS)"):
        moved = 100 * (errors[name].mean(0) / baseline - 1)
        text = (
            f"- After {epochs} epochs, {name}: the error of the few moves by {moved[few]:+.1f} %, "
            f"that over all rows by {moved[everywhere]:+.1f} %."
        )
        lines.append(filled(text, "  "))
    return lines


def findings(errors: dict[str, np.ndarray]) -> list[str]:
    """A sentence a column: which methods are told apart from plain."""
    return paired.findings(errors, [f"{title[0].upper()}{title[1:]}" for title in COLUMNS])
