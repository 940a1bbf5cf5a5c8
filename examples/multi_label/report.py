"""What was found, as Markdown. The first method, cross-entropy, is the baseline."""

import numpy as np

from examples.multi_label.methods import METHODS
from examples.multi_label.settings import Settings
from examples.multi_label.trials import Outcome
from examples.report import paired
from examples.report.prose import Took, filled

COLUMNS = (
    *("macro-F1 at ½", "macro-F1, thresholds", "mean AP"),
    *("mean AP, frequent", "mean AP, medium", "mean AP, rare"),
)
HEAD = """# Several labels for one text

What do losses, weights and sampling change where an example may have several labels, and most
labels are rare? The data are the lemmas of WordNet. The text of a lemma is all its definitions; its
labels are the lexicographer files that it stands in, the kinds of things that it may mean: "oak" is
a plant and a substance. There are 45 labels. This page is what

```sh
sh examples/data/get_data.sh wordnet-base
{command}
```

wrote. Each seed has its own random split: three fifths of the lemmas are trained on, one fifth is
to choose thresholds by, one is the test. The network is the mean of the words' vectors and a linear
head with one logit a label (one-vs-all). All methods share the splits, the initial weights and the
number of steps, and all but the repeat factors the order of the lemmas. The learning rate is, of
0.02, 0.05 and 0.1, the one with the best macro-F1 of cross-entropy on another seed.

The rows, all with the mean over lemmas of the sum over labels:

- **cross-entropy (CE)**: `sigmoid_cross_entropy_loss`; each label starts at 1/K;
- **bias from frequencies**: CE, but each label starts at its frequency
  (`one_vs_all_bias_init(..., counts=, num_examples=)`); **bias 0**: at ½;
- **focal**: `sigmoid_focal_loss`, without α;
- **asymmetric**: `sigmoid_asymmetric_loss`, γ₊ = 1, γ₋ = 4, shift 0.05; its authors train without
  the gradient through the focusing weights (`focus_gradient=False`);
- **class-balanced**: CE times the label's weight (`effective_number_weights`, β = 0.999);
- **pos_weight**: CE whose positives weigh as much as the negatives (`balanced_pos_weight`), and the
  root of it;
- **repeat factors**: CE on lemmas that are drawn more often the rarer the rarest of their labels is
  (`sampling.repeat_factors`, t = {threshold:g}; `sampling.epoch_plan`).

*Macro-F1* is the mean of the labels' F1, at a probability of ½, or at thresholds: of each label the
one with the best F1 on validation data (`posthoc.choose_threshold` under `vmap`). *Mean AP* is that
of their average precisions (`metrics.average_precision`), also of the frequent, the medium and the
rare third of the labels. Below, "higher" and "lower" mean by more than two standard errors of the
paired difference.
"""


def page(outcome: Outcome, settings: Settings, command: str, took: Took) -> str:
    """The whole page."""
    return "\n\n".join(
        [
            head(settings, command),
            sizes(outcome),
            paired.table(measures_of(outcome), COLUMNS),
            "\n".join(findings(outcome)),
            took.sentence(),
        ]
    )


def head(settings: Settings, command: str) -> str:
    """What is compared, and on what."""
    return HEAD.format(command=command, threshold=settings.threshold).rstrip()


def sizes(outcome: Outcome) -> str:
    """What the table is of."""
    train, validation, test = outcome.sizes
    counts, recipe = outcome.counts.mean(0), outcome.recipe
    return filled(
        f"{train} lemmas to train on, {validation} to choose thresholds by, {test} to test; "
        f"{outcome.labels:.2f} labels each, {100 * outcome.several:.0f} % have several. The most "
        f"frequent label is of {counts.max():.0f} training lemmas, the rarest of "
        f"{counts.min():.0f}. In per cent, mean of {len(outcome.counts)} seeds; in brackets the "
        f"paired difference to the first row ± its standard error. {outcome.epochs} epochs in "
        f"batches of {recipe.batch_size}, {recipe.hidden} numbers in a vector, Adam from "
        f"{recipe.learning_rate:g} to 0."
    )


def groups(outcome: Outcome) -> list[np.ndarray]:
    """Labels by their training lemmas: frequent, medium, rare."""
    return np.array_split(np.argsort(-outcome.counts.mean(0), kind="stable"), 3)


def measures_of(outcome: Outcome) -> dict[str, np.ndarray]:
    """Shares `[S, columns]` of each method."""
    measures = {}
    for name in METHODS:
        half, chosen, precision = map(np.asarray, outcome.scores[name])
        thirds = [precision[:, third].mean(1) for third in groups(outcome)]
        columns = [half.mean(1), chosen.mean(1), precision.mean(1), *thirds]
        measures[name] = np.stack(columns, 1)
    return measures


def findings(outcome: Outcome) -> list[str]:
    """What thresholds are worth, and a sentence a column: which methods are told apart from CE."""
    measures = measures_of(outcome)
    half, chosen, *_ = next(iter(measures.values())).T
    moved = paired.signed(*paired.difference(chosen, half))
    thresholds = f"- Thresholds by label change the macro-F1 of CE by {moved} points."
    titles = [f"{title[0].upper()}{title[1:]}" for title in COLUMNS]
    return [thresholds, *paired.findings(measures, titles)]
