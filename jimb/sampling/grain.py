"""Selection maps for Grain: weighted, class-balanced, label-shuffled, or by a plan.

    from jimb.sampling import grain as jgrain

    selection = jgrain.ClassBalancedSelection(labels, num_classes, len(labels), seed=0)
    dataset = jgrain.select(dataset, selection).repeat().map(augment).batch(256)

A map is a pure function of its settings and an index, so what Grain checkpoints is one integer. It
stands before `batch`, and in place of `shuffle`. `repeat` leads to indexes from `len(map)` on,
which are new draws: each epoch is another. A map's `repr` shows arrays as short digests of their
contents. To worker processes a map is pickled with its tables.

Several hosts: each passes the same arguments but its own `shard_options`, as to `grain.DataLoader`
(`grain.sharding.ShardByJaxProcess()`), and does not shard the data set besides: any host may read
any example. `num` counts the examples of all hosts together, and host h of H has the length
`len(range(h, num, H))`, or with `drop_remainder` `num // H`. A checkpoint goes on only with as many
hosts as before.
"""

import abc
import hashlib
import operator
from collections.abc import Iterator
from typing import SupportsIndex, TypeVar

import numpy as np

from jimb._typing import ArrayLike
from jimb.sampling._class_draws import BalancedDraws, ClassDraws, ShuffledDraws
from jimb.sampling._host_labels import counted_labels
from jimb.sampling._philox import Purpose, bits, unit
from jimb.sampling._recent import Recent
from jimb.sampling._selection_checks import (
    class_shares,
    integer_in,
    positions_in,
    shares_of,
)

try:
    import grain
    from grain.transforms import DatasetSelectionMap
except ImportError:
    raise ImportError(
        "jimb.sampling.grain needs Grain; install it with: pip install 'grain>=0.2.18'"
    ) from None

__all__ = [
    "ClassBalancedSelection",
    "LabelShuffledSelection",
    "PlanSelection",
    "WeightedSelection",
    "select",
]

_T = TypeVar("_T")

_BLOCK = 256  # random numbers made at once, which takes little longer than one


class _Selection(DatasetSelectionMap):
    """A length, and `selection[index] -> (0, position)`; subclasses say which position."""

    def __init__(
        self,
        num_examples: int,
        num: int,
        shard_options: grain.sharding.ShardOptions | None,
        **settings: object,
    ) -> None:
        shard = grain.sharding.NoSharding() if shard_options is None else shard_options
        if not isinstance(shard, grain.sharding.ShardOptions):
            raise TypeError(f"shard_options must be a grain.sharding.ShardOptions, got {shard!r}.")
        host, hosts = shard.shard_index, shard.shard_count
        self.num_examples = num_examples
        self._num, self._shard, self._host, self._hosts = num, shard, host, hosts
        self._length = num // hosts + (host < num % hosts and not shard.drop_remainder)
        if self._length == 0:
            raise ValueError(
                f"host {host} of {hosts} has nothing to read of {num} examples per epoch; "
                "read more, or with fewer hosts."
            )
        settings |= {"num_examples": num_examples, "num": num, "shard_index": host}
        settings |= {"shard_count": hosts, "drop_remainder": shard.drop_remainder}
        shown = (f"{name}={_shown(value)}" for name, value in settings.items())
        self._repr = f"{type(self).__name__}({', '.join(shown)})"

    @abc.abstractmethod
    def _position(self, index: int) -> int:
        """The position in the data set that this host's index shows."""

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: SupportsIndex) -> tuple[int, int]:
        at = operator.index(index)
        if at < 0:
            raise IndexError(f"index must be at least 0, got {at}.")
        return 0, self._position(at)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return self._repr


class WeightedSelection(_Selection):
    r"""Draws each example with probability `w_i / Σw`, every time anew.

    Draws are independent, so an example of expectation c is seen c times with a standard deviation
    of about `√c`. `jimb.sampling.epoch_plan`, read by `PlanSelection`, keeps within one of c. The
    hosts deal out one stream of draws, index by index: each sees every example in proportion to its
    weight. Memory: 8N bytes.

    Args:
      weights: non-negative, `[N]`, not all 0, as of `jimb.sampling.class_power` or
        `jimb.difficulty.sampling_weights`; class weights through `jimb.take_class`. Need not be
        normalised. Weight 0 is never drawn.
      num: examples per epoch, over all hosts.
      seed: an int in [0, 2**64).
      shard_options: this host's `grain.sharding.ShardOptions`; one host if left out.

    Raises:
      TypeError: weights are not floating point, or another argument has the wrong type.
      ValueError: weights are not `[N]`, are negative, not finite or all 0, or `num` or the seed is
        out of range.

    Example:
      >>> import numpy as np
      >>> from jimb.sampling import grain as jgrain
      >>> selection = jgrain.WeightedSelection(np.array([1.0, 0.0, 3.0]), 8000, seed=0)
      >>> print(np.bincount([position for _, position in selection]))
      [1994    0 6006]
    """

    def __init__(
        self,
        weights: ArrayLike,
        num: int,
        *,
        seed: int = 0,
        shard_options: grain.sharding.ShardOptions | None = None,
    ) -> None:
        self._seed = integer_in("seed", seed, 0, 2**64)
        shares = shares_of("weights", weights, "example, [N]")
        num = integer_in("num", num, 1, 2**63)
        super().__init__(len(shares), num, shard_options, weights=shares, seed=self._seed)
        ends = np.cumsum(shares)
        self._ends = ends / ends[-1]
        self._units = Recent(self._drawn, 2**16)

    def _drawn(self, block: int) -> np.ndarray:
        return unit(bits(self._seed, Purpose.WEIGHTED_DRAW, (block,), _BLOCK))

    def _position(self, index: int) -> int:
        block, place = divmod(index * self._hosts + self._host, _BLOCK)
        return int(self._ends.searchsorted(self._units(block)[place], side="right"))

    def with_weights(self, weights: ArrayLike) -> "WeightedSelection":
        """The same draws under other weights of the same examples, as of the next epoch.

        The random numbers stay, so a little change of the weights changes few draws. An iterator's
        state carries over: `new_iterator.set_state(old_iterator.get_state())` goes on at the index
        where the old one stopped.

        Args:
          weights: as of the class, `[N]`.

        Returns:
          A new `WeightedSelection`; this one is as it was.

        Raises:
          TypeError: weights are not floating point.
          ValueError: weights are not `[N]` of the same N, or bad as of the class.
        """
        changed = WeightedSelection(weights, self._num, seed=self._seed, shard_options=self._shard)
        if changed.num_examples != self.num_examples:
            raise ValueError(
                f"weights must be of the same {self.num_examples} examples, got "
                f"{changed.num_examples}; class weights become example weights by "
                "jimb.take_class(weights, labels)."
            )
        return changed


class _ClassSelection(_Selection):
    """Draws that name a class, then an image of it."""

    _draws: ClassDraws

    def _position(self, index: int) -> int:
        return self._draws.position(index)


class ClassBalancedSelection(_ClassSelection):
    r"""Draws a class, then an image of it: class c with probability `n_c^power / Σ_k n_k^power`.

    Power 0 is class-balanced, ½ square-root, 1 instance-balanced, -1 the reversed sampling of BBN.
    Within a class the images come in a shuffled cycle: all are seen before any a second time, and
    each cycle has an order of its own; cycles run on from epoch to epoch.

    The classes are mixed in blocks of 4096 draws (4K if more). Where a block ends, every host has
    drawn each class within one of the expected number of times: less variance than of independent
    draws. Host h of H makes every H-th draw of each class, and any image may be its: a class of
    three images is drawn as often on each of eight hosts as on one, and the eight go through its
    cycles together.

    A draw is quick where its block is among the last that were planned, about 2²⁰ draws in all; a
    jump beyond plans a block, in some milliseconds. Memory: at most 12N bytes, and 4 MiB (or two
    blocks if more).

    Args:
      labels: integers in [0, K), `[N]`.
      num_classes: K. A class without images is never drawn.
      num: examples per epoch, over all hosts.
      power: at most 1.
      class_weights: instead of the power, non-negative, `[K]`: class c is drawn with probability
        `class_weights[c] / Σ class_weights`, whatever its size.
      seed: an int in [0, 2**64).
      shard_options: this host's `grain.sharding.ShardOptions`; one host if left out.

    Raises:
      TypeError: labels are not integers, or another argument has the wrong type.
      ValueError: labels are not `[N]` or outside [0, K), the power is above 1, class weights are
        not `[K]`, are negative, not finite, all 0, or above 0 for a class without images; both are
        given; `num` or the seed is out of range.

    Example:
      >>> import numpy as np
      >>> from jimb.sampling import grain as jgrain
      >>> selection = jgrain.ClassBalancedSelection([0, 0, 0, 0, 1], 2, 8192)
      >>> print(np.bincount([position for _, position in selection]))
      [1024 1024 1024 1024 4096]

    Reference:
      Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020.
      Zhou et al., BBN, CVPR 2020.
    """

    def __init__(
        self,
        labels: ArrayLike,
        num_classes: int,
        num: int,
        *,
        power: float = 0.0,
        class_weights: ArrayLike | None = None,
        seed: int = 0,
        shard_options: grain.sharding.ShardOptions | None = None,
    ) -> None:
        host_labels, counts = counted_labels(labels, num_classes)
        shares = class_shares(counts, power, class_weights)
        seed, num = integer_in("seed", seed, 0, 2**64), integer_in("num", num, 1, 2**63)
        super().__init__(
            len(host_labels),
            num,
            shard_options,
            labels=host_labels,
            class_probabilities=shares,
            seed=seed,
        )
        self._draws = BalancedDraws(
            host_labels, counts, shares, seed=seed, host=self._host, hosts=self._hosts
        )


class LabelShuffledSelection(_ClassSelection):
    r"""Label shuffling: in each epoch every class comes exactly `n_max` times.

    `n_max` is the size of the largest class. Each image of class c comes ⌊`n_max / n_c`⌋ or
    ⌈`n_max / n_c`⌉ times, in cycles of a random order; which images come once more is drawn
    for every epoch. An epoch has `n_max` times the number of classes with images.

    The classes are mixed in blocks of about 4096 draws (4K if more), each with every class equally
    often, where the published method mixes the whole epoch. Over all hosts the numbers of an epoch
    are exact; host h of H makes every H-th draw of each class, so on each host they are within one.
    `drop_remainder` leaves out less than one draw per host.

    Draws are as quick as those of `ClassBalancedSelection`. Memory: at most 12N bytes, and 4 MiB
    (or two blocks if more).

    Args:
      labels: integers in [0, K), `[N]`.
      num_classes: K. A class without images is left out.
      as_published: whether a class is gone through in the data set's order, so that the same first
        images come once more in every epoch.
      seed: an int in [0, 2**64).
      shard_options: this host's `grain.sharding.ShardOptions`; one host if left out.

    Raises:
      TypeError: labels are not integers, or another argument has the wrong type.
      ValueError: labels are not `[N]` or outside [0, K), or the seed is out of range.

    Example:
      >>> import numpy as np
      >>> from jimb.sampling import grain as jgrain
      >>> selection = jgrain.LabelShuffledSelection([0, 0, 0, 0, 0, 1, 1], 2, seed=0)
      >>> print(np.bincount([position for _, position in selection]))
      [1 1 1 1 1 3 2]

    Reference:
      Zhong et al., Towards Good Practices for Recognition and Detection, ImageNet and COCO
      workshop, ECCV 2016.
    """

    def __init__(
        self,
        labels: ArrayLike,
        num_classes: int,
        *,
        as_published: bool = False,
        seed: int = 0,
        shard_options: grain.sharding.ShardOptions | None = None,
    ) -> None:
        if not isinstance(as_published, bool):
            raise TypeError(f"as_published must be True or False, got {as_published!r}.")
        host_labels, counts = counted_labels(labels, num_classes)
        seed = integer_in("seed", seed, 0, 2**64)
        num = int(counts.max()) * int(np.count_nonzero(counts))
        super().__init__(
            len(host_labels),
            num,
            shard_options,
            labels=host_labels,
            num_classes=len(counts),
            as_published=as_published,
            seed=seed,
        )
        self._draws = ShuffledDraws(
            host_labels,
            counts,
            len(self),
            as_published=as_published,
            seed=seed,
            host=self._host,
            hosts=self._hosts,
        )


class PlanSelection(_Selection):
    """Reads the positions of a plan in its order, as of `jimb.sampling.epoch_plan`.

    Host h of H reads `plan[h::H]`. Another epoch reads the same plan again, until `with_plan`
    replaces it. Memory: 4 bytes per position of the host.

    Args:
      plan: integers in [0, N), `[num]`.
      num_examples: N, of the data set.
      shard_options: this host's `grain.sharding.ShardOptions`; one host if left out.

    Raises:
      TypeError: the plan is not of integers, or another argument has the wrong type.
      ValueError: the plan is empty, not `[num]`, or has positions outside [0, N).

    Example:
      >>> import jax, numpy as np
      >>> from jimb.sampling import epoch_plan, grain as jgrain
      >>> plan = epoch_plan(jax.random.key(0), np.array([1.0, 0.0, 3.0]), 8)
      >>> print(np.bincount([position for _, position in jgrain.PlanSelection(plan, 3)]))
      [2 0 6]
    """

    def __init__(
        self,
        plan: ArrayLike,
        num_examples: int,
        *,
        shard_options: grain.sharding.ShardOptions | None = None,
    ) -> None:
        size = integer_in("num_examples", num_examples, 1, 2**31)
        positions = positions_in("plan", plan, size, "visit, [num]")
        super().__init__(size, len(positions), shard_options, plan=positions)
        self._plan = positions[self._host :: self._hosts].copy()

    def _position(self, index: int) -> int:
        return int(self._plan[index % self._length])

    def with_plan(self, plan: ArrayLike) -> "PlanSelection":
        """Another plan of the same data set and length, as of the next epoch.

        An iterator's state carries over: it goes on at the same place of the new plan.

        Args:
          plan: as of the class, `[num]`.

        Returns:
          A new `PlanSelection`; this one is as it was.

        Raises:
          TypeError: the plan is not of integers.
          ValueError: the plan has another length, or is bad as of the class.
        """
        changed = PlanSelection(plan, self.num_examples, shard_options=self._shard)
        if changed._num != self._num:
            raise ValueError(
                f"plan must have the length of the plan before, {self._num}, got {changed._num}: "
                "the epochs of a checkpoint would shift."
            )
        return changed


def select(dataset: "grain.MapDataset[_T]", selection: _Selection) -> "grain.MapDataset[_T]":
    """The data set as a selection reads it: `select_from_datasets`, and a check of the length.

    Grain itself takes a position beyond its data set modulo the length.

    Args:
      dataset: a `grain.MapDataset` of as many examples as the selection was made for.
      selection: one of this module's.

    Returns:
      A `grain.MapDataset` of the selection's length.

    Raises:
      ValueError: the data set has another length than the selection was made for.

    Example:
      >>> import grain
      >>> from jimb.sampling import grain as jgrain
      >>> letters = grain.MapDataset.source("abc")
      >>> list(jgrain.select(letters, jgrain.PlanSelection([2, 0, 2], 3)))
      ['c', 'a', 'c']
    """
    if len(dataset) != selection.num_examples:
        raise ValueError(
            f"the selection is of {selection.num_examples} examples, but the data set has "
            f"{len(dataset)}; give the labels, weights or plan of this data set. Class weights "
            "become example weights by jimb.take_class(weights, labels)."
        )
    return grain.MapDataset.select_from_datasets([dataset], selection)


def _shown(value: object) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
