"""The instance difficulty in float64 NumPy, with any store of the last predictions.

Yu et al., CVPR 2022: the prediction deltas of each pass, summed, from the uniform prediction on.
"""

from collections.abc import Callable

import numpy as np

Store = Callable[[np.ndarray], np.ndarray]
"""What is left of log-probabilities after they were kept until the next pass."""


def exact(log_p: np.ndarray) -> np.ndarray:
    """The reference's store: float64."""
    return log_p


def raw_float16(log_p: np.ndarray) -> np.ndarray:
    """Probabilities, not their logarithms, in float16; 0 is read as the smallest above it."""
    p = np.exp(log_p).astype(np.float16).astype(np.float64)
    return np.log(np.maximum(p, np.finfo(np.float16).smallest_subnormal))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities along the last axis, in float64."""
    wide = np.asarray(logits, np.float64)
    shifted = wide - wide.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class Difficulty:
    """The sums `Σ du` and `Σ dl` of every example, `[..., N]`, after each pass over the data."""

    def __init__(self, labels: np.ndarray, num_classes: int, store: Store = exact) -> None:
        self.is_label = np.arange(num_classes) == labels[..., None]
        self.unlearned, self.learned = np.zeros(labels.shape), np.zeros(labels.shape)
        self.stored = np.full(self.is_label.shape, -np.log(num_classes))
        self.store = store

    def update(self, logits: np.ndarray) -> None:
        """Adds the deltas of one pass with these logits, `[..., N, K]`."""
        log_p, log_q = log_softmax(logits), self.stored
        change, ratio = np.exp(log_p) - np.exp(log_q), log_p - log_q
        rise, fall = np.maximum(change, 0) * ratio, np.minimum(change, 0) * ratio
        self.unlearned += np.where(self.is_label, fall, rise).sum(axis=-1)
        self.learned += np.where(self.is_label, rise, fall).sum(axis=-1)
        self.stored = self.store(log_p)

    def weights(self, pseudocount: float) -> np.ndarray:
        """`D / Σ D` over the examples."""
        d = (pseudocount + self.unlearned) / (pseudocount + self.learned)
        return d / d.sum(axis=-1, keepdims=True)
