"""Logits of which each device holds some classes, inside `jax.shard_map`."""

import dataclasses
import functools
import math
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jimb import _axes, _checks
from jimb._typing import Array, ArrayLike, Integer
from jimb.heads._largest import largest_of


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["logits"], meta_fields=["axis_name"]
)
@dataclasses.dataclass(frozen=True)
class DividedLogits:
    r"""Stored logits inside `jax.shard_map`, where a device has the logits of its classes only.

    Every softmax loss with class ids takes them in the place of logits. Labels and class tables are
    of all classes; the losses are those of the whole row, on every device of the axis. Devices
    exchange a largest logit and two sums for each row. Outside `jax.shard_map`, on a mesh of type
    Auto or Explicit, a loss takes the array itself, divided or not.

    Attributes:
      logits: this device's, `[..., K / n]`, floating point.
      axis_name: the mapped axis, or axes, of the n devices that divide the classes, in their order.

    Raises (where they are used):
      TypeError: the logits are not floating point.
      ValueError: nothing is mapped over `axis_name` here.

    Example:
      >>> import jax, jax.numpy as jnp, jimb
      >>> from jax.sharding import PartitionSpec as P
      >>> mesh = jax.make_mesh((1,), ("model",), axis_types=(jax.sharding.AxisType.Auto,))
      >>> def loss(logits, labels):
      ...     return jimb.softmax_cross_entropy_loss(jimb.DividedLogits(logits, "model"), labels)
      >>> divided = jax.shard_map(
      ...     loss, mesh=mesh, in_specs=(P(None, "model"), P()), out_specs=P()
      ... )
      >>> print(jax.jit(divided)(jnp.array([[2.0, 0.0], [0.0, 0.0]]), jnp.array([0, 1])).round(4))
      [0.1269 0.6931]

    Reference:
      Shoeybi et al., Megatron-LM: Training Multi-Billion Parameter Language Models Using Model
      Parallelism, 2019.
    """

    logits: ArrayLike
    axis_name: Hashable | tuple[Hashable, ...]

    @property
    def axes(self) -> _axes.Names:
        """The names; ValueError where one is not mapped."""
        return _axes.mapped(self.axis_name)

    @property
    def shape(self) -> tuple[int, ...]:
        """`[..., K]`, with the classes of all devices."""
        *batch, own = np.shape(self.logits)
        return (*batch, own * math.prod(map(jax.lax.axis_size, self.axes)))

    @property
    def ndim(self) -> int:
        """Of the logits."""
        return np.ndim(self.logits)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the logits, and of losses."""
        return jnp.result_type(self.logits)

    def checked(self) -> "DividedLogits":
        """The same of an array; an error where something does not fit."""
        return DividedLogits(_checks.class_logits(self.logits), self.axes)

    def argmax(self, axis: int = -1) -> Integer[Array, "*batch"]:
        """The predicted classes `[...]`, int32; of equal logits the first counts, as in NumPy."""
        _checks.last_axis(axis, self.ndim)
        return largest_of(jnp.asarray(self.logits), self.axes).place
