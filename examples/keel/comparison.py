"""The numbers of the page and the figures, from what all programs found."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from examples.keel import statistics
from examples.keel.measures import MEASURES
from examples.keel.methods import CE, MIDWAY
from examples.keel.outcome import ByMethod, Outcome
from examples.keel.statistics import Ranking
from examples.report import paired

LEVEL = 0.05
# Of jimb's, what stands beside the peers.
BESIDE = ("inverse frequency", "square-root weights", "class-balanced sampling", MIDWAY, CE)


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

    def star(self, name: str, measure: str) -> str:
        """`*` where Wilcoxon's test after Holm tells it from the baseline."""
        return "*" if self.rankings[measure].p[self.names.index(name)] < LEVEL else ""

    def told_apart(self, measure: str) -> dict[str, list[str]]:
        """Methods above and below the baseline, by Wilcoxon's test after Holm."""
        found: dict[str, list[str]] = {"higher": [], "lower": []}
        for name in self.names:
            if self.star(name, measure):
                effects = self.effects(name, measure)
                ranks = stats.rankdata(abs(effects))  # by which the test goes
                found["higher" if np.sign(effects) @ ranks > 0 else "lower"].append(name)
        return found


def shown(compared: Compared, name: str, measure: str) -> str:
    """The baseline in per cent; of any other method `+5.0 ± 0.3*`, starred if told apart."""
    if name == compared.names[0]:
        return f"{100 * compared.scores[0, :, MEASURES.index(measure)].mean():.1f} %"
    return paired.signed(*compared.moved(name, measure)) + compared.star(name, measure)


def compare(test: ByMethod) -> Compared:
    """Of measures `[S, T, FOLDS, M]` by method.

    They are float32, and of other libraries float64: what is equal but for rounding is a tie.
    """
    scores = np.stack([each.astype(np.float64).mean((0, 2)) for each in test.values()]).round(6)
    rankings = {name: statistics.rank(scores[..., k]) for k, name in enumerate(MEASURES)}
    return Compared(tuple(test), scores, rankings)


def with_peers(outcome: Outcome, peers: ByMethod) -> Compared:
    """The peers beside both models' best-known remedies; the MLP's first is the baseline."""
    test: ByMethod = {}
    for model, found in outcome.test.items():
        test |= {f"{model}: {name}": found[name] for name in BESIDE if name in found}
    return compare(test | peers)


def imbalance(outcome: Outcome) -> np.ndarray:
    """Rows of the larger class for each of the smaller, `[T]`."""
    shares = np.array([table.labels.mean() for table in outcome.tables.values()])
    return np.asarray((1 - shares) / shares)


def sizes(outcome: Outcome) -> np.ndarray:
    """Rows, `[T]`."""
    return np.array([len(table.labels) for table in outcome.tables.values()])
