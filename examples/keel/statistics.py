"""How methods are compared over data sets, as the field does: by ranks (Demšar 2006)."""

import functools
from typing import NamedTuple

import numpy as np
from scipy import stats


class Ranking(NamedTuple):
    """Of `P` methods on `T` data sets, by one measure."""

    ranks: np.ndarray  # [P], mean over the data sets; 1 is best
    friedman: float  # p, that all methods are alike
    difference: float  # of two mean ranks that can be told apart, Nemenyi at 0.05
    p: np.ndarray  # [P], Wilcoxon's against the first method, after Holm; NaN for the first


def rank(scores: np.ndarray) -> Ranking:
    """Compares scores `[P, T]`, of which higher is better; the first row is the baseline."""
    number, sets = scores.shape
    ranks = stats.rankdata(-scores, axis=0).mean(1)
    friedman = stats.friedmanchisquare(*scores).pvalue if number > 2 else np.nan
    p = np.array([wilcoxon(each, scores[0]) for each in scores[1:]])
    return Ranking(
        ranks, float(friedman), critical_difference(number, sets), np.append(np.nan, holm(p))
    )


def wilcoxon(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The signed-rank test's p; 1 where nothing differs."""
    if np.array_equal(ours, theirs):
        return 1.0
    return float(stats.wilcoxon(ours, theirs, zero_method="pratt").pvalue)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted for all these comparisons, so that one error among them has the level's chance."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


@functools.cache  # the quantile takes half a second
def critical_difference(number: int, sets: int, level: float = 0.05) -> float:
    """Nemenyi's, `q √(P (P + 1) / 6 T)`."""
    q = stats.studentized_range.ppf(1 - level, number, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(number * (number + 1) / (6 * sets)))


def cliques(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """First and last of each largest run of sorted ranks that lies within a difference."""
    found: list[tuple[int, int]] = []
    for first, low in enumerate(ranks):
        last = int(np.searchsorted(ranks, low + difference, "right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
