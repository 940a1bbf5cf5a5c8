"""Positions of examples by class: a long tail, so many of each, a stratified split."""

import numpy as np

# Training images of each digit where the classes are odd and even: 8 is rare in the larger class.
RARE_EIGHT = np.array([120, 25] * 4 + [10, 25])
RARE_EIGHT_LONG = np.array([120, 40] * 4 + [20, 40])
# Classes of Fashion-MNIST by size, so that those which are easily confused are the rare ones.
HARD_TAIL = (1, 5, 7, 8, 9, 3, 0, 2, 4, 6)


def long_tail(
    labels: np.ndarray,
    largest: int,
    imbalance: float,
    rng: np.random.Generator,
    order: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Positions of a training set whose sizes are `tail_sizes`.

    With an order of the classes, its first is the largest.
    """
    sizes = tail_sizes(int(labels.max()) + 1, largest, imbalance)
    if order is not None:
        sizes = sizes[np.argsort(order)]
    return take_per_class(labels, sizes, rng)


def tail_sizes(num_classes: int, largest: int, imbalance: float) -> np.ndarray:
    """`largest · imbalance^(-k/(K-1))` of class k, rounded, and at least 1."""
    sizes = largest * imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    return np.maximum(1, np.round(sizes).astype(int))


def take_per_class(labels: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions of `sizes[k]` random images of each class k, sorted by class."""
    chosen = [
        rng.permutation(np.flatnonzero(labels == k))[: int(size)] for k, size in enumerate(sizes)
    ]
    index = np.concatenate(chosen)
    if len(index) < sizes.sum():
        raise ValueError(f"a class has fewer images than asked for, {sizes.tolist()}.")
    return index


def split(
    labels: np.ndarray, rng: np.random.Generator, *, share: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a share of each class, for training, and of the rest."""
    train = take_per_class(labels, np.round(share * np.bincount(labels)).astype(int), rng)
    return train, np.setdiff1d(np.arange(len(labels)), train)


def split_in_three(
    labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of 60 % of each class for training, 20 % for validation, 20 % for the test."""
    parts = []
    for label in range(int(labels.max()) + 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        parts.append(np.split(rows, [round(0.6 * len(rows)), round(0.8 * len(rows))]))
    train, validation, test = (np.concatenate(part) for part in zip(*parts, strict=True))
    return train, validation, test
