"""Keras's tests of its F1 score, whose states jimb keeps and merges."""

import functools

import numpy as np

from tests.peers.calls import jimb, missing
from tests.peers.peer import Peer
from tests.peers.sklearn_metrics import included


def update_state(self, y_true, y_pred, sample_weight=None):
    """One state of two classes for each column."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if self.threshold is None:
        largest = y_pred.max(-1, keepdims=True)
        predicted = (y_pred >= largest) & (np.abs(y_pred) > 1e-9)
    else:
        predicted = y_pred > self.threshold
    where, empty = included(sample_weight), jimb.metrics.init(2)
    columns = zip(predicted.T.astype(int), y_true.T.astype(int), strict=True)
    states = [jimb.metrics.update(empty, p, t, where=where) for p, t in columns]
    before = vars(self).get("jimb_states", [empty] * len(states))
    # Past Keras's own tracking of attributes.
    vars(self)["jimb_states"] = [
        jimb.metrics.merge(*pair) for pair in zip(before, states, strict=True)
    ]


def result(self):
    if self.beta != 1:
        missing("F-beta other than F1")
    states = vars(self)["jimb_states"]
    if self.average == "micro":
        states = [functools.reduce(jimb.metrics.merge, states)]
    scores = np.nan_to_num(np.array([jimb.metrics.f1(state) for state in states]))
    if self.average is None:
        return scores
    support = np.array([np.asarray(state.counts)[1].sum() for state in states])
    return np.average(scores, weights=support if self.average == "weighted" else None)


_SCORES = "keras.src.metrics.f_score_metrics"

PEER = Peer(
    package="keras",
    floor="3.15",
    what="F1 scores",
    tests=(f"{_SCORES}_test",),
    replace={
        f"{_SCORES}.FBetaScore.update_state": update_state,
        f"{_SCORES}.FBetaScore.result": result,
    },
    environment={"KERAS_BACKEND": "jax"},
    peer_checks_input=True,
)
