"""Overlap of masks and average precision against pycocotools, on random and degenerate input."""

import contextlib
import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from jimb import metrics

ATOL = 4e-8  # of float64's: half of float32's rounding below 1 is 3.0e-8

# Masks of K classes: predicted, true, and which pixels count.


def masks(k, seed):
    """Classes of very different sizes, of which most are found."""
    rng = np.random.default_rng(seed)
    true = (k * rng.uniform(size=(24, 30)) ** 3).astype(np.int32)
    predicted = np.where(rng.uniform(size=true.shape) < 0.7, true, rng.permuted(true, axis=1))
    return predicted, true, rng.uniform(size=true.shape) < 0.9


def cases(k):
    predicted, true, where = masks(k, seed=k)
    none, last = np.zeros_like(true), np.full_like(true, k - 1)
    yield from (masks(k, seed) for seed in range(10))
    yield none, true, where  # nothing predicted of the other classes
    yield predicted, none, where  # they are not there
    yield none, none, where  # neither
    yield last, last, where  # all pixels are of one of them
    yield none, last, where  # and of another than predicted
    yield predicted, true, np.zeros_like(where)
    yield predicted, true, np.arange(where.size).reshape(where.shape) == 100  # one pixel


@functools.partial(jax.jit, static_argnums=0)
def overlaps(k, predicted, true, where):
    state = metrics.update(metrics.init(k), predicted, true, where=where)
    return (
        metrics.per_class_iou(state),
        metrics.mean_iou(state),
        metrics.per_class_f_beta(state, 1.0),
        metrics.macro_f_beta(state, 1.0),
    )


def run_length(mask):
    return coco_mask.encode(np.asfortranarray(mask, np.uint8))


def of_coco(k, predicted, true, where):
    """IoU and Dice of each class; of a class that is nowhere COCO says 0, jimb NaN."""
    iou, dice = np.full((2, k), np.nan)
    for c in range(k):
        of = [run_length((ids == c) & where) for ids in (predicted, true)]
        areas = sum(int(coco_mask.area(mask)) for mask in of)
        overlap = coco_mask.iou(of[:1], of[1:], [0]).item()
        if areas == 0:
            assert overlap == 0
            continue
        iou[c] = overlap
        dice[c] = 2 * coco_mask.area(coco_mask.merge(of, intersect=True)) / areas
    return iou, dice


@pytest.mark.parametrize("k", [2, 5])
def test_overlaps_are_those_of_pycocotools(k):
    for case in cases(k):
        iou, mean_iou, dice, mean_dice = overlaps(k, *case)
        for each, mean, expected in zip(
            (iou, dice), (mean_iou, mean_dice), of_coco(k, *case), strict=True
        ):
            np.testing.assert_allclose(each, expected, rtol=0, atol=ATOL)
            there = expected[~np.isnan(expected)]
            expected_mean = there.mean() if there.size else np.nan
            np.testing.assert_allclose(mean, expected_mean, rtol=0, atol=ATOL)


# Average precision. COCO reads its precision at given recalls, and that is the largest precision at
# this recall or any above: an interpolation, which jimb does not have. Here it changes nothing:
#
# - the negatives between one positive and the next do not become fewer down the ranking, so the
#   precision at the k-th positive, k / (k + negatives before it), does not rise with k;
# - between two positives it is lower than at the first of them;
# - the recalls asked for are k / P, those at which a positive is found.
#
# A category whose number of positives divides P is asked for each of its recalls equally often.

P, N = 24, 400


def ranking(rng, positives, steepness):
    """Labels from the highest score down."""
    negatives = np.sort(rng.poisson(steepness, positives))
    ranked = [np.append(np.zeros(n, np.int32), 1) for n in negatives]
    return np.concatenate([*ranked, np.zeros(rng.integers(20), np.int32)])


def category(rng, ranked):
    """Scores, labels and which count, in any order; what does not count may hold anything."""
    scores, labels = np.full(N, np.nan, np.float32), rng.integers(0, 2, N).astype(np.int32)
    places = rng.permutation(N)[: len(ranked)]
    scores[places] = -np.sort(-rng.normal(0, 3, len(ranked)))
    labels[places] = ranked
    return scores, labels, np.isin(np.arange(N), places)


def categories():
    """Random ones, then degenerate ones."""
    rng = np.random.default_rng(0)
    rankings = [ranking(rng, p, s) for p in (1, 2, 3, 6, 12, P) for s in (0.1, 1, 5)]
    rankings += [np.zeros(30, int), np.ones(P, int), [1], [0], []]
    return [np.stack(x) for x in zip(*(category(rng, r) for r in rankings), strict=True)]


def data_set(num_categories, annotations):
    """Boxes of 4 × 4 in one image, each at a place of its own; an `id` of 0 is no match to COCO."""
    common = {"image_id": 1, "area": 16, "iscrowd": 0}
    coco = COCO()
    coco.dataset = {
        "images": [{"id": 1}],
        "categories": [{"id": c} for c in range(num_categories)],
        "annotations": [
            common | {"id": i, "category_id": c, "bbox": [10 * place, 10, 4, 4]} | of
            for i, (c, place, of) in enumerate(annotations, start=1)
        ],
    }
    coco.createIndex()
    return coco


def coco_average_precision(scores, labels, where):
    """Each example is a detection; a positive is one that lies on an object, no negative does."""
    found = list(zip(*np.nonzero(where), strict=True))
    objects = [(int(c), int(i), {}) for c, i in found if labels[c, i] == 1]
    detections = [(int(c), int(i), {"score": float(scores[c, i])}) for c, i in found]
    with contextlib.redirect_stdout(io.StringIO()):
        data = (data_set(len(scores), boxes) for boxes in (objects, detections))
        evaluation = COCOeval(*data, iouType="bbox")
        evaluation.params.iouThrs = [0.5]
        evaluation.params.recThrs = np.arange(1, P + 1) / P
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e9]], ["all"]
        evaluation.params.maxDets = [N]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][0, :, :, 0, 0].mean(0)


def test_average_precision_is_that_of_pycocotools():
    scores, labels, where = categories()
    got = jax.jit(jax.vmap(metrics.average_precision))(scores, labels, where=jnp.asarray(where))
    expected = coco_average_precision(scores, labels, where)
    no_positive = (labels * where).sum(1) == 0
    np.testing.assert_array_equal(expected[no_positive], -1)
    assert no_positive.sum() == 3
    np.testing.assert_array_equal(np.isnan(got), no_positive)
    np.testing.assert_allclose(got[~no_positive], expected[~no_positive], rtol=0, atol=ATOL)
    assert expected[~no_positive].min() < 0.3
