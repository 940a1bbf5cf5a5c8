"""What was found: tables, and the sentences that follow from their numbers.

The first method, CE, is the baseline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

POINTS = ("0.5", "prior", "chosen")
# They put the correction of the prior into the training: 0.5 is their moved threshold.
REPLACEMENTS = (
    "inverse-frequency weights",
    "effective-number weights",
    "logit adjustment",
    "class-balanced sampling",
)


class Result(NamedTuple):
    """One method on the test part of each trial; shares of 1."""

    pr_auc: np.ndarray  # [S]
    validation_pr_auc: np.ndarray  # [S]
    recall: np.ndarray  # [S, 3], at the three thresholds
    precision: np.ndarray  # [S, 3]; NaN where nothing was called an event
    threshold: np.ndarray  # [S], chosen on validation


class Outcome(NamedTuple):
    """All methods on one data set."""

    dataset: str
    counts: np.ndarray  # [2], of the training part
    epochs: int
    results: dict[str, Result]


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard error over the trials in which the value exists, in per cent."""
    found = 100 * values[np.isfinite(values)]
    if len(found) == 0:
        return np.nan, np.nan
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    return float(found.mean()), float(error)


def paired(result: Result, baseline: Result) -> tuple[float, float]:
    """Mean and standard error of the difference in PR-AUC, in points."""
    return mean_and_error(result.pr_auc - baseline.pr_auc)


def measured(values: np.ndarray) -> str:
    """`94.7 ± 0.9`; a dash where no trial has the value, and how many have it if not all do."""
    mean, error = mean_and_error(values)
    if np.isnan(mean):
        return "–"
    found = int(np.isfinite(values).sum())
    cell = f"{mean:.1f}" if np.isnan(error) else f"{mean:.1f} ± {error:.1f}"
    return cell if found == len(values) else f"{cell} ({found} of {len(values)})"


def table(outcome: Outcome) -> str:
    """A row a method (Markdown)."""
    baseline, *_ = outcome.results.values()
    heads = ["method", "PR-AUC (difference to CE)"]
    heads += [f"{measure}, {point}" for point in POINTS for measure in ("recall", "precision")]
    rows = [heads]
    for name, result in outcome.results.items():
        ranking = measured(result.pr_auc)
        if result is not baseline:
            mean, error = paired(result, baseline)
            ranking = f"{100 * result.pr_auc.mean():.1f} ({mean:+.1f} ± {error:.1f})"
        columns = zip(result.recall.T, result.precision.T, strict=True)
        rows.append([name, ranking, *(measured(v) for pair in columns for v in pair)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def threshold_sentences(outcome: Outcome) -> list[str]:
    """What moving the threshold of CE gains in recall and costs in precision."""
    _, result = next(iter(outcome.results.items()))
    prior = outcome.counts[1] / outcome.counts.sum()
    chosen = f"one chosen on validation, {result.threshold.mean():.3f} on average"
    sentences = []
    for point, words in ((1, f"prior, {prior:.4f}"), (2, chosen)):
        recall = result.recall[:, point] - result.recall[:, 0]
        precision = result.precision[:, point] - result.precision[:, 0]
        sentences.append(
            f"CE, threshold moved from 0.5 to the {words}: {change(recall, 'recall')}, "
            f"{change(precision, 'precision')}. Precision is then "
            f"{measured(result.precision[:, point])} %."
        )
    return sentences


def change(differences: np.ndarray, measure: str) -> str:
    """`5.3 ± 1.2 points of recall gained`."""
    mean, error = mean_and_error(differences)
    found = int(np.isfinite(differences).sum())
    if found == 0:
        return f"{measure} cannot be compared, because at 0.5 no seed calls anything an event"
    said = f"{abs(mean):.1f}" + ("" if np.isnan(error) else f" ± {error:.1f}")
    said += f" points of {measure} {'lost' if mean < 0 else 'gained'}"
    if found < len(differences):
        said += f" (in the {found} of {len(differences)} seeds that have any at both)"
    return said


def instead_sentences(outcome: Outcome) -> list[str]:
    """The prior threshold of CE beside the methods that are to do the same in training."""
    baseline, *_ = outcome.results.values()
    sides = [f"CE at the prior threshold has {operating_point(baseline, 1)}"]
    for name in REPLACEMENTS:
        if name in outcome.results:
            sides.append(f"{name} at 0.5 {operating_point(outcome.results[name], 0)}")
    return ["; ".join(sides) + "."] if len(sides) > 1 else []


def operating_point(result: Result, point: int) -> str:
    """`recall 99.2 ± 0.8 and precision 74.9 ± 3.7`."""
    recall, precision = result.recall[:, point], result.precision[:, point]
    return f"recall {measured(recall)} and precision {measured(precision)}"


def ranking_sentences(outcome: Outcome) -> list[str]:
    """For which methods PR-AUC differs from that of CE by more than two standard errors."""
    (_, baseline), *others = outcome.results.items()
    groups: dict[str, list[str]] = {"above": [], "below": [], "neither": []}
    for name, result in others:
        mean, error = paired(result, baseline)
        differs = abs(mean) > 2 * error
        group = "neither" if not differs else "above" if mean > 0 else "below"
        groups[group].append(f"{name} ({mean:+.1f} ± {error:.1f})" if differs else name)
    sentences = []
    for where in ("above", "below"):
        who = ", ".join(groups[where]) or "none"
        sentences.append(f"PR-AUC more than two standard errors {where} that of CE: {who}.")
    sentences.append(f"Not told apart from CE in PR-AUC: {', '.join(groups['neither']) or 'none'}.")
    trials = len(baseline.pr_auc)
    chance = 2 * student.sf(2, trials - 1)
    sentences.append(
        f"With {trials} seeds two standard errors are exceeded by chance alone in {chance:.0%} of "
        f"comparisons, and there are {len(others)} here."
    )
    return sentences


TITLE = {"shuttle": "Valve faults of the Shuttle", "caravan": "Caravan policies, the control"}
INTRODUCTION = """\
# Rare events: the ranking and the threshold

Which remedy ranks the events better, and which only moves the threshold? This page was printed by
`python -m examples.rare_event --long --report docs/results/rare_event.md`; without `--long`, which
adds the last table, it takes less than three minutes on two cores.

Each seed has its own stratified split into 60 % training, 20 % validation and 20 % test. All
methods share the splits, the initial weights of an MLP with two hidden layers of 64, AdamW, batches
of 256, and the number of epochs, which CE's PR-AUC on validation chose. Some methods need more: the
Shuttle's two tables differ in nothing but their epochs. Figures are those of the test part, in per
cent: mean over the seeds ± standard error. In brackets: the difference to CE, paired by seed, ± its
standard error. PR-AUC is scikit-learn's average precision, of the log-odds, which unlike
probabilities do not saturate. A dash: no seed calls anything an event, so there is no precision.

The three thresholds on the probability of the event:

- **0.5**;
- **prior**: the share of events in the training part (`jimb.posthoc.move_threshold`). It is meant
  for probabilities that are those of the data, as CE's. Weights, logit adjustment and
  class-balanced sampling have this correction in the training, and 0.5 is their threshold: the
  prior corrects a second time. Focal loss, OHEM and sampling by difficulty or by loss leave
  probabilities that belong to no prior;
- **chosen**: the one with the best F1 on validation (`jimb.posthoc.choose_threshold`).

Logit adjustment after training is, for two classes, the prior threshold: row CE, column prior. The
row "logit adjustment" is the trained one. Weights have mean 1 over the training part; the effective
number has β = 0.9999. Focal is `softmax_focal_loss` with γ = 2; for two classes that is the sigmoid
focal loss of the difference of the logits. OHEM keeps all positives and the hardest quarter of the
negatives of each batch. Difficulty has pseudocount 1.

The tables are files of two R packages: `sh examples/data/get_data.sh r-cran-mlbench r-cran-kernlab`
brings them into `data`, and needs no R and no root. With `--source openml` scikit-learn downloads
the tables instead; that way has been tested with a stand-in for the download only.
"""


def section(outcome: Outcome) -> str:
    """Heading, table and sentences of one data set."""
    baseline, *_ = outcome.results.values()
    validation = measured(baseline.validation_pr_auc)
    opening = (
        f"{outcome.counts[1]} events in {outcome.counts.sum()} training rows, "
        f"{outcome.counts[1] / outcome.counts.sum():.2%}; "
        f"{len(baseline.pr_auc)} seeds. PR-AUC of CE on validation: {validation}."
    )
    sentences = (
        *threshold_sentences(outcome),
        *instead_sentences(outcome),
        *ranking_sentences(outcome),
    )
    said = "\n".join(f"- {sentence}" for sentence in sentences)
    title = f"## {TITLE[outcome.dataset]}: {outcome.epochs} epochs"
    return "\n\n".join([title, opening, table(outcome), said])


def page(outcomes: list[Outcome]) -> str:
    """The whole page (Markdown)."""
    return "\n\n".join([INTRODUCTION.rstrip(), *map(section, outcomes)])
