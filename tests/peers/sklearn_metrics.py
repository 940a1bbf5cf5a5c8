"""scikit-learn's tests of its classification metrics."""

import functools

import numpy as np

from tests.peers.calls import jimb, missing
from tests.peers.peer import Peer


def confusion_matrix(y_true, y_pred, *, labels=None, sample_weight=None, normalize=None):
    classes, state = confusion(y_true, y_pred, labels, sample_weight)
    chosen = positions(classes, labels)
    counts = np.asarray(state.counts, np.int64)[np.ix_(chosen, chosen)]
    if normalize is None:
        return counts
    totals = {"true": counts.sum(1, keepdims=True), "pred": counts.sum(0), "all": counts.sum()}
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(counts / totals[normalize])


def accuracy_score(y_true, y_pred, *, normalize=True, sample_weight=None):
    _, state = confusion(y_true, y_pred, None, sample_weight)
    share = float(jimb.metrics.accuracy(state))
    return share if normalize else share * int(state.counts.sum())


def balanced_accuracy_score(y_true, y_pred, *, sample_weight=None, adjusted=False):
    _, state = confusion(y_true, y_pred, None, sample_weight)
    score = np.float64(jimb.metrics.balanced_accuracy(state))
    if adjusted:
        chance = 1 / np.count_nonzero(np.asarray(state.counts).sum(1))
        score = (score - chance) / np.float64(1 - chance)
    return float(score)


def matthews_corrcoef(y_true, y_pred, *, sample_weight=None):
    _, state = confusion(y_true, y_pred, None, sample_weight)
    return float(jimb.metrics.matthews_correlation(state))


def multilabel_confusion_matrix(
    y_true, y_pred, *, sample_weight=None, labels=None, samplewise=False
):
    states = one_against_the_rest(y_true, y_pred, labels, sample_weight, samplewise)
    return np.stack([np.asarray(state.counts, np.int64) for state in states])


def precision_recall_fscore_support(
    y_true,
    y_pred,
    *,
    beta=1.0,
    labels=None,
    pos_label=1,
    average=None,
    warn_for=(),
    sample_weight=None,
    zero_division="warn",
):
    from sklearn.metrics._classification import _check_set_wise_labels

    if beta != 1:
        missing("F-beta other than F1")
    wanted = _check_set_wise_labels(y_true, y_pred, average, labels, pos_label)
    states = one_against_the_rest(
        y_true, y_pred, wanted, sample_weight, samplewise=average == "samples"
    )
    if average == "micro":
        states = [functools.reduce(jimb.metrics.merge, states)]
    undefined = 0.0 if zero_division == "warn" else zero_division
    support = np.array([np.asarray(state.counts).sum(1)[1] for state in states])
    scores = [np.array([float(f(state)[1]) for state in states]) for f in PER_CLASS]
    scores = [np.where(np.isnan(x), undefined, x) for x in scores]
    if average is None:
        return (*scores, support)
    return (*(mean(x, support if average == "weighted" else None) for x in scores), None)


PER_CLASS = (
    jimb.metrics.per_class_precision,
    jimb.metrics.per_class_recall,
    jimb.metrics.per_class_f1,
)


def one_against_the_rest(y_true, y_pred, labels, sample_weight, samplewise=False):
    """A state of two classes for each label, or for each example of several labels."""
    from sklearn.metrics._classification import _check_targets

    kind, present, y_true, y_pred, _ = _check_targets(y_true, y_pred)
    where = included(sample_weight)
    if kind == "multilabel-indicator":
        tables = [x.toarray() if hasattr(x, "toarray") else np.asarray(x) for x in (y_true, y_pred)]
        if labels is not None:
            tables = [x[:, np.asarray(labels)] for x in tables]
        if samplewise:
            tables = [x.T if where is None else x[where].T for x in tables]
            where = None
        pairs = zip(*(x.T for x in tables), strict=True)
    else:
        chosen = present if labels is None else labels
        pairs = [(np.asarray(y_true) == c, np.asarray(y_pred) == c) for c in chosen]
    empty = jimb.metrics.init(2)
    return [
        jimb.metrics.update(empty, predicted.astype(int), true.astype(int), where=where)
        for true, predicted in pairs
    ]


def mean(scores, support):
    """Over the defined scores, in the weights given."""
    defined = ~np.isnan(scores)
    if not defined.any():
        return np.nan
    if support is None or not support[defined].any():
        return float(scores[defined].mean())
    return float(np.average(scores[defined], weights=support[defined]))


def confusion(y_true, y_pred, labels, sample_weight):
    """The classes in order, and the confusion counts of jimb."""
    from sklearn.metrics._classification import _check_targets

    kind, _, y_true, y_pred, _ = _check_targets(y_true, y_pred)
    if kind == "multilabel-indicator":
        missing("several labels for one example")
    where = included(sample_weight)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    known = np.concatenate([y_true, y_pred] + ([] if labels is None else [np.asarray(labels)]))
    classes = np.unique(known)
    state = jimb.metrics.update(
        jimb.metrics.init(len(classes)),
        np.searchsorted(classes, y_pred),
        np.searchsorted(classes, y_true),
        where=where,
    )
    return classes, state


def included(sample_weight):
    """A weight of 0 leaves an example out; other weights do not go into counts."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if not np.isin(weight, (0, 1)).all():
        missing("sample weights in a confusion matrix of integers")
    return weight == 1


def positions(classes, labels):
    return np.arange(len(classes)) if labels is None else np.searchsorted(classes, labels)


def everywhere(*functions):
    """Where the package offers a metric, and where its own code looks it up."""
    modules = ("sklearn.metrics", "sklearn.metrics._classification")
    return {f"{module}.{f.__name__}": f for module in modules for f in functions}


METRICS = everywhere(
    confusion_matrix,
    accuracy_score,
    balanced_accuracy_score,
    matthews_corrcoef,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)

FLOAT32 = "measures are float32, and the test asks for more than its 7 digits"
NEVER_PREDICTED = (
    "the precision of a class that has examples and is never predicted is 0 in jimb, here undefined"
)

PEER = Peer(
    package="scikit-learn",
    floor="1.9",
    what="confusion matrices, accuracy, balanced accuracy, precision, recall, F1, Matthews",
    tests=("sklearn.metrics.tests.test_classification", "sklearn.metrics.tests.test_common"),
    select="test_classification.py|accuracy|precision|recall|f1|matthews|confusion",
    replace=METRICS,
    peer_checks_input=True,
    requires=("pandas",),
    differs={
        "test_classification_report_dictionary_output": FLOAT32,
        "test_matthews_corrcoef_against_numpy_corrcoef": FLOAT32,
        r"test_balanced_accuracy_score\[y_true1": FLOAT32,
        "test_confusion_matrix_dtype": "counts are integers, also for float sample weights",
        r"with_an_empty_prediction\[(1-1|nan-nan)": NEVER_PREDICTED,
    },
)
