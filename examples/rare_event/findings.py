"""The sentences that follow from the numbers of a data set."""

import numpy as np
from scipy.stats import t as student

from examples.rare_event.judge import Result
from examples.rare_event.trials import Outcome
from examples.report import paired

# They put the correction of the prior into the training: 0.5 is their moved threshold.
REPLACEMENTS = (
    "inverse-frequency weights",
    "effective-number weights",
    "logit adjustment",
    "class-balanced sampling",
)


def findings(outcome: Outcome) -> list[str]:
    """On the threshold, on what is to replace it, and on the ranking."""
    return [
        *threshold_sentences(outcome),
        *instead_sentences(outcome),
        *ranking_sentences(outcome),
    ]


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
    mean, error = paired.mean_and_error(100 * differences)
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
        mean, error = paired.difference(result.pr_auc, baseline.pr_auc)
        differs = paired.told_apart(mean, error)
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


def measured(values: np.ndarray) -> str:
    """`94.7 ± 0.9`; a dash where no trial has the value, and how many have it if not all do."""
    mean, error = paired.mean_and_error(100 * values)
    if np.isnan(mean):
        return "–"
    found = int(np.isfinite(values).sum())
    cell = f"{mean:.1f}" if np.isnan(error) else f"{mean:.1f} ± {error:.1f}"
    return cell if found == len(values) else f"{cell} ({found} of {len(values)})"
