"""What is known of long-tailed Fashion-MNIST and of WordNet, the benchmark finds on the real data.

Where the data are not below `data` or installed, the test is skipped with the command that brings
them. In the other orders and on the other tasks nothing is claimed.
"""

import jax
import numpy as np
import pytest
from tqdm import tqdm

from examples.benchmark import measures, tasks, trials
from examples.benchmark import methods as benchmark_methods
from examples.benchmark.results import Result
from examples.data import sources

pytestmark = pytest.mark.slow
METHODS = {method.name: method for method in benchmark_methods.METHODS}
CE = "cross-entropy (CE)"


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    """Flax promotes dtypes and ranks; the library is tested strictly elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def balanced_accuracies(name, *methods):
    """In per cent, `[S]`, of each method and of CE, at the settings of the benchmark."""
    spec = tasks.TASKS[name]
    try:
        task = spec.make(np.arange(spec.seeds), None)
    except sources.MissingData as missing:
        pytest.skip(str(missing))
    bar = tqdm(disable=True)
    found = {}
    for method in (CE, *methods):
        results = {method: Result(*trials.run_method(METHODS[method], task, spec, 0, bar), 0.0)}
        outcome = measures.Outcome(name, spec, task.counts, task.class_of_group, results, {}, 0)
        found[method] = 100 * measures.recalls(outcome, results[method].confusion).mean(1)
    return found


def test_on_long_tailed_fashion_logit_adjustment_is_best_and_focal_does_nothing():
    weighted = ("inverse frequency", "square root of it", "effective number", "CB-softmax")
    adjusted = ("logit adjustment, trained", "logit adjustment, post hoc")
    found = balanced_accuracies("fashion-100", "focal, γ = 2", *weighted, *adjusted)
    assert len(found[CE]) == 5
    assert abs((found["focal, γ = 2"] - found[CE]).mean()) < 1
    for method in adjusted:
        assert (found[method] - found[CE]).mean() > 2
        for other in weighted:
            paired = found[method] - found[other]
            error = paired.std(ddof=1) / np.sqrt(len(paired))
            assert paired.mean() > -2 * error, (method, other)  # what the standard error allows


def test_on_wordnet_weights_help_by_six_points():
    found = balanced_accuracies("wordnet", "effective number")
    assert (found["effective number"] - found[CE]).mean() > 6
