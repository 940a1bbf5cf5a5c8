"""Average precision as COCO defines it, by pycocotools."""

import contextlib
import io
from typing import NamedTuple

import numpy as np

from examples.detection.epochs import Found
from examples.detection.task import Batch


class Precision(NamedTuple):
    """Shares of 1; NaN for a class without objects."""

    ap: np.ndarray  # [K], mean over overlaps of 0.5, 0.55, …, 0.95
    ap50: np.ndarray  # [K], at an overlap of 0.5


def average_precision(found: Found, test: Batch, classes: int) -> Precision:
    """Of each class."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    boxes, labels = np.asarray(test.boxes), np.asarray(test.labels)
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(labels))],
        "categories": [{"id": k} for k in range(classes)],
        "annotations": annotations(boxes, labels),
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(detections(found)), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.params.maxDets = [100]
        judge.evaluate()
        judge.accumulate()
    # [overlap, recall, class, area, detections]; -1 for a class without objects
    precision = judge.eval["precision"][..., 0, 0].mean(1)
    precision = np.where(precision < 0, np.nan, precision)
    return Precision(precision.mean(0), precision[0])


def annotations(boxes: np.ndarray, labels: np.ndarray) -> list[dict[str, object]]:
    """The objects."""
    rows = []
    for number, (canvas, slot) in enumerate(np.argwhere(labels >= 0), 1):  # an id of 0 is no match
        left, top, right, bottom = map(float, boxes[canvas, slot])
        width, height = right - left, bottom - top
        rows.append(
            {
                "id": number,
                "image_id": int(canvas),
                "category_id": int(labels[canvas, slot]),
                "bbox": [left, top, width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    return rows


def detections(found: Found) -> np.ndarray:
    """Rows of canvas, left, top, width, height, score, class."""
    boxes, classes, scores = (np.asarray(x, np.float64) for x in found)
    canvas, slot = np.nonzero(scores >= 0)
    chosen = boxes[canvas, slot]
    sides = chosen[:, :2], chosen[:, 2:] - chosen[:, :2]
    rest = scores[canvas, slot], classes[canvas, slot]
    return np.column_stack([canvas, *sides, *rest])
