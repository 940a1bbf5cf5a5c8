"""Endless draws that name a class, then an image of it: which image each draw shows, by its index.

One host's draws come in blocks of a few thousand. How often each class was drawn before a block is
a closed formula, so a block is planned without those before it: every class as often as is its
due, in random order. The k-th draw of a class, counted over all hosts, shows the k-th image of a
shuffled cycle through the class. Host h of H makes every H-th draw of each class and mixes those:
no host can lack a class, and in the order of these numbers every image of a class is shown before
any a second time.
"""

import abc
import itertools

import numpy as np

from jimb.sampling._philox import Purpose, bits, permutation, unit
from jimb.sampling._recent import Recent

_BLOCK = 4096  # draws, or four of each class where that is more
_KEPT = 2**20  # draws in the blocks that are kept


class ClassDraws(abc.ABC):
    """The draws of one host."""

    mix: Purpose
    cycle: Purpose

    def __init__(
        self, labels: np.ndarray, counts: np.ndarray, *, seed: int, host: int, hosts: int
    ) -> None:
        self.seed, self.host, self.hosts = seed, host, hosts
        self.counts = counts.astype(np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        self.by_class = np.argsort(labels, kind="stable").astype(np.int32)
        self.block_length = max(_BLOCK, 4 * len(counts))
        self._block = Recent(self._planned, _KEPT)
        self._order = Recent(self._shuffled, 2 * len(labels))

    @abc.abstractmethod
    def locate(self, index: int) -> tuple[int, int]:
        """The block that the host's draw `index` is in, and its place there."""

    @abc.abstractmethod
    def due(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """The number of the host's first draw of each class in the block; how many it makes."""

    def position(self, index: int) -> int:
        """The position in the data set that the host's draw `index` shows."""
        block, place = self.locate(index)
        return int(self._block(block)[place])

    def images(self, label: int, cycle: int, steps: np.ndarray) -> np.ndarray:
        """Which of its class's images a cycle shows at these steps."""
        shown: np.ndarray = self._order(label, cycle)[steps]
        return shown

    def _shuffled(self, label: int, cycle: int) -> np.ndarray:
        size = int(self.counts[label])
        return permutation(self.seed, self.cycle, (label, cycle), size).astype(np.int32)

    def _planned(self, block: int) -> np.ndarray:
        """The positions that the draws of a block show, int32."""
        first, visits = self.due(block)
        labels = np.repeat(np.arange(len(visits)), visits)
        mixed = labels[permutation(self.seed, self.mix, (block, self.host), len(labels))]
        # From here on class after class, each in the order in which its draws come.
        earlier = np.arange(len(labels)) - (np.cumsum(visits) - visits)[labels]
        sizes = self.counts[labels]
        cycles, steps = np.divmod(first[labels] + self.hosts * earlier, sizes)
        cycles[sizes == 1] = 0  # all alike
        changes = (np.diff(labels) != 0) | (np.diff(cycles) != 0)
        images = np.empty(len(labels), np.int64)
        for begin, end in itertools.pairwise([0, *(np.flatnonzero(changes) + 1), len(labels)]):
            label, cycle = int(labels[begin]), int(cycles[begin])
            images[begin:end] = self.images(label, cycle, steps[begin:end])
        positions = np.empty(len(labels), np.int32)
        positions[np.argsort(mixed, kind="stable")] = self.by_class[self.starts[labels] + images]
        return positions


class BalancedDraws(ClassDraws):
    """Class c with probability p_c: at the end of each block, within one of p_c times the draws."""

    mix = Purpose.BALANCED_MIX
    cycle = Purpose.BALANCED_CYCLE

    def __init__(
        self,
        labels: np.ndarray,
        counts: np.ndarray,
        probabilities: np.ndarray,
        *,
        seed: int,
        host: int,
        hosts: int,
    ) -> None:
        super().__init__(labels, counts, seed=seed, host=host, hosts=hosts)
        self.per_block = self.block_length * probabilities
        # The hosts take turns at a class's draws; which begins is random, class by class.
        turn, phase = bits(seed, Purpose.BALANCED_PHASE, (), 2 * len(counts)).reshape(2, -1)
        self.turn = ((turn % np.uint64(hosts)).astype(np.int64) + host) % hosts
        self.phase = np.minimum((unit(phase) + self.turn) / hosts, 1 - 2.0**-53)
        self._begin = Recent(self._begun, 2**16)

    def locate(self, index: int) -> tuple[int, int]:
        block = index // self.block_length  # or one of its neighbours
        begin = self._begin(block)
        while begin > index:
            block -= 1
            begin = self._begin(block)
        while (end := self._begin(block + 1)) <= index:
            block, begin = block + 1, end
        return block, index - begin

    def due(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        before = self._before(block)
        return self.hosts * (before + 1) - 1 - self.turn, self._before(block + 1) - before

    def _before(self, block: int) -> np.ndarray:
        """How often the host has drawn each class before the block."""
        before: np.ndarray = np.floor(block * self.per_block + self.phase).astype(np.int64)
        return before

    def _begun(self, block: int) -> int:
        return int(self._before(block).sum())


class ShuffledDraws(ClassDraws):
    """Each epoch, over all hosts, every class as often as the largest has images."""

    mix = Purpose.SHUFFLED_MIX
    cycle = Purpose.SHUFFLED_CYCLE

    def __init__(
        self,
        labels: np.ndarray,
        counts: np.ndarray,
        length: int,
        *,
        as_published: bool,
        seed: int,
        host: int,
        hosts: int,
    ) -> None:
        super().__init__(labels, counts, seed=seed, host=host, hosts=hosts)
        self.length, self.as_published = length, as_published
        self.present = np.flatnonzero(counts)
        self.most = int(self.counts.max())
        # A block is of rounds of one draw of each class; an epoch's last has what remains.
        self.rounds = self.block_length // len(self.present)
        self.blocks = max(1, self.most // hosts // self.rounds)

    def locate(self, index: int) -> tuple[int, int]:
        epoch, slot = divmod(index, self.length)
        size = self.rounds * len(self.present)
        block = min(slot // size, self.blocks - 1)
        return epoch * self.blocks + block, slot - block * size

    def due(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, block = divmod(block, self.blocks)
        # As if the draws of the epoch, class after class, were dealt to the hosts like cards.
        dealt = (np.arange(len(self.present)) + epoch) % len(self.present) * self.most
        turn = (self.host - dealt) % self.hosts
        left = -((turn - self.most) // self.hosts) - block * self.rounds
        if block < self.blocks - 1:
            left = np.minimum(left, self.rounds)
        # An epoch begins a new cycle of every class: else an image could miss its share.
        sizes = self.counts[self.present]
        begin = epoch * -(-self.most // sizes) * sizes + turn + self.hosts * self.rounds * block
        first, visits = np.zeros_like(self.counts), np.zeros_like(self.counts)
        first[self.present], visits[self.present] = begin, left
        return first, visits

    def images(self, label: int, cycle: int, steps: np.ndarray) -> np.ndarray:
        return steps if self.as_published else super().images(label, cycle, steps)
