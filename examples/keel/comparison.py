"""The numbers of the page and the figures, from what all programs found."""

from typing import NamedTuple

import numpy as np

from examples.keel import statistics
from examples.keel.measures import MEASURES
from examples.keel.methods import METHODS
from examples.keel.outcome import ByMethod, Outcome
from examples.keel.statistics import Ranking
from examples.report import paired

LEVEL = 0.05


class Compared(NamedTuple):
    """Methods on `T` data sets by each measure; the first is the baseline."""

    names: tuple[str, ...]
    scores: np.ndarray  # [P, T, M], means of seeds and folds
    rankings: dict[str, Ranking]  # by measure

    def effects(self, name: str, measure: str) -> np.ndarray:
        """The difference to the baseline on each data set, in points `[T]`."""
        ours, theirs = self.scores[self.names.index(name)], self.scores[0]
        difference: np.ndarray = 100 * (ours - theirs)[:, MEASURES.index(measure)]
        return difference

    def moved(self, name: str, measure: str) -> tuple[float, float]:
        """Its mean, and its standard error over the data sets."""
        return paired.mean_and_error(self.effects(name, measure))

    def told_apart(self, measure: str) -> dict[str, list[str]]:
        """Methods above and below the baseline, by Wilcoxon's test after Holm."""
        found: dict[str, list[str]] = {"higher": [], "lower": []}
        for name, p in zip(self.names[1:], self.rankings[measure].p[1:], strict=True):
            if p < LEVEL:
                more_often = np.sign(self.effects(name, measure)).sum() > 0
                found["higher" if more_often else "lower"].append(name)
        return found


def compare(test: ByMethod) -> Compared:
    """Of measures `[S, T, FOLDS, M]` by method."""
    scores = np.stack([each.mean((0, 2)) for each in test.values()])
    rankings = {name: statistics.rank(scores[..., k]) for k, name in enumerate(MEASURES)}
    return Compared(tuple(test), scores, rankings)


def with_peers(outcome: Outcome, peers: ByMethod) -> Compared:
    """The peers against cross-entropy of the MLP, and both models' best-known remedies."""
    test: ByMethod = {}
    for model, found in outcome.test.items():
        test |= {f"{model}: {name}": each for name, each in found.items() if name in BESIDE}
    return compare(test | peers)


# Of jimb's, what stands beside the peers.
BESIDE = (METHODS[0].name, "inverse frequency", "class-balanced sampling", "threshold, chosen")


def imbalance(outcome: Outcome) -> np.ndarray:
    """Rows of the larger class for each of the smaller, `[T]`."""
    shares = np.array([table.labels.mean() for table in outcome.tables.values()])
    return np.asarray((1 - shares) / shares)


def sizes(outcome: Outcome) -> np.ndarray:
    """Rows, `[T]`."""
    return np.array([len(table.labels) for table in outcome.tables.values()])
