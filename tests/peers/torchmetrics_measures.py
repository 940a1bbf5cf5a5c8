"""The examples in the documentation of torchmetrics, which publishes its tests nowhere else."""

import functools
import inspect

import numpy as np

from tests.peers.calls import jimb, missing, original
from tests.peers.peer import Peer

MODULE = "torchmetrics.functional.classification"


def binary(measure, preds, target, threshold=0.5, ignore_index=None, normalize=None, **_):
    return measure(one_label(preds, target, threshold, ignore_index), normalize)


def multilabel(measure, preds, target, threshold=0.5, ignore_index=None, average="none", **rest):
    pairs = zip(np.moveaxis(preds, 1, 0), np.moveaxis(target, 1, 0), strict=True)
    states = [one_label(p, t, threshold, ignore_index) for p, t in pairs]
    if measure is matthews_corrcoef:
        return measure(functools.reduce(jimb.metrics.merge, states), None)
    return averaged(measure, states, average, rest.get("normalize"))


def multiclass(
    measure, preds, target, num_classes=None, ignore_index=None, average="none", top_k=1, **rest
):
    if top_k != 1:
        missing("the k best classes of an example")
    if preds.ndim > target.ndim:
        preds = preds.argmax(1)
    where = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    target = np.where(where, target, 0)
    if measure in (matthews_corrcoef, confusion_matrix):
        state = jimb.metrics.update(jimb.metrics.init(num_classes), preds, target, where=where)
        return measure(state, rest.get("normalize"))
    if measure is accuracy:  # of one class: the share of its examples that are right
        measure = recall
    empty = jimb.metrics.init(2)
    states = [
        jimb.metrics.update(empty, (preds == c) * 1, (target == c) * 1, where=where)
        for c in range(num_classes)
    ]
    # A class without examples and predictions is left out of the mean.
    seen = [s for s in states if np.asarray(s.counts).ravel()[1:].any()]
    return averaged(measure, seen if average == "macro" else states, average)


def averaged(measure, states, average, normalize=None):
    if average == "micro":
        return measure(functools.reduce(jimb.metrics.merge, states), normalize)
    values = np.array([measure(state, normalize) for state in states])
    if average in (None, "none"):
        return values
    support = np.array([np.asarray(s.counts)[1].sum() for s in states])
    return np.average(values, weights=support if average == "weighted" else None)


def one_label(preds, target, threshold, ignore_index):
    if np.issubdtype(preds.dtype, np.floating):
        if ((preds < 0) | (preds > 1)).any():
            preds = 1 / (1 + np.exp(-preds))
        preds = preds > threshold
    where = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    labels = np.where(where, target, 0)
    return jimb.metrics.update(jimb.metrics.init(2), preds * 1, labels, where=where)


def accuracy(state, _):
    return jimb.metrics.accuracy(state)


def matthews_corrcoef(state, _):
    return jimb.metrics.matthews_correlation(state)


def confusion_matrix(state, normalize):
    counts = np.asarray(state.counts)
    if normalize in (None, "none"):
        return counts.astype(np.int64)
    totals = {"true": counts.sum(1, keepdims=True), "pred": counts.sum(0), "all": counts.sum()}
    return np.nan_to_num(counts / totals[normalize])


def precision(state, _):
    return np.nan_to_num(jimb.metrics.per_class_precision(state)[1])


def recall(state, _):
    return np.nan_to_num(jimb.metrics.per_class_recall(state)[1])


def specificity(state, _):
    return np.nan_to_num(jimb.metrics.per_class_recall(state)[0])


def f1_score(state, _):
    return np.nan_to_num(jimb.metrics.f1(state))


def adapter(task, measure):
    """A function of the peer's signature: tensors in, a tensor out."""
    name = f"{MODULE}.{task.__name__}_{measure.__name__}"

    def function(*args, **kwargs):
        import torch

        bound = inspect.signature(original(name)).bind(*args, **kwargs)
        bound.apply_defaults()
        settings = dict(bound.arguments)
        preds, target = (settings.pop(k).numpy() for k in ("preds", "target"))
        if settings.get("multidim_average") == "samplewise":
            rows = zip(preds[:, None], target[:, None], strict=True)
            answer = np.stack([task(measure, *row, **settings) for row in rows])
        else:
            answer = np.asarray(task(measure, preds, target, **settings))
        exact = np.issubdtype(answer.dtype, np.integer)
        return torch.tensor(answer, dtype=None if exact else torch.float32)

    function.__name__ = name.rsplit(".", 1)[1]
    return {name: function, f"{MODULE}.{FILES[measure]}.{function.__name__}": function}


FILES = {
    accuracy: "accuracy",
    precision: "precision_recall",
    recall: "precision_recall",
    f1_score: "f_beta",
    specificity: "specificity",
    matthews_corrcoef: "matthews_corrcoef",
    confusion_matrix: "confusion_matrix",
}
TASKS = (binary, multiclass, multilabel)

PEER = Peer(
    package="torchmetrics",
    floor="1.9",
    what="confusion matrix, accuracy, precision, recall, F1, specificity, Matthews",
    tests=tuple(
        f"{prefix}{measure.__name__}"
        for measure in FILES
        for prefix in (
            f"{MODULE}.binary_",
            f"{MODULE}.multiclass_",
            f"{MODULE}.multilabel_",
            "torchmetrics.functional.",
        )
    ),
    replace={k: v for task in TASKS for m in FILES for k, v in adapter(task, m).items()},
    peer_checks_input=True,
    requires=("torch==2.13.0",),
    examples=True,
)
