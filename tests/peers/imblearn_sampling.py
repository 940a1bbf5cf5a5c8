"""imbalanced-learn's tests of its random samplers."""

import jax
import numpy as np

from tests.peers.calls import jimb, missing
from tests.peers.peer import Peer
from tests.peers.spoil import fewer_rows


def under_sample(self, X, y):
    """Cuts the classes that the strategy names; the others stay whole."""
    chosen = []
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        if label in self.sampling_strategy_:
            left = self.sampling_strategy_[label]
            members = members[cut(members, left, self.random_state, self.replacement)]
        chosen.append(members)
    return _rows(self, X, y, np.concatenate(chosen))


def over_sample(self, X, y):
    """All examples, then the visits beyond the first of those of a smaller class."""
    if any((self.shrinkage_ or {}).values()):
        missing("a smoothed bootstrap")
    chosen = [np.arange(len(y))]
    for label, more in self.sampling_strategy_.items():
        members = np.flatnonzero(y == label)
        visits = np.sort(plan(members, len(members) + more, self.random_state))
        again = np.append(False, visits[1:] == visits[:-1])
        chosen.append(members[visits[again]])
    return _rows(self, X, y, np.concatenate(chosen))


def cut(members, left, random_state, replacement):
    """Positions of so many of a class."""
    if left == 0:
        return np.zeros(0, int)
    key, labels = _key(random_state), np.zeros(len(members), int)
    plan = jimb.sampling.undersample_plan(
        key, labels, 1, per_class=int(left), replacement=replacement
    )
    return np.asarray(plan)


def plan(members, visits, random_state):
    """Positions of so many visits, each of the class as often as the others, or once more."""
    key, labels = _key(random_state), np.zeros(len(members), int)
    return np.asarray(jimb.sampling.balanced_plan(key, labels, 1, per_class=int(visits)))


def _key(random_state):
    return jax.random.key(random_state if isinstance(random_state, int) else 0)


def _rows(self, X, y, chosen):
    from sklearn.utils import _safe_indexing

    self.sample_indices_ = chosen
    return _safe_indexing(X, chosen), _safe_indexing(y, chosen)


UNDER = "imblearn.under_sampling._prototype_selection"

PEER = Peer(
    package="imbalanced-learn",
    floor="0.14",
    what="random under-sampling and over-sampling",
    tests=(
        f"{UNDER}.tests.test_random_under_sampler",
        "imblearn.over_sampling.tests.test_random_over_sampler",
    ),
    replace={
        f"{UNDER}.RandomUnderSampler._fit_resample": under_sample,
        "imblearn.over_sampling.RandomOverSampler._fit_resample": over_sample,
    },
    peer_checks_input=True,
    wrong=fewer_rows,
    requires=("pandas",),
    differs={
        r"test_(ros_fit_resample\[|rus_fit_resample)": (
            "the rows drawn are those of another random generator"
        ),
    },
)
