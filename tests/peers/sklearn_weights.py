"""scikit-learn's tests of class weights and of the sample weights made of them."""

import numpy as np

from tests.peers.calls import jimb, original
from tests.peers.peer import Peer

_NAME = "sklearn.utils.class_weight.compute_class_weight"


def compute_class_weight(class_weight, *, classes, y, sample_weight=None):
    if class_weight != "balanced":  # given by the caller, not computed
        return original(_NAME)(class_weight, classes=classes, y=y, sample_weight=sample_weight)
    known, labels = np.unique(np.asarray(y), return_inverse=True)
    if sample_weight is None:
        counts = jimb.class_counts(labels, len(known))
    else:
        counts = np.bincount(labels, sample_weight)
    weights = jimb.mean_one(jimb.inverse_frequency_weights(counts), counts)
    return np.asarray(weights)[np.searchsorted(known, classes)]


PEER = Peer(
    package="scikit-learn",
    floor="1.9",
    what="balanced class weights and sample weights",
    tests=("sklearn.utils.tests.test_class_weight",),
    replace={_NAME: compute_class_weight},
    peer_checks_input=True,
    x64=True,
)
