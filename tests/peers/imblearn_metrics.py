"""imbalanced-learn's tests of its metrics."""

import functools

import numpy as np

from tests.peers import sklearn_metrics
from tests.peers.calls import jimb
from tests.peers.peer import Peer


def sensitivity_specificity_support(
    y_true,
    y_pred,
    *,
    labels=None,
    pos_label=1,
    average=None,
    warn_for=(),
    sample_weight=None,
):
    """Recall of a class, and of all others together: a state of two classes has both."""
    wanted = labels
    if average == "binary":
        wanted = [pos_label]
    states = sklearn_metrics.one_against_the_rest(y_true, y_pred, wanted, sample_weight)
    if average == "micro":
        states = [functools.reduce(jimb.metrics.merge, states)]
    recalls = np.array([jimb.metrics.per_class_recall(state) for state in states], np.float64)
    specificity, sensitivity = np.nan_to_num(recalls).T
    support = np.array([np.asarray(state.counts).sum(1)[1] for state in states])
    if average is None:
        return sensitivity, specificity, support
    weights = support if average == "weighted" else None
    scores = (sklearn_metrics.mean(x, weights) for x in (sensitivity, specificity))
    return (*scores, None)


def geometric_mean_score(
    y_true,
    y_pred,
    *,
    labels=None,
    pos_label=1,
    average="multiclass",
    sample_weight=None,
    correction=0.0,
):
    if average != "multiclass":
        options = {"labels": labels, "pos_label": pos_label, "average": average}
        sensitivity, specificity, _ = sensitivity_specificity_support(
            y_true, y_pred, sample_weight=sample_weight, **options
        )
        return np.sqrt(sensitivity * specificity)
    classes, state = sklearn_metrics.confusion(y_true, y_pred, labels, sample_weight)
    if labels is None and correction == 0:
        return float(jimb.metrics.geometric_mean(state))
    recalls = np.asarray(jimb.metrics.per_class_recall(state), np.float64)
    recalls = np.nan_to_num(recalls[sklearn_metrics.positions(classes, labels)])
    recalls[recalls == 0] = correction
    return float(np.prod(recalls) ** (1 / len(recalls)))


FUNCTIONS = (sensitivity_specificity_support, geometric_mean_score)
MODULES = ("imblearn.metrics", "imblearn.metrics._classification")

PEER = Peer(
    package="imbalanced-learn",
    floor="0.14",
    what="sensitivity, specificity, geometric mean, and the reports made of them",
    tests=("imblearn.metrics.tests.test_classification",),
    replace={f"{module}.{f.__name__}": f for module in MODULES for f in FUNCTIONS}
    | sklearn_metrics.METRICS
    | {
        "imblearn.metrics._classification.precision_recall_fscore_support": (
            sklearn_metrics.precision_recall_fscore_support
        )
    },
    peer_checks_input=True,
    differs={
        "test_sensitivity_specificity_ignored_labels": (
            "0.33 is asked for within 1 % of the answer, which 1/3 meets to all digits of float64 "
            "and its float32 does not"
        ),
        r"binary_single_class\[y_pred1": (
            "nothing is of the positive class, and all else is said to be negative: a specificity "
            "of TN / (TN + FP) = 2/2, where the peer has 0"
        ),
    },
)
