"""What `rare_event.py` found: tables, and the sentences that follow from their numbers.

The first method, CE, is the baseline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

POINTS = ("0.5", "prior", "chosen")


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


# ------------------------------------------------------------------------------------- numbers


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


# --------------------------------------------------------------------------------------- table


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


# ----------------------------------------------------------------------------------- sentences


def threshold_sentences(outcome: Outcome) -> list[str]:
    """What moving the threshold of CE gains in recall and costs in precision."""
    name, result = next(iter(outcome.results.items()))
    prior = outcome.counts[1] / outcome.counts.sum()
    thresholds = {
        "the prior": f"the prior, {prior:.4f}",
        "chosen": f"the one chosen on validation, {result.threshold.mean():.3f} on average",
    }
    sentences = []
    for point, words in enumerate(thresholds.values(), start=1):
        recall = mean_and_error(result.recall[:, point] - result.recall[:, 0])
        precision = mean_and_error(result.precision[:, point] - result.precision[:, 0])
        said = f"{name}: moving the threshold from 0.5 to {words}, changes recall by " + points(
            recall
        )
        if np.isnan(precision[0]):
            said += "; at 0.5 no trial calls anything an event, so that has no precision."
        else:
            said += " and precision by " + points(precision)
            missing = int(np.isnan(result.precision[:, 0]).sum())
            said += (
                f" (in the {len(result.recall) - missing} trials that have one at 0.5)."
                if missing
                else "."
            )
        now = measured(result.precision[:, point])
        sentences.append(f"{said} Precision is then {now} %.")
    return sentences


def points(difference: tuple[float, float]) -> str:
    """`+5.3 ± 1.0 points`."""
    mean, error = difference
    return f"{mean:+.1f} points" if np.isnan(error) else f"{mean:+.1f} ± {error:.1f} points"


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


# ---------------------------------------------------------------------------------------- page

TITLE = {"shuttle": "Valve faults of the Shuttle", "caravan": "Caravan policies, the control"}

INTRODUCTION = """\
# Rare events: the ranking and the threshold

Which remedy ranks the events better, and which only moves the threshold? `python
examples/rare_event.py --report docs/rare_event.md` printed this page.

Each seed has its own stratified split into 60 % training, 20 % validation and 20 % test. All
methods share it, an MLP with two hidden layers of 64 and its initial weights, AdamW, batches of
256, and the number of epochs, which was chosen by CE's PR-AUC on validation; part of a difference
can be that a method needs more or fewer. Figures are of the test part, in per cent: mean over the
seeds ± standard error, for PR-AUC the difference to CE, paired by seed, ± its standard error.
PR-AUC is scikit-learn's average precision, from log-odds, which do not saturate as probabilities
do. A dash: no seed calls anything an event.

The three thresholds on the probability of the event:

- **0.5**;
- **prior**, the share of events in the training part (`jimb.posthoc.move_threshold`). It is the
  right correction for a model whose probabilities are those of the data: CE. Weighted, adjusted or
  class-balanced training has its correction already inside, where 0.5 is its threshold: there, the
  prior corrects a second time. Focal loss, OHEM and sampling by difficulty or loss leave
  probabilities that belong to no prior;
- **chosen**, the threshold with the best F1 on validation (`jimb.posthoc.choose_threshold`).

For two classes, logit adjustment after training is the same as the prior threshold: row CE, column
prior. The row "logit adjustment" is the trained one. Weights have mean 1 over the training part;
the effective number has β = 0.9999. Focal loss is `softmax_focal_loss` with γ = 2, which for two
classes is the sigmoid one of the difference of the logits. OHEM keeps all positives and the hardest
quarter of the negatives of each batch. Difficulty has the pseudocount 1.
"""


def section(outcome: Outcome) -> str:
    """Heading, table and sentences of one data set."""
    baseline, *_ = outcome.results.values()
    validation = measured(baseline.validation_pr_auc)
    opening = (
        f"{outcome.counts[1]} events in {outcome.counts.sum()} training rows, "
        f"{outcome.counts[1] / outcome.counts.sum():.2%}; {outcome.epochs} epochs, "
        f"{len(baseline.pr_auc)} seeds. PR-AUC of CE on validation: {validation}."
    )
    said = [
        f"- {sentence}" for sentence in threshold_sentences(outcome) + ranking_sentences(outcome)
    ]
    return "\n\n".join([f"## {TITLE[outcome.dataset]}", opening, table(outcome), "\n".join(said)])


def page(outcomes: list[Outcome]) -> str:
    """The whole page (Markdown)."""
    return "\n\n".join([INTRODUCTION.rstrip(), *map(section, outcomes)])
