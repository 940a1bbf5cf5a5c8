"""Data: the training and the test set as arrays, padded to whole batches."""

from typing import Any, NamedTuple

import numpy as np
from jax import Array

from examples.data import datasets
from examples.train import mesh
from examples.train.job import Job, whole_batches
from examples.training import Data


class TestSet(NamedTuple):
    """The test set, divided over the devices."""

    data: Data
    real: Array  # False where a row is padding


def make_training_set(job: Job, dataset: datasets.Dataset) -> Data:
    """The training set in the host's memory."""
    return padded(dataset.train_inputs, dataset.train_labels, job.rows)


def make_test_set(job: Job, dataset: datasets.Dataset) -> TestSet:
    """The test set on the mesh."""
    size = len(dataset.test_labels)
    rows = whole_batches(size, job.recipe.batch_size)
    data = padded(dataset.test_inputs, dataset.test_labels, rows)
    laid_out: tuple[Data, Array] = mesh.laid_out((data, np.arange(rows) < size), mesh.ROWS)
    return TestSet(*laid_out)


def padded(inputs: Any, labels: Any, rows: int) -> Data:
    """With the first examples again behind the last, up to so many rows."""
    index = np.arange(rows) % len(labels)
    return Data(inputs[index], labels[index])
