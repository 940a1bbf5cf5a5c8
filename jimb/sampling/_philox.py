"""Random bits by position: what a position gets depends on no other position and on no call before.

The counter-based generator Philox makes the bits, and only its raw bits are used: NumPy keeps those
the same from version to version, which it does not promise of the distributions made from them.
"""

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What bits are for. Two purposes under one seed have unrelated bits at every position."""

    WEIGHTED_DRAW = 0
    BALANCED_PHASE = 1
    BALANCED_MIX = 2
    BALANCED_CYCLE = 3
    SHUFFLED_MIX = 4
    SHUFFLED_CYCLE = 5


def bits(seed: int, purpose: Purpose, position: tuple[int, ...], size: int) -> np.ndarray:
    """uint64 bits, `[size]`; `position` is of up to three numbers in [0, 2**64)."""
    # Philox counts in the counter's first word, so no other position is ever reached.
    counter = np.zeros(4, np.uint64)
    counter[1 : 1 + len(position)] = position
    generator = np.random.Philox(key=np.array([seed, purpose], np.uint64), counter=counter)
    raw: np.ndarray = generator.random_raw(size)
    return raw


def unit(raw: np.ndarray) -> np.ndarray:
    """Bits as float64 in [0, 1), in steps of 2⁻⁵³."""
    return (raw >> np.uint64(11)) * 2.0**-53


def permutation(seed: int, purpose: Purpose, position: tuple[int, ...], size: int) -> np.ndarray:
    """The numbers 0 … size - 1 in random order, int64."""
    return np.argsort(bits(seed, purpose, position, size), kind="stable")
