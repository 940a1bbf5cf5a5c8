"""Positions of examples by class: a long tail, so many of each, a stratified split."""

import numpy as np

# Classes of Fashion-MNIST by size, so that those which are easily confused are the rare ones.
HARD_TAIL = (1, 5, 7, 8, 9, 3, 0, 2, 4, 6)


def long_tail(
    labels: np.ndarray,
    largest: int,
    imbalance: float,
    rng: np.random.Generator,
    order: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Positions of a training set with `largest · imbalance^(-k/(K-1))` images of class k.

    With an order of the classes k is the place in it.
    """
    num_classes = int(labels.max()) + 1
    sizes = largest * imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    rounded = np.maximum(1, np.round(sizes).astype(int))
    if order is not None:
        rounded = rounded[np.argsort(order)]
    return take_per_class(labels, rounded, rng)


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
