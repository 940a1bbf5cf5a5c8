"""The page on calibration: how far each method's probabilities are from frequencies."""

from collections.abc import Sequence

import numpy as np

from examples.benchmark.calibration import FIGURES, READINGS
from examples.benchmark.measures import Outcome
from examples.benchmark.methods import METHODS
from examples.report import paired, tables
from examples.report.prose import filled

INTRODUCTION = """# Calibration: what each method does to probabilities

Of the trainings of [every method on every data set](methods.md): how far the probability that a
model states is from how often it is right, and what two corrections after training bring back.

The frequencies are those of the training set: on balanced test sets each test example weighs as
much as makes its class as frequent as it was in training. On classes that were re-weighted, drawn
evenly or shifted a model is trained for other frequencies, so its probabilities are off by
construction; the question is by how much, and whether a correction ends it. Probabilities are the
softmax of the logits; those of one question per class are divided by their sum.

ECE is the expected calibration error of 15 bins of one width (`metrics.calibration`), of the most
probable class, and on two classes of the second one's probability; Brier is the mean squared
distance to the label. Both are in hundredths: a model that says 0.9 and is right 8 times in 10 has
an ECE of 10. A cell has three numbers, *as trained → with a temperature → with vector scaling*
(`posthoc.fit_temperature`; `posthoc.fit_vector_scaling`, a scale and a bias for each class).
Corrections are fitted on one half of the test examples and measured on the other, and the other way
round. The last row is the largest standard error over the trials in its column.

On odd or even (*parity*) one training image in 62 is the rare digit and one test image in seven:
inside a class no class weight brings that back, and CE's own probabilities are far off."""
AGAINST = """The paired difference to CE ± its standard error, in hundredths; above 0 is worse.
First as trained, then with vector scaling of both, which says what the method's training cost or
gained once the frequencies are right."""


def calibration_page(outcomes: Sequence[Outcome]) -> str:
    """Both tables, and what they say."""
    parts = [INTRODUCTION]
    for title in ("ECE", "Brier"):
        parts += [f"## {title}", table(outcomes, FIGURES.index(title))]
    parts += ["## Brier score against CE", AGAINST, differences(outcomes)]
    parts += [
        "## By expected calibration error",
        "\n".join(finding(outcome) for outcome in outcomes),
    ]
    parts.append("Bins of equal mass (Nixon 2019) move an ECE of the table by at most "
                 f"{equal_mass_moves(outcomes):.1f}.")  # fmt: skip
    parts.append("`python -m examples.benchmark --calibration docs/results/calibration.md` wrote "
                 "this page.")  # fmt: skip
    return "\n\n".join(parts)


def table(outcomes: Sequence[Outcome], figure: int) -> str:
    """Methods × tasks, in hundredths."""
    rows = []
    for method in METHODS:
        if any(method.name in outcome.results for outcome in outcomes):
            rows.append([method.name, *(cell(each, method.name, figure) for each in outcomes)])
    errors = (f"{max_error(outcome, figure):.2f}" for outcome in outcomes)
    rows.append(["*largest standard error*", *errors])
    header = ["method", *(outcome.task for outcome in outcomes)]
    return tables.markdown(header, rows, lined_up=False)


def differences(outcomes: Sequence[Outcome]) -> str:
    """Methods × tasks: the Brier score over CE's, as trained and with vector scaling."""
    rows = []
    for method in METHODS[1:]:
        if any(method.name in outcome.results for outcome in outcomes):
            rows.append([method.name, *(moved(each, method.name) for each in outcomes)])
    header = ["method", *(outcome.task for outcome in outcomes)]
    return tables.markdown(header, rows, lined_up=False)


def moved(outcome: Outcome, name: str) -> str:
    """Two paired differences, in hundredths, or a dash."""
    if name not in outcome.results:
        return "–"
    ours = outcome.results[name].calibration[:, :, FIGURES.index("Brier")]
    theirs = next(iter(outcome.results.values())).calibration[:, :, FIGURES.index("Brier")]
    pairs = (paired.difference(ours[:, k], theirs[:, k]) for k in (0, len(READINGS) - 1))
    return " → ".join(paired.signed(*pair) for pair in pairs)


def cell(outcome: Outcome, name: str, figure: int) -> str:
    """The three readings, or a dash."""
    if name not in outcome.results:
        return "–"
    means = 100 * outcome.results[name].calibration[:, :, figure].mean(0)
    return "→".join(f"{mean:.2f}" if mean < 1 else f"{mean:.1f}" for mean in means)


def max_error(outcome: Outcome, figure: int) -> float:
    """Of all methods and readings on a task."""
    found = np.stack([each.calibration[:, :, figure] for each in outcome.results.values()])
    errors = 100 * found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
    return float(errors.max())


def finding(outcome: Outcome) -> str:
    """How many methods are told apart from CE by ECE, before and after."""
    said = []
    for reading, words in enumerate(READINGS):
        baseline, *others = (each.calibration for each in outcome.results.values())
        column = baseline[:, reading, 0]
        signs = [paired.verdict(other[:, reading, 0], column) for other in others]
        said.append(
            f"{words} CE has {100 * column.mean():.2f}, {signs.count('lower')} of {len(signs)} "
            f"others have less and {signs.count('higher')} more"
        )
    return filled(f"- {outcome.task}: {'; '.join(said)}.", "  ")


def equal_mass_moves(outcomes: Sequence[Outcome]) -> float:
    """The largest difference of the two ECEs of a cell, in hundredths."""
    moved = [
        np.abs(np.subtract(*np.moveaxis(each.calibration[:, :, :2].mean(0), -1, 0))).max()
        for outcome in outcomes
        for each in outcome.results.values()
    ]
    return 100 * float(max(moved))
