"""Small tables of two classes, for the tests of examples.keel."""

import numpy as np

from examples.data.keel import Table


def table(rows, positives, features=3, seed=0):
    """Positives lie higher in the first feature."""
    rng = np.random.default_rng(seed)
    labels = (rng.permutation(rows) < positives).astype(np.int32)
    x = rng.normal(5, 2, (rows, features)).astype(np.float32)
    x[:, 0] += 3 * labels
    return Table(x, labels)
