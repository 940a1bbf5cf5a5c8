"""Overlap, F-β, specificity, κ and corrected means against scikit-learn and NumPy."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from jax.experimental import checkify

from jimb import metrics
from jimb.counting import CountState
from tests.metrics.test_measures import ATOL, KINDS, exact, matrices, quotient, state_of

BETAS = (0.0, 0.5, 1.0, 2.0, 10.0)


@jax.jit
def measured(state, beta):
    return {
        "per_class_iou": metrics.per_class_iou(state),
        "mean_iou": metrics.mean_iou(state),
        "per_class_f_beta": metrics.per_class_f_beta(state, beta),
        "macro_f_beta": metrics.macro_f_beta(state, beta),
        "per_class_specificity": metrics.per_class_specificity(state),
        "per_class_geometric_mean": metrics.per_class_geometric_mean(state),
        "cohen_kappa": metrics.cohen_kappa(state),
        "adjusted": metrics.balanced_accuracy(state, adjusted=True),
        "corrected": metrics.geometric_mean(state, correction=0.001),
    }


def expected_of(counts, beta):
    """Of Python's integers, rounded to float64 once."""
    sums = np.diagonal(counts), counts.sum(1), counts.sum(0)
    hits, true, predicted = (x.astype(object) for x in sums)
    total, square = int(true.sum()), beta**2
    there = [t + p > 0 for t, p in zip(true, predicted, strict=True)]
    union = [int(t + p - h) for h, t, p in zip(hits, true, predicted, strict=True)]
    iou = np.array([quotient(h, u) for h, u in zip(hits, union, strict=True)])
    weighed = (square * np.float64(true) + np.float64(predicted)) / (1 + square)
    f_beta = np.float64(hits) / np.where(weighed > 0, weighed, 1)
    f_beta[~np.array(there)] = math.nan
    left = [int(total - t - p + h) for h, t, p in zip(hits, true, predicted, strict=True)]
    specificity = np.array([quotient(n, total - t) for n, t in zip(left, true, strict=True)])
    recall = np.array([quotient(h, t) for h, t in zip(hits, true, strict=True)])
    chance = int((true * predicted).sum())
    agreed = int(hits.sum()) * total - chance
    classes = int((true > 0).sum())
    balanced = exact(counts).balanced_accuracy
    known = recall[~np.isnan(recall)]
    return {
        "per_class_iou": iou,
        "mean_iou": np.nanmean(iou),
        "per_class_f_beta": f_beta,
        "macro_f_beta": np.nanmean(f_beta),
        "per_class_specificity": specificity,
        "per_class_geometric_mean": np.sqrt(recall * specificity),
        "cohen_kappa": quotient(agreed, total**2 - chance),
        "adjusted": (balanced - 1 / classes) / (1 - 1 / classes) if classes > 1 else math.nan,
        "corrected": math.exp(np.mean(np.log(np.where(known == 0, 0.001, known)))),
    }


@pytest.mark.slow  # one call of each is in its docstring
@pytest.mark.parametrize("k", [2, 3, 10, 100])
def test_measures_are_those_of_exact_integers(k):
    for kind in KINDS:
        for beta, counts in zip(BETAS, matrices(kind, k), strict=False):
            got = measured(state_of(counts), np.float32(beta))
            for name, expected in expected_of(counts, beta).items():
                message = f"{name} of {kind.__name__}, beta {beta}"
                np.testing.assert_allclose(got[name], expected, rtol=0, atol=ATOL, err_msg=message)


@pytest.mark.slow
def test_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for k in (2, 5):
        counts = rng.integers(1, 1000, (k, k))
        true, predicted = np.nonzero(counts)
        of = {"y_true": true, "y_pred": predicted, "sample_weight": counts[true, predicted]}
        for beta in (0.5, 3.0):
            got = measured(state_of(counts), np.float32(beta))
            expected = {
                "per_class_iou": sklearn.metrics.jaccard_score(**of, average=None),
                "mean_iou": sklearn.metrics.jaccard_score(**of, average="macro"),
                "per_class_f_beta": sklearn.metrics.fbeta_score(**of, beta=beta, average=None),
                "macro_f_beta": sklearn.metrics.fbeta_score(**of, beta=beta, average="macro"),
                "cohen_kappa": sklearn.metrics.cohen_kappa_score(
                    true, predicted, sample_weight=counts[true, predicted]
                ),
                "adjusted": sklearn.metrics.balanced_accuracy_score(**of, adjusted=True),
            }
            for name, value in expected.items():
                np.testing.assert_allclose(got[name], value, rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.slow
def test_the_ends_of_f_beta_and_one_class_of_it():
    counts = matrices(KINDS[0], 3)[0]
    state = state_of(counts)
    recall, precision = metrics.per_class_recall(state), metrics.per_class_precision(state)
    np.testing.assert_allclose(metrics.per_class_f_beta(state, 0.0), precision, atol=ATOL)
    for beta in (np.inf, 1e30, 1e15):
        np.testing.assert_allclose(metrics.per_class_f_beta(state, beta), recall, atol=ATOL)
    each = [metrics.f_beta(state, 2.0, positive=c) for c in range(3)]
    np.testing.assert_array_equal(each, metrics.per_class_f_beta(state, 2.0))
    np.testing.assert_array_equal(metrics.f_beta(state, 1.0), metrics.f1(state))
    over = jax.vmap(functools.partial(metrics.f_beta, state))(jnp.array([0.5, 2.0]))
    np.testing.assert_allclose(over[1], each[1], atol=ATOL)


@pytest.mark.slow
def test_overlap_and_dice_are_one_function_of_the_other():
    state = state_of(matrices(KINDS[0], 10)[0])
    iou, dice = metrics.per_class_iou(state), metrics.per_class_f1(state)
    np.testing.assert_allclose(dice, 2 * iou / (1 + iou), rtol=2e-7)


@pytest.mark.slow
def test_degenerate_states():
    nothing, one = state_of(np.zeros((3, 3))), state_of([[5, 0], [0, 0]])
    for value in measured(nothing, 1.0).values():
        assert np.isnan(value).all()
    got = measured(one, 1.0)
    np.testing.assert_array_equal(got["per_class_iou"], [1, np.nan])
    np.testing.assert_array_equal(got["per_class_specificity"], [np.nan, 1])
    assert np.isnan(got["per_class_geometric_mean"]).all()
    assert np.isnan(got["cohen_kappa"])
    assert np.isnan(got["adjusted"])
    assert got["mean_iou"] == got["macro_f_beta"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("correction", [0.0, 1e-30, 0.001, 0.3, 1.0])
def test_a_correction_stands_for_the_recalls_of_missed_classes(correction):
    counts = np.array([[8, 2, 0], [3, 0, 1], [0, 5, 5]])
    expected = (0.8 * correction * 0.5) ** (1 / 3)
    for given in (correction, jnp.float32(correction)):
        got = metrics.geometric_mean(state_of(counts), correction=given)
        np.testing.assert_allclose(got, expected, rtol=2e-7, atol=0)


@pytest.mark.slow
def test_all_measures_of_a_tally_and_of_weights_are_those_of_the_confusion():
    counts = matrices(KINDS[0], 3)[0]
    sums = np.diagonal(counts), counts.sum(1), counts.sum(0)
    tally = metrics.TallyState(*map(CountState, sums))
    weighted = metrics.WeightedConfusionState(jnp.float32(counts), jnp.zeros((3, 3)))
    expected = measured(state_of(counts), 2.0)
    for state in (tally, weighted):
        for name, value in measured(state, 2.0).items():
            np.testing.assert_allclose(value, expected[name], rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.slow
def test_wrong_parameters_are_refused_or_nan():
    state = state_of([[5, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"beta must lie in \[0, inf\]"):
        metrics.f_beta(state, -1.0)
    with pytest.raises(ValueError, match="beta must have the shape"):
        metrics.macro_f_beta(state, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"correction must lie in \[0, 1\]"):
        metrics.geometric_mean(state, correction=1.5)
    error, got = checkify.checkify(metrics.macro_f_beta)(state, jnp.float32(-1))
    assert np.isnan(got)
    assert "beta must lie in" in error.get()
    check = checkify.checkify(lambda c: metrics.geometric_mean(state, correction=c))
    error, got = check(jnp.float32(-1))
    assert np.isnan(got)
    assert "correction must lie in" in error.get()


# The report.

COUNTS = np.array([[19, 5, 0], [2, 24, 7], [1, 8, 42]])
TABLE = """\
     precision recall specificity   F1 geometric  IBA support
0         0.86   0.79        0.96 0.83      0.87 0.75      24
1         0.65   0.73        0.83 0.69      0.78 0.60      33
2         0.86   0.82        0.88 0.84      0.85 0.72      51

mean      0.79   0.79        0.88 0.79      0.83 0.69     108"""


@pytest.mark.slow
def test_the_report_has_the_figures_of_imbalanced_learn():
    """Its `classification_report_imbalanced` of these counts, of version 0.14."""
    assert metrics.report(state_of(COUNTS)) == TABLE
    names = metrics.report(state_of(COUNTS), names=["a", "b", "cc"]).splitlines()
    assert [line.split()[0] for line in names[1:4]] == ["a", "b", "cc"]


@pytest.mark.slow
def test_the_report_has_a_dash_for_what_is_not_defined():
    lines = metrics.report(state_of([[3, 0, 0], [1, 0, 0], [0, 0, 0]])).splitlines()
    assert lines[3].split() == ["2", "-", "-", "1.00", "-", "-", "-", "0"]
    weighted = metrics.WeightedConfusionState(jnp.array([[1.5, 0.5], [0, 1]]), jnp.zeros((2, 2)))
    assert metrics.report(weighted).splitlines()[-1].split()[-1] == "3"
    assert metrics.report(weighted).splitlines()[1].split()[-1] == "2"


def test_a_report_that_cannot_be_written_says_why():
    with pytest.raises(ValueError, match=r"names must be one per class, 2, got 1"):
        metrics.report(state_of(np.eye(2)), names=["a"])
    with pytest.raises(TypeError, match="outside jit"):
        jax.jit(lambda s: len(metrics.report(s)))(state_of(np.eye(2)))
