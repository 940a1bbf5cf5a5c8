"""The report: the recall of each class, and classes in groups by size."""

import numpy as np


def recalls(hits: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Recall of each class in per cent, NaN for one that the test set lacks."""
    absent = np.where(examples == 0, np.nan, 1.0)
    return np.asarray(100 * hits / np.maximum(examples, 1) * absent)


def groups(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Many-, medium- and few-shot classes `[K]`: of over 100, 20 to 100, under 20 examples."""
    many, few = counts > 100, counts < 20
    return {"many-shot": many, "medium-shot": ~many & ~few, "few-shot": few}


def mean(recall: np.ndarray) -> float:
    """Over the classes that the test set has, NaN if it has none."""
    known = recall[~np.isnan(recall)]
    return float(known.mean()) if known.size else float("nan")
